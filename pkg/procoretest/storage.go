package procoretest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Storage keeps a [Server]'s state, so that the next server goes on where it ended:
// Options.Storage. The values contain the fake's tokens, authorization codes and the
// headers of its hooks as they are. A file with them should be readable by its owner
// alone (mode 0600), although none of them opens anything but a fake.
//
// Calls, the log of tokens, the windows of the rate limits, and what the quirks have met are
// not kept.
type Storage interface {
	// Load returns what the last server left, or nothing.
	Load() map[string][]byte
	// Append stores the changes, all or none, after those of earlier calls. A nil value
	// deletes its key. The server calls it under its lock, so it does not wait for a disk.
	Append(changes map[string][]byte)
	// Sync returns when all that was appended is durable. No answer leaves the server
	// before. After an error the server answers every request 500, until its end.
	Sync() error
}

// recorder is a mutex that appends to the storage, as it is unlocked, what was changed
// under it.
type recorder struct {
	sync.Mutex
	storage Storage               // nil: nothing is kept
	marked  map[string]func() any // by key, the value as it is at the unlock; nil: deleted
	failed  error                 // the first failure, after which nothing is durable
	changed chan struct{}         // closed at the next Unlock; nil: no one waits for it
}

// nextUnlock returns a channel that the next Unlock closes. The caller holds the lock.
func (r *recorder) nextUnlock() <-chan struct{} {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// mark makes Unlock store a value. It and forget are called wherever something changes that
// is kept; TestKept finds a place that lacks the call.
func (r *recorder) mark(key string, value func() any) {
	if r.storage != nil {
		r.marked[key] = value
	}
}

// forget makes Unlock delete a value.
func (r *recorder) forget(key string) { r.mark(key, nil) }

// Unlock appends the marked values, wakes those who wait for a change, and unlocks.
func (r *recorder) Unlock() {
	defer r.Mutex.Unlock()
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	if len(r.marked) == 0 {
		return
	}
	if changes := r.changes(); r.failed == nil {
		r.storage.Append(changes)
	}
}

// changes returns the marked values as they are stored, and unmarks them.
func (r *recorder) changes() map[string][]byte {
	changes := make(map[string][]byte, len(r.marked))
	for key, value := range r.marked {
		changes[key] = nil
		if value == nil {
			continue
		}
		b, err := json.Marshal(value())
		if err != nil {
			r.fail(fmt.Errorf("%s: %w", key, err)) // a time that JSON cannot write
			break
		}
		changes[key] = b
	}
	clear(r.marked)
	return changes
}

// fail remembers the first failure. The caller holds the lock.
func (r *recorder) fail(err error) {
	if r.failed == nil {
		r.failed = fmt.Errorf("the fake Procore could not store its state, and answers nothing until it is started again: %w", err)
	}
}

// sync waits until all changes are durable. The caller does not hold the lock.
func (r *recorder) sync() error {
	if r.storage == nil {
		return nil
	}
	err := r.storage.Sync()
	r.Lock()
	defer r.Unlock()
	if err != nil {
		r.fail(err)
	}
	return r.failed
}

// synced is a deferred sync of a method that changes something. Its error replaces none.
func (r *recorder) synced(err *error) {
	if failed := r.sync(); *err == nil {
		*err = failed
	}
}

// storedFormat is raised when a server cannot read what an earlier one stored.
const storedFormat = 1

// numbered is the key of a value with a number. Keys are in the order of the numbers.
func numbered(kind string, n int64) string {
	const zeros = "0000000000000000000" // as many as an int64 has digits
	digits := strconv.FormatInt(n, 10)
	return kind + "/" + zeros[len(digits):] + digits
}

// loading is a server as it is loaded.
type loading struct {
	*Server
	hook  map[int64]*hook
	event map[int64]*queued
}

// loaders has what is kept, by the first part of its key, in the order of loading.
func loaders() []loader {
	return []loader{
		{"format", all((*loading).checkFormat)},
		{"options", all((*loading).loadOptions)},
		{"counters", all((*loading).loadCounters)},
		{"user", all((*loading).loadUsers)},
		{"company", all((*loading).loadCompanies)},
		{"listed", all((*loading).loadOrder)},
		{"resource", all((*loading).loadResources)},
		{"pair", all((*loading).loadPairs)},
		{"presented", all((*loading).loadPresented)},
		{"code", all((*loading).loadCodes)},
		{"hook", all((*loading).loadHooks)},
		{"trigger", all((*loading).loadTriggers)},
		{"event", all((*loading).loadEvents)},
		{"delivery", all((*loading).loadDeliveries)},
		{"report", all((*loading).loadReports)},
		{"lost", all((*loading).loadLost)},
		{"faults", all((*loading).loadFaults)},
		{"answers", all((*loading).loadAnswers)},
	}
}

type loader struct {
	kind string
	load func(*loading, [][]byte) error
}

// all is a loader of values of one type.
func all[T any](load func(*loading, []T) error) func(*loading, [][]byte) error {
	return func(l *loading, values [][]byte) error {
		records := make([]T, len(values))
		for i, b := range values {
			if err := json.Unmarshal(b, &records[i]); err != nil {
				return err
			}
		}
		return load(l, records)
	}
}

func (*loading) checkFormat(formats []int) error {
	if len(formats) != 1 || formats[0] != storedFormat {
		return fmt.Errorf("its format is %v, and this version reads [%d]", formats, storedFormat)
	}
	return nil
}

// restore loads the state of the last server, or seeds the world if there is none.
func (s *Server) restore() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept map[string][]byte
	if s.mu.storage != nil {
		kept = s.mu.storage.Load()
	}
	if len(kept) == 0 {
		s.mu.mark("format", func() any { return storedFormat })
		s.seed()
		return nil
	}
	values := map[string][][]byte{}
	for _, key := range slices.Sorted(maps.Keys(kept)) {
		kind, _, _ := strings.Cut(key, "/")
		values[kind] = append(values[kind], kept[key])
	}
	l := &loading{s, map[int64]*hook{}, map[int64]*queued{}}
	for _, of := range loaders() {
		if err := of.load(l, values[of.kind]); err != nil {
			return fmt.Errorf("the stored state of the fake Procore cannot be read: %s: %w; start with an empty storage", of.kind, err)
		}
	}
	return nil
}
