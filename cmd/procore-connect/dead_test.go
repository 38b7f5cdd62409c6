package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/pkg/procore"
)

// dies lets the consumer fail on an event as often as the queue delivers it.
func (w *world) dies(company int64, n int, resource string) {
	w.t.Helper()
	e := procore.Event{ID: fmt.Sprintf("01JB00000000000000000000%02d", n), CompanyID: company, Resource: "RFIs", ResourceID: procore.ID(resource), Type: "update"}
	body, err := procore.EncodeEvent(e)
	if err != nil {
		w.t.Fatal(err)
	}
	q := w.queue("events.fifo")
	if _, _, err := q.Send(awstest.Message{Body: string(body), Group: "g" + resource, Dedup: e.ID}); err != nil {
		w.t.Fatal(err)
	}
	for range 6 {
		got, err := q.Receive(w.t.Context(), 10, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range got {
			if err := q.ChangeVisibility(m.Receipt, 0); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// drops puts a position into a queue, as Lambda does.
func (w *world) drops(queue string, from, to time.Time, changes int) {
	w.t.Helper()
	body := fmt.Sprintf(`{"version":"1.0","DDBStreamBatchInfo":{"batchSize":%d,"approximateArrivalOfFirstRecord":%q,"approximateArrivalOfLastRecord":%q}}`,
		changes, from.Format(time.RFC3339), to.Format(time.RFC3339))
	if _, _, err := w.queue(queue).Send(awstest.Message{Body: body}); err != nil {
		w.t.Fatal(err)
	}
}

// Dead letters are shown with what to type, moved back in order, and deleted one at a time.
func TestDead(t *testing.T) {
	t.Parallel()
	w := busy(t)
	wants(t, w, "dead-none", "dead", "list")
	wants(t, w, "dead-redrive-none", "dead", "redrive", "--yes")
	start := w.Clock.Now()
	w.dies(5678, 5, "5")
	w.Clock.Advance(time.Minute)
	w.dies(5678, 6, "6")
	w.dies(5678, 7, "5")
	w.Clock.Advance(time.Hour)
	w.drops("dispatch-dead", start.Add(-26*time.Hour), start.Add(-22*time.Hour), 1234)
	w.drops("announce-dead", start.Add(-23*time.Hour), start.Add(-23*time.Hour), 1)
	w.Clock.Advance(time.Minute)
	w.ids = w.messages("events-dead.fifo", "dispatch-dead", "announce-dead")
	wants(t, w, "dead-list", "dead", "list")
	wants(t, w, "dead-json", "dead", "list", "--json")
	wants(t, w, "dead-purge-event", "dead", "purge", w.ids[0], "--yes")
	wants(t, w, "dead-purge-unasked", "dead", "purge", w.ids[3])
	wants(t, w, "dead-purge", "dead", "purge", w.ids[3], "--yes")
	wants(t, w, "dead-redrive-unasked", "dead", "redrive")
	w.aws.Queues.MoveStep = 2
	wants(t, w, "dead-redrive", "dead", "redrive", "--yes")
	for _, want := range []string{"05", "06", "07"} {
		got, err := w.queue("events.fifo").Receive(t.Context(), 1, 0)
		if err != nil || len(got) != 1 || !strings.Contains(got[0].Body, `"01JB00000000000000000000`+want+`"`) {
			t.Fatalf("got %v, %v, want event %s", got, err, want)
		}
		if err := w.queue("events.fifo").Delete(got[0].Receipt); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, w, "dead-purge-announcer", "dead", "purge", w.ids[4], "--yes")
	wants(t, w, "dead-over", "dead", "list")
}

// messages returns the ids of the messages of queues, in order. wants writes them as message-1 and so on.
func (w *world) messages(queues ...string) (ids []string) {
	w.t.Helper()
	for _, name := range queues {
		got, err := w.queue(name).Receive(w.t.Context(), 10, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range got {
			ids = append(ids, m.ID)
			if err := w.queue(name).ChangeVisibility(m.Receipt, 0); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return ids
}
