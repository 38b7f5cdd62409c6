package dynamotest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sort"
)

// feedLength is how many of a table's records are kept.
const feedLength = 10_000

// ErrTrimmed is what Feed returns to a reader that fell behind: records after its position are no longer kept. It
// can only begin again, at 0, with what is left.
var ErrTrimmed = errors.New("dynamotest: feed: records after this position are no longer kept")

// ErrNoFeed is what Feed returns for a table that does not exist, or was deleted, or has no stream.
var ErrNoFeed = errors.New("dynamotest: feed: no such table, or it has no stream")

// A Record is one change of one item, as a DynamoDB stream tells it. A write that changes nothing has no record. Keys
// and images are JSON as the stream has it: {"envelope":{"S":"..."}}.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
type Record struct {
	Sequence  uint64 // grows with every change; the position of a reader
	Event     string // INSERT, MODIFY or REMOVE
	Keys      json.RawMessage
	NewImage  json.RawMessage // nil after REMOVE, or when the table's StreamViewType leaves it out
	OldImage  json.RawMessage // nil after INSERT, or when the table's StreamViewType leaves it out
	ByService bool            // removed by time to live, not by a request
}

type feed struct {
	view    string
	records []Record
	trimmed uint64        // sequence of the youngest record that is gone
	changed chan struct{} // closed and replaced at each change
}

func newFeed(view string) *feed { return &feed{view: view, changed: make(chan struct{})} }

// Feed returns the table's records with a Sequence above after, oldest first. It waits until there is one, or until
// the context ends. A reader begins with 0 and passes the Sequence of the last record it has handled.
func (s *Server) Feed(ctx context.Context, table string, after uint64) ([]Record, error) {
	for {
		records, changed, err := s.records(table, after)
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

func (s *Server) records(table string, after uint64) ([]Record, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[table]
	if t == nil || t.feed == nil {
		return nil, nil, ErrNoFeed
	}
	f := t.feed
	if after > 0 && after < f.trimmed {
		return nil, nil, ErrTrimmed
	}
	first := sort.Search(len(f.records), func(n int) bool { return f.records[n].Sequence > after })
	return slices.Clone(f.records[first:]), f.changed, nil
}

// add notes a change. A nil feed is that of a table without a stream.
func (f *feed) add(s *Server, key, old, updated item, byService bool) {
	if f == nil || (value{m: old}).equal(value{m: updated}) {
		return
	}
	s.sequence++
	r := Record{Sequence: s.sequence, Event: "MODIFY", Keys: key.json(), ByService: byService}
	if old == nil {
		r.Event = "INSERT"
	}
	if updated == nil {
		r.Event = "REMOVE"
	}
	if f.view == "NEW_IMAGE" || f.view == "NEW_AND_OLD_IMAGES" {
		r.NewImage = updated.json()
	}
	if f.view == "OLD_IMAGE" || f.view == "NEW_AND_OLD_IMAGES" {
		r.OldImage = old.json()
	}
	if len(f.records) == feedLength {
		f.trimmed = f.records[0].Sequence
		f.records = slices.Delete(f.records, 0, 1)
	}
	f.records = append(f.records, r)
	f.wake()
}

// wake lets the readers look again.
func (f *feed) wake() {
	if f != nil {
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

func (i item) json() json.RawMessage {
	if i == nil {
		return nil
	}
	text, _ := json.Marshal(i) // strings, numbers and their collections always marshal
	return text
}
