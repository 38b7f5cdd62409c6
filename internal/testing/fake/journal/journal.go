package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
)

const (
	fileName = "journal"
	newName  = "journal.new" // becomes fileName once it is complete

	// The journal's own keys. Those of parts have a slash.
	identityKey = "identity"
	copiedKey   = "copied"

	// The file is rewritten when it is larger than this multiple of what is alive in it, and this many bytes.
	rewriteFactor = 4
	rewriteBytes  = 8 << 20
)

// ErrClosed is the error of Sync after Close.
var ErrClosed = errors.New("journal: closed")

// A Journal is the state of one stack. All methods may be called by several goroutines.
type Journal struct {
	dir          Dir
	rewriteBytes int

	mu       sync.Mutex
	turn     *sync.Cond // the state below changed, for those who wait in Sync
	live     map[string][]byte
	bytes    int    // of live
	pending  []byte // entries that no frame has yet
	appended uint64 // counts Append
	durable  uint64 // of those, how many are on disk
	writing  bool   // one goroutine has the file
	err      error  // the first failure, or ErrClosed
	failed   chan struct{}
	closed   bool

	file File // belongs to the goroutine that set writing
	size int
}

// Open reads the state, after it has locked the directory. The error is a [*LockedError] if another process has it.
func Open(dir Dir) (*Journal, error) { return open(dir, false) }

// Fresh is Open for an empty state. What the directory had is gone.
func Fresh(dir Dir) (*Journal, error) { return open(dir, true) }

func open(dir Dir, fresh bool) (*Journal, error) {
	if err := dir.Lock(); err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, rewriteBytes: rewriteBytes, live: map[string][]byte{}, failed: make(chan struct{})}
	j.turn = sync.NewCond(&j.mu)
	err := error(nil)
	if !fresh {
		err = j.read()
	}
	if err == nil {
		err = j.rewrite(j.live)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Unlock())
	}
	return j, nil
}

// read loads the file and finds out whether it is a copy. Without a file the state is empty.
func (j *Journal) read() error {
	text, err := j.dir.Read(fileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: the state cannot be read: %w", err)
	}
	if err := decode(text, j.apply); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	identity, err := j.dir.Identity(fileName)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if string(j.live[identityKey]) != identity {
		j.apply(copiedKey, []byte{1})
	}
	j.apply(identityKey, nil) // the next file has another
	return nil
}

func (j *Journal) apply(key string, value []byte) {
	if old, ok := j.live[key]; ok {
		j.bytes -= len(key) + len(old)
	}
	if value == nil {
		delete(j.live, key)
		return
	}
	j.live[key] = value
	j.bytes += len(key) + len(value)
}

// Copied reports whether the state is a copy, or was restored from a backup: another stack may use what it grants. It
// does so in each run until [Journal.Settle].
func (j *Journal) Copied() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.live[copiedKey] != nil
}

// Settle makes the state an original again. It is called when nothing is left in it that only one stack may use.
func (j *Journal) Settle() error {
	j.append(map[string][]byte{copiedKey: nil})
	return j.sync()
}

// Storage is where a component keeps its state for the next run. A [Part] is one.
type Storage interface {
	// Load returns what was appended before.
	Load() map[string][]byte
	// Append adds changes, all of them or none; nil deletes.
	Append(changes map[string][]byte)
	// Sync returns when all that was appended is durable. Its error is final.
	Sync() error
}

// A Part is the state of one component.
type Part struct {
	journal *Journal
	prefix  string
}

// Part returns the component's part of the state. A component that has a name of its own needs no other key prefix.
func (j *Journal) Part(name string) *Part { return &Part{j, name + "/"} }

// Load returns the part's values. They must not be changed.
func (p *Part) Load() map[string][]byte {
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	values := map[string][]byte{}
	for key, value := range p.journal.live {
		if name, ok := strings.CutPrefix(key, p.prefix); ok {
			values[name] = value
		}
	}
	return values
}

// Append adds changes, all of which survive a crash or none; nil deletes. It does not wait. A component calls it under
// its own lock, so that its changes have the order in which they happened. The values must not be changed afterwards.
func (p *Part) Append(changes map[string][]byte) {
	named := make(map[string][]byte, len(changes))
	for name, value := range changes {
		named[p.prefix+name] = value
	}
	p.journal.append(named)
}

// Sync returns when everything that was appended before, to any part, is on disk. An error is final: no later Sync succeeds.
func (p *Part) Sync() error { return p.journal.sync() }

func (j *Journal) append(changes map[string][]byte) {
	if len(changes) == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, value := range changes {
		j.apply(key, value)
		j.pending = appendEntry(j.pending, key, value)
	}
	j.appended++
}

// sync makes one of its callers write for all who wait.
func (j *Journal) sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for wanted := j.appended; j.durable < wanted && j.err == nil; {
		if j.writing {
			j.turn.Wait()
			continue
		}
		j.write(j.step())
	}
	return j.err
}

// step returns how to bring all that was appended to the disk: as a frame more, or as a file without what is dead.
func (j *Journal) step() func() error {
	entries := j.pending
	j.pending = nil
	if j.size > j.rewriteBytes && j.size > rewriteFactor*j.bytes {
		live := maps.Clone(j.live)
		return func() error { return j.rewrite(live) }
	}
	return func() error { return j.extend(entries) }
}

// write does a step without the lock.
func (j *Journal) write(step func() error) {
	until := j.appended
	j.writing = true
	j.mu.Unlock()
	err := step()
	j.mu.Lock()
	j.writing = false
	if err == nil {
		j.durable = until
	} else if j.err == nil {
		j.err = fmt.Errorf("journal: the state cannot be saved: %w", err)
		close(j.failed)
	}
	j.turn.Broadcast()
}

func (j *Journal) extend(entries []byte) error {
	n, err := j.file.Write(frame(entries))
	j.size += n
	if err != nil {
		return err
	}
	return j.file.Sync()
}

// Failed is closed when a Sync has failed. [Journal.Err] has the reason.
func (j *Journal) Failed() <-chan struct{} { return j.failed }

// Err returns why Sync fails, or nil.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Close saves everything, rewrites the file and unlocks the directory. It returns why the state could not be saved.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.writing {
		j.turn.Wait()
	}
	if j.closed {
		return nil
	}
	j.closed = true
	if j.err == nil {
		live := maps.Clone(j.live)
		j.pending = nil
		j.write(func() error { return j.rewrite(live) })
	}
	err := j.err
	if j.err == nil {
		j.err = ErrClosed
	}
	return errors.Join(err, j.file.Close(), j.dir.Unlock())
}
