package dynamotest

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// feedLength is how many of a table's records are kept.
const feedLength = 10_000

// ErrTrimmed is what Feed returns to a reader that fell behind: records after its position are no longer kept. It
// can only begin again, at 0, with what is left.
var ErrTrimmed = errors.New("dynamotest: feed: records after this position are no longer kept")

// ErrNoFeed is what Feed returns for a table that does not exist, or was deleted, or has no stream.
var ErrNoFeed = errors.New("dynamotest: feed: no such table, or it has no stream")

// A Record is one change of one item, as a DynamoDB stream tells it. A write that changes nothing has no record.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
type Record struct {
	Sequence  uint64 // grows with every change; the position of a reader
	Event     string // INSERT, MODIFY or REMOVE
	Keys      map[string]types.AttributeValue
	NewImage  map[string]types.AttributeValue // nil after REMOVE, or when the table's StreamViewType leaves it out
	OldImage  map[string]types.AttributeValue // nil after INSERT, or when the table's StreamViewType leaves it out
	ByService bool                            // removed by time to live, not by a request
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
	if after > 0 && after < t.feed.trimmed {
		return nil, nil, ErrTrimmed
	}
	first, _ := slices.BinarySearchFunc(t.feed.records, after+1, func(r Record, sequence uint64) int {
		return int(r.Sequence) - int(sequence)
	})
	return slices.Clone(t.feed.records[first:]), t.feed.changed, nil
}

// add notes a change. A nil feed is that of a table without a stream.
func (f *feed) add(s *Server, key, old, updated item, byService bool) {
	if f == nil || (value{m: old}).equal(value{m: updated}) {
		return
	}
	s.sequence++
	r := Record{Sequence: s.sequence, Event: "MODIFY", Keys: key.sdk(), ByService: byService}
	switch {
	case old == nil:
		r.Event = "INSERT"
	case updated == nil:
		r.Event = "REMOVE"
	}
	if f.view == "NEW_IMAGE" || f.view == "NEW_AND_OLD_IMAGES" {
		r.NewImage = updated.sdk()
	}
	if f.view == "OLD_IMAGE" || f.view == "NEW_AND_OLD_IMAGES" {
		r.OldImage = old.sdk()
	}
	if len(f.records) == feedLength {
		f.trimmed = f.records[0].Sequence
		f.records = slices.Delete(f.records, 0, 1)
	}
	f.records = append(f.records, r)
	f.wake()
}

func (f *feed) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// close wakes the readers of a table that was deleted.
func (f *feed) close() {
	if f != nil {
		f.wake()
	}
}

func (i item) sdk() map[string]types.AttributeValue {
	if i == nil {
		return nil
	}
	m := make(map[string]types.AttributeValue, len(i))
	for name, v := range i {
		m[name] = v.sdk()
	}
	return m
}

func (v value) sdk() types.AttributeValue {
	switch v.kind {
	case "S":
		return &types.AttributeValueMemberS{Value: v.text}
	case "N":
		return &types.AttributeValueMemberN{Value: v.text}
	case "B":
		return &types.AttributeValueMemberB{Value: []byte(v.text)}
	case "BOOL":
		return &types.AttributeValueMemberBOOL{Value: v.flag}
	case "SS":
		return &types.AttributeValueMemberSS{Value: slices.Clone(v.set)}
	case "NS":
		return &types.AttributeValueMemberNS{Value: slices.Clone(v.set)}
	case "BS":
		set := make([][]byte, len(v.set))
		for n, s := range v.set {
			set[n] = []byte(s)
		}
		return &types.AttributeValueMemberBS{Value: set}
	case "L":
		list := make([]types.AttributeValue, len(v.list))
		for n, e := range v.list {
			list[n] = e.sdk()
		}
		return &types.AttributeValueMemberL{Value: list}
	case "M":
		return &types.AttributeValueMemberM{Value: v.m.sdk()}
	}
	return &types.AttributeValueMemberNULL{Value: v.flag}
}
