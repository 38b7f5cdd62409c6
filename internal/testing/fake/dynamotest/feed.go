package dynamotest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
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

// A feed numbers the records of a table from 1.
type feed struct {
	table   *table
	old     bool // records have the old image
	length  int
	records []Record
	trimmed uint64        // how many records are no longer kept
	changed chan struct{} // closed and replaced at each change
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

func (t *table) records(after uint64) ([]Record, <-chan struct{}, error) {
	if t == nil || t.feed == nil {
		return nil, nil, ErrNoFeed
	}
	if after > 0 && after < t.feed.trimmed {
		return nil, nil, ErrTrimmed
	}
	first := max(after, t.feed.trimmed) - t.feed.trimmed
	return slices.Clone(t.feed.records[min(first, uint64(len(t.feed.records))):]), t.feed.changed, nil
}

// add records a change. A table without a stream has a nil feed.
func (f *feed) add(keys []string, old, updated item) {
	if f == nil || (value{M: old}).equal(value{M: updated}) {
		return
	}
	r := Record{Event: "MODIFY", Keys: updated.only(keys).json(), NewImage: updated.json(), At: f.table.server.Now()}
	switch {
	case old == nil:
		r.Event = "INSERT"
	case updated == nil:
		r.Event, r.Keys, r.NewImage = "REMOVE", old.only(keys).json(), nil
	}
	if f.old && old != nil {
		r.OldImage = old.json()
	}
	f.forget(f.length - 1)
	r.Sequence = f.trimmed + uint64(len(f.records)) + 1
	f.records = append(f.records, r)
	f.table.saveRecord(r.Sequence, r)
	f.wake()
}

// forget drops the oldest records until at most n are left.
func (f *feed) forget(n int) {
	for f != nil && len(f.records) > n {
		f.trimmed++
		f.table.saveRecord(f.trimmed, nil)
		f.records[0] = Record{} // its images are free although the array is not
		f.records = f.records[1:]
	}
}

// wake makes the readers read again.
func (f *feed) wake() {
	if f != nil {
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

func (i item) json() json.RawMessage {
	text, _ := json.Marshal(i) // strings, numbers and their collections always marshal
	return text
}
