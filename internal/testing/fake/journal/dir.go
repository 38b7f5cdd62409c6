package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Dir is the directory that a journal has for itself. [Directory] is a real one, [Disk] one that crashes.
type Dir interface { //nolint:interfacebloat // what a file that is replaced needs of its directory
	// Lock excludes other processes until Unlock, or until this process ends. The error is a [*LockedError] if another
	// one has the directory.
	Lock() error
	Unlock() error
	// Read returns a file's content. The error is fs.ErrNotExist if there is none.
	Read(name string) ([]byte, error)
	// Identity returns a text that no other file has, whatever its content, and that a file keeps.
	Identity(name string) (string, error)
	// Create returns a new file, in the place of one with that name.
	Create(name string) (File, error)
	Rename(from, to string) error
	// Sync makes Create and Rename durable.
	Sync() error
}

// File is a file that is written once, from its begin to its end.
type File interface {
	io.Writer
	Sync() error // makes what was written durable
	Close() error
}

// LockedError reports that a process uses the state already.
type LockedError struct {
	Dir string
	PID string // of that process; empty if unknown
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != "" {
		who = "process " + e.PID
	}
	return fmt.Sprintf("the state in %s is in use by %s: end that one, or choose another directory (-state DIR)", e.Dir, who)
}

const lockName = "lock"

// directory implements Dir. Its files are for this user alone, because they have tokens and keys.
type directory struct {
	path string
	lock *os.File
}

// Directory returns a directory of this machine. Lock creates it.
func Directory(path string) Dir { return &directory{path: path} }

func (d *directory) Lock() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return fmt.Errorf("journal: the directory for the state cannot be made: %w", err)
	}
	if err := syncDir(filepath.Dir(d.path)); err != nil {
		return fmt.Errorf("journal: the directory for the state cannot be made: %w", err)
	}
	file, err := os.OpenFile(d.join(lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("journal: the directory for the state cannot be locked: %w", err)
	}
	held, err := lock(file)
	if held {
		pid, _ := io.ReadAll(io.LimitReader(file, 20)) // the message is right without it
		err = &LockedError{Dir: d.path, PID: strings.TrimSpace(string(pid))}
	}
	if err == nil {
		if err = file.Truncate(0); err == nil {
			_, err = fmt.Fprintln(file, os.Getpid())
		}
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	d.lock = file
	return nil
}

// Unlock leaves the lock file, because a process that waits for it may have opened it.
func (d *directory) Unlock() error {
	return errors.Join(d.lock.Truncate(0), unlock(d.lock), d.lock.Close())
}

func (d *directory) Read(name string) ([]byte, error) { return os.ReadFile(d.join(name)) }

// Identity names the directory too, because a hard link has the inode of its file.
func (d *directory) Identity(name string) (string, error) {
	file, err := inode(d.join(name))
	if err != nil {
		return "", err
	}
	parent, err := inode(d.path)
	return file + " in " + parent, err
}

func (d *directory) Create(name string) (File, error) {
	if err := os.Remove(d.join(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err // not truncated: it would remain the same file
	}
	return os.OpenFile(d.join(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d *directory) Rename(from, to string) error { return os.Rename(d.join(from), d.join(to)) }

func (d *directory) Sync() error { return syncDir(d.path) }

func syncDir(path string) error {
	open, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(open.Sync(), open.Close())
}

func (d *directory) join(name string) string { return filepath.Join(d.path, name) }
