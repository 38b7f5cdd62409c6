package dynamotest

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// feedLength is how many records of a table are kept, unless [Server.FeedLength] is set.
const feedLength = 10_000

// ErrTrimmed is the error of Feed for a reader that fell behind: records after its position are no longer kept. It can
// only begin again at 0, with the records that are left. Package streamtest answers with the service's own error.
var ErrTrimmed = errors.New("dynamotest: feed: records after this position are no longer kept")

// ErrNoFeed is the error of Feed for a table that does not exist, was deleted or has no stream. Package streamtest answers
// with the service's own error.
var ErrNoFeed = errors.New("dynamotest: feed: no such table, or it has no stream")

// A Record is one change of one item, as a DynamoDB stream reports it. A write that changes nothing has no record. Keys
// and images are JSON as in the stream: {"envelope":{"S":"..."}}.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
type Record struct {
	Sequence uint64 // grows with every change; the position of a reader
	Event    string // INSERT, MODIFY or REMOVE
	Keys     json.RawMessage
	NewImage json.RawMessage `json:",omitempty"` // nil after REMOVE
	OldImage json.RawMessage `json:",omitempty"` // nil after INSERT, and in a stream without old images
	At       time.Time
}

// A Change is a Record whose keys and images are the SDK's values. Every call makes new ones.
type Change struct {
	Sequence uint64
	Event    string
	At       time.Time

	keys, updated, old item
}

// Keys returns the item's key.
func (c Change) Keys() map[string]types.AttributeValue { return typedItem(c.keys) }

// NewImage returns the item after the change, nil after REMOVE.
func (c Change) NewImage() map[string]types.AttributeValue { return typedItem(c.updated) }

// OldImage returns the item before the change, nil after INSERT, and in a stream without old images.
func (c Change) OldImage() map[string]types.AttributeValue { return typedItem(c.old) }

// Record returns the change with its keys and images as JSON.
func (c Change) Record() Record {
	return Record{c.Sequence, c.Event, c.keys.json(), c.updated.json(), c.old.json(), c.At}
}

// change is the reverse of Change.Record.
func (r Record) change() Change {
	c := Change{Sequence: r.Sequence, Event: r.Event, At: r.At}
	for text, i := range map[*json.RawMessage]*item{&r.Keys: &c.keys, &r.NewImage: &c.updated, &r.OldImage: &c.old} {
		if *text != nil {
			_ = json.Unmarshal(*text, i) // it was written by Change.Record
		}
	}
	return c
}

// A feed numbers the changes of a table from 1.
type feed struct {
	table   *table
	old     bool // records have the old image
	length  int
	changes []Change
	records map[uint64]Record // of the changes, by Sequence; they are made when they are first read
	trimmed uint64            // how many changes are no longer kept
	changed chan struct{}     // closed at the next change; nil: no one waits for it
}

// Feed returns the table's records with a Sequence above after, oldest first. It waits until there is one, or until
// the context ends. A reader begins with 0 and passes the Sequence of the last record it has handled.
func (s *Server) Feed(ctx context.Context, table string, after uint64) ([]Record, error) {
	for {
		s.mu.Lock()
		records, changed, err := s.tables[table].records(after)
		s.mu.Unlock()
		if err == nil {
			err = s.sync()
		}
		if err != nil || len(records) > 0 {
			return records, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Changes returns at most so many of the table's changes with a Sequence above after, oldest first. It does not wait.
func (s *Server) Changes(table string, after uint64, most int) ([]Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, err := s.tables[table].position(after)
	if err != nil {
		return nil, err
	}
	all := s.tables[table].feed.changes[first:]
	return append([]Change(nil), all[:min(most, len(all))]...), nil
}

// Changed returns a channel that is closed at the table's next change.
func (s *Server) Changed(table string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tables[table].feed.awaited()
}

// Trim forgets the table's changes up to a Sequence.
func (s *Server) Trim(table string, through uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, err := s.tables[table].position(through); err == nil {
		f := s.tables[table].feed
		f.forget(len(f.changes) - first)
		s.saved()
	}
}

// position returns where in the feed the first change is whose Sequence is above after.
func (t *table) position(after uint64) (int, error) {
	if t == nil || t.feed == nil {
		return 0, ErrNoFeed
	}
	if after > 0 && after < t.feed.trimmed {
		return 0, ErrTrimmed
	}
	return int(min(max(after, t.feed.trimmed)-t.feed.trimmed, uint64(len(t.feed.changes)))), nil
}

func (t *table) records(after uint64) ([]Record, <-chan struct{}, error) {
	first, err := t.position(after)
	if err != nil {
		return nil, nil, err
	}
	f := t.feed
	out := make([]Record, len(f.changes)-first)
	for n, c := range f.changes[first:] {
		r, ok := f.records[c.Sequence]
		if !ok {
			r = c.Record()
			f.records[c.Sequence] = r
		}
		out[n] = r
	}
	return out, f.awaited(), nil
}

// add adds a change. A table without a stream has a nil feed.
func (f *feed) add(old, updated item) {
	if f == nil || (old == nil) == (updated == nil) && old.equal(updated) {
		return
	}
	c := Change{Event: "MODIFY", updated: updated, At: f.table.server.Now()}
	switch {
	case old == nil:
		c.Event, c.keys = "INSERT", updated
	case updated == nil:
		c.Event, c.keys = "REMOVE", old
	default:
		c.keys = updated
	}
	c.keys = c.keys.only(f.table.primary().names)
	if f.old {
		c.old = old
	}
	f.forget(f.length - 1)
	c.Sequence = f.trimmed + uint64(len(f.changes)) + 1
	f.changes = append(f.changes, c)
	if f.table.server.storage != nil {
		f.table.saveRecord(c.Sequence, c.Record())
	}
	f.wake()
}

// forget drops the oldest changes until at most n are left.
func (f *feed) forget(n int) {
	for f != nil && len(f.changes) > n {
		f.trimmed++
		f.table.saveRecord(f.trimmed, nil)
		delete(f.records, f.trimmed)
		f.changes[0] = Change{} // its images are free although the array is not
		f.changes = f.changes[1:]
	}
}

// awaited returns what the next change closes.
func (f *feed) awaited() <-chan struct{} {
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// wake makes the readers read again.
func (f *feed) wake() {
	if f != nil && f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}
