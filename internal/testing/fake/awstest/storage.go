package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"procore-connect/internal/testing/fake/journal"
)

// kept is the lock of a state, and what changed under it.
type kept struct {
	mu      sync.Mutex
	storage journal.Storage   // nil: the state ends with the process
	changes map[string][]byte // guarded by mu
}

// lock returns the unlocking function. It appends what was changed in between, as one change.
func (k *kept) lock() (unlock func()) {
	k.mu.Lock()
	return func() {
		if len(k.changes) > 0 {
			k.storage.Append(k.changes)
			k.changes = nil
		}
		k.mu.Unlock()
	}
}

// save notes a value. The caller has the lock.
func (k *kept) save(key string, value any) {
	if k.storage == nil {
		return
	}
	text, _ := json.Marshal(value) // structures of texts, numbers and times always marshal
	k.note(key, text)
}

// forget notes that a value is deleted. The caller has the lock.
func (k *kept) forget(key string) {
	if k.storage != nil {
		k.note(key, nil)
	}
}

func (k *kept) note(key string, text []byte) {
	if k.changes == nil {
		k.changes = map[string][]byte{}
	}
	k.changes[key] = text
}

// sync waits until everything that the caller saw or did is durable. The caller does not have the lock.
func (k *kept) sync() error {
	if k.storage == nil {
		return nil
	}
	return k.storage.Sync()
}

// each passes the values of a kind to f, in the order of their keys.
func each[V any](values map[string][]byte, prefix string, f func(name string, value V) error) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		var v V
		err := json.Unmarshal(values[key], &v)
		if err == nil {
			err = f(name, v)
		}
		if err != nil {
			return fmt.Errorf("awstest: the stored %s: %w", prefix, err) // without the key and the value, which may be secret
		}
	}
	return nil
}
