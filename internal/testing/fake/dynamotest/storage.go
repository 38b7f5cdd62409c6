package dynamotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"procore-connect/internal/testing/fake/journal"
)

// Open returns a server with the state that the storage has: tables, items and the records of streams. Client tokens of
// transactions are not kept, because a caller that could repeat a transaction has ended too. No answer leaves the server before everything that it may
// rest on is durable. Without that, each answer is InternalServerError.
func Open(storage journal.Storage) (*Server, error) {
	s := New()
	if err := s.load(storage.Load()); err != nil {
		return nil, err
	}
	s.storage, s.changes = storage, map[string][]byte{}
	return s, nil
}

// Keys of the storage. What is after the prefix begins with the table's name.
const (
	tablePrefix  = "table/"
	itemPrefix   = "item/"
	recordPrefix = "record/"
)

// storedTable is a table without its content.
type storedTable struct {
	createTable
	TTL       string `json:",omitempty"`
	Recovery  bool   `json:",omitempty"` // point-in-time recovery; the history begins again with each server
	Protected bool   `json:",omitempty"` // from deletion

	Restored *restoreSummary `json:",omitempty"`
}

// saveTable saves the table without its content.
func (t *table) saveTable() {
	d := t.description
	t.server.save(t.storageKey(), storedTable{d.createTable, t.ttl, t.recovery != nil, d.DeletionProtectionEnabled, d.RestoreSummary})
}

func (t *table) storageKey() string { return tablePrefix + t.description.TableName }

// checkStored refuses to create a table that is stored with another definition: its items would be in other indexes.
func (t *table) checkStored(in createTable) {
	stored, _ := json.Marshal(t.description.createTable) // definitions always marshal
	given, _ := json.Marshal(in)
	if t.server.storage != nil && !bytes.Equal(stored, given) {
		refuse("dynamotest: the table %s is stored with another definition than the present one: start over with an empty "+
			"storage (make run: -fresh)", in.TableName)
	}
}

// itemKey returns the item's key of the storage. The length keeps partition and sort key apart.
func (t *table) itemKey(i item) string {
	x := t.primary()
	hash := i[x.names[0]].text
	key := itemPrefix + t.description.TableName + "/" + strconv.Itoa(len(hash)) + "/" + hash
	if x.parts > 1 {
		key += i[x.names[1]].text
	}
	return key
}

// save notes a value for the storage, if there is one. A nil value deletes. The caller has the lock.
func (s *Server) save(key string, value any) {
	if s.storage == nil {
		return
	}
	s.changes[key] = nil
	if value != nil {
		s.changes[key], _ = json.Marshal(value) // tables, items and records always marshal
	}
}

// saved appends what an operation changed. The caller has the lock.
func (s *Server) saved() {
	if len(s.changes) > 0 {
		s.storage.Append(s.changes)
		s.changes = map[string][]byte{}
	}
}

// sync waits until everything that the caller saw is durable. The caller does not have the lock.
func (s *Server) sync() error {
	if s.storage == nil {
		return nil
	}
	return s.storage.Sync()
}

// saveRecord saves a record of the feed. nil deletes it.
func (t *table) saveRecord(sequence uint64, record any) {
	if t.server.storage != nil {
		t.server.save(fmt.Sprintf("%s%s/%020d", recordPrefix, t.description.TableName, sequence), record)
	}
}

// saveChange saves one change of an item.
func (t *table) saveChange(old, updated item) {
	switch {
	case t.server.storage == nil:
	case updated != nil:
		t.server.save(t.itemKey(updated), updated)
	case old != nil:
		t.server.save(t.itemKey(old), nil)
	}
}

// load fills an empty server.
func (s *Server) load(values map[string][]byte) error {
	tables := map[string]storedTable{}
	if err := each(values, tablePrefix, func(name string, t storedTable) { tables[name] = t }); err != nil {
		return err
	}
	for name, stored := range tables {
		if failure := attempt(func() { s.createTable(stored.createTable) }); failure != nil {
			return fmt.Errorf("dynamotest: table %s: %s", name, failure.Message)
		}
		t := s.tables[name]
		t.ttl, t.description.DeletionProtectionEnabled, t.description.RestoreSummary = stored.TTL, stored.Protected, stored.Restored
		if stored.Recovery {
			t.recovery = &history{since: s.Now()}
		}
		if stored.Restored != nil {
			stored.Restored.RestoreInProgress = false
		}
	}
	err := each(values, itemPrefix, func(key string, i item) {
		if t := s.tables[tableOf(key)]; t != nil {
			t.index(nil, i)
		}
	})
	if err != nil {
		return err
	}
	return each(values, recordPrefix, func(key string, r Record) {
		if t := s.tables[tableOf(key)]; t != nil && t.feed != nil {
			t.feed.changes = append(t.feed.changes, r.change())
			t.feed.trimmed = t.feed.changes[0].Sequence - 1
		}
	})
}

func tableOf(key string) string {
	name, _, _ := strings.Cut(key, "/")
	return name
}

// each passes the values of a kind to f, in the order of their keys.
func each[V any](values map[string][]byte, prefix string, f func(key string, value V)) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		var v V
		err := error(nil)
		if failure := attempt(func() { err = json.Unmarshal(values[key], &v) }); failure != nil || err != nil {
			return fmt.Errorf("dynamotest: the stored %s cannot be read", key)
		}
		f(name, v)
	}
	return nil
}
