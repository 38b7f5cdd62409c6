package simulation

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/invariants"
	"procore-connect/internal/platform/dynamo"
)

// An actor's goroutines wait at once for operations on several items. The schedule repeats, because the operations' names
// order them, and both kinds of tables name them alike.
func TestGoroutines(t *testing.T) {
	t.Parallel()
	all := explorationOf(Scenario{Name: "goroutines", Setup: func(w *World) {
		w.Actor(w.Process(0), Step{"writes", func(ctx context.Context, _ *Actor) {
			var wg sync.WaitGroup
			for n := range 8 {
				wg.Go(func() {
					name := strconv.Itoa(n)
					err := stored(ctx, w, new(dynamo.Expression).Increment("n").Update(table, keyOf(name)))
					w.Note("  %s: %t", name, err == nil)
				})
			}
			wg.Wait()
		}})
		w.Judge = func(context.Context) { w.Note("%d items in the end", len(w.Tables.Items(table))) }
	}})
	all.Seeds = 50
	all.Repeats(t)
	if trace := all.schedule(t, quickClient(), all.Scenarios[0], guess(1), true).Trace(); !strings.Contains(trace, "UpdateItem connections company=3 principal=p") {
		t.Errorf("the trace names no item:\n%s", trace)
	}
}

// A world learns of each write and of each deletion, in their order.
func TestWritesAndDeletions(t *testing.T) {
	t.Parallel()
	s := Scenario{Name: "deletion", Setup: func(w *World) {
		var got []string
		w.Tables.OnWrite = func(_, _ string, i invariants.Item) { got = append(got, "write "+*i["company"].S) }
		w.Tables.OnDelete = func(_ string, i invariants.Item) { got = append(got, "delete "+*i["company"].S) }
		w.Judge = func(ctx context.Context) {
			w.Tables.Put(table, keyOf("1"))
			for range 2 { // the second one deletes nothing
				in := &dynamodb.DeleteItemInput{TableName: aws.String(table), Key: keyOf("1")}
				if _, err := w.Tables.Client().DeleteItem(ctx, in); err != nil {
					t.Error(err)
				}
			}
			w.Tables.Put(table, keyOf("1"))
			if want := []string{"write 1", "delete 1", "write 1"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}}
	if got, ok := found(t, explorationOf(s), s, 1); ok {
		t.Error(got)
	}
}

// A pump reads the changes as Lambda passes them, and the tables can be restored and expire.
func TestStream(t *testing.T) {
	t.Parallel()
	s := Scenario{Name: "stream", Setup: func(w *World) {
		put := func(name string, n int64) {
			w.Tables.Put(table, dynamo.Item{"company": dynamo.Text(name), "principal": dynamo.Text("p"), "n": dynamo.Number(n), "ttl": dynamo.Seconds(w.Now().Add(time.Hour))})
		}
		w.Judge = func(ctx context.Context) {
			put("1", 1)
			backup := w.Tables.Snapshot(table)
			put("1", 2)
			var in events.DynamoDBEvent
			if err := json.Unmarshal(StreamEvent(table, w.Tables.Changes(table, 1, 10)), &in); err != nil || len(in.Records) != 1 {
				t.Fatalf("got %v, %v", in, err)
			}
			r := in.Records[0]
			if c := r.Change; r.EventName != "MODIFY" || c.Keys["company"].String() != "1" || c.OldImage["n"].Number() != "1" || c.NewImage["n"].Number() != "2" ||
				c.SequenceNumber != SequenceNumber(2) || c.ApproximateCreationDateTime.Unix() != w.Now().Unix() {
				t.Errorf("got %+v", r)
			}
			w.Tables.Trim(table, 2)
			if got := w.Tables.Changes(table, 0, 10); len(got) != 0 {
				t.Errorf("%d changes after Trim", len(got))
			}
			w.Tables.Restore(backup)
			if w.number("1") != 1 {
				t.Errorf("%d after Restore", w.number("1"))
			}
			ttl := &dynamodb.UpdateTimeToLiveInput{TableName: aws.String(table), TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)}}
			if _, err := w.Tables.Client().UpdateTimeToLive(ctx, ttl); err != nil {
				t.Error(err)
			}
			if a, b := w.Tables.Expire(w.Now()), w.Tables.Expire(w.Now().Add(2*time.Hour)); a != 0 || b != 1 || len(w.Tables.Items(table)) != 0 {
				t.Errorf("%d and %d expired", a, b)
			}
		}
	}}
	if got, ok := found(t, explorationOf(s), s, 1); ok {
		t.Error(got)
	}
}
