// Package journal keeps the state of the local stack on disk, so that it survives a restart, a killed process and a
// power failure. Each stand-in has a part of it:
//
//	j, err := journal.Open(journal.Directory(".state"))
//	part := j.Part("procore")
//	state := part.Load()                                   // what the last run left
//	part.Append(map[string][]byte{"user/7": text, "user/8": nil}) // in order; nil deletes
//	err = part.Sync()                                      // before anything is answered that rests on it
//
// All parts share one file and one order. After a crash the state is that after some Append: whole, and no earlier than
// the last one before a Sync that returned nil. A failed Sync is final, because it is open what the disk then has.
//
// # Copies
//
// Two stacks with the same state would spend the same refresh tokens. Each Open and Close writes a new file, which names
// itself: its directory and its own inode and birth. A file with the name of another is a copy, or was restored from a
// backup, and [Journal.Copied] reports it. One backup is not noticed: that of the file in use which, after a kill, was
// written back into that very file. Nor is a snapshot of the whole disk.
package journal
