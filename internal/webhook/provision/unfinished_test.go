package provision

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// Storage that fails in the middle moves no mark, and the next pass stores the
// rest.
func TestRecoveryWithoutStorage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	began, err := w.Row(t.Context(), company)
	if err != nil {
		t.Fatal(err)
	}
	ids := w.discard(40)
	n := 0
	w.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "PutItem" && strings.Contains(string(body), w.Tables.Inbox) {
			if n++; n > 15 {
				return dynamotest.Fault{Code: "InternalServerError"}
			}
		}
		return dynamotest.Fault{}
	})
	if result, err := w.Reconcile(t.Context(), company); err == nil || result.Recovered.Stored != 15 {
		t.Errorf("got %+v, %v", result, err)
	}
	w.wantStatus(connections.WebhooksActive, Retry, c)
	if row, err := w.Row(t.Context(), company); err != nil || !row.Recovery.HighWater.Equal(began.Recovery.HighWater) || row.Recovered != 15 {
		t.Errorf("got row %+v, %v, want the mark where it was", row, err)
	}
	w.Fault(nil)
	if got := w.reconcile(connections.WebhooksActive).Recovered; got.Stored != 25 || got.Duplicates != 15 {
		t.Errorf("got %+v, want the other 25", got)
	}
	w.wantInbox(ids)
}

// A list that cannot be read further keeps what was read, without moving the
// mark; one that may not be read at all leaves the hook standing.
func TestRecoveryWithoutProcore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	ids := w.discard(250)
	list := fmt.Sprintf("%s/%d/deliveries", hooksPath, w.hook().ID)
	for _, f := range []procoretest.Fault{
		{Endpoint: list, Kind: procoretest.Status, Status: 503},
		{Endpoint: list, Kind: procoretest.Status, Status: 429},
		{Endpoint: list, Kind: procoretest.Status, Status: 403},
	} {
		w.ProcoreFails(procoretest.Fault{Endpoint: list, Kind: procoretest.Delay})
		w.ProcoreFails(f)
		result, err := w.Reconcile(t.Context(), company)
		if limited := f.Status == 429; result.Status != connections.WebhooksActive || (err == nil) != limited || result.LimitedUntil.IsZero() == limited {
			t.Errorf("%d: got %+v, %v", f.Status, result, err)
		}
		if row, err := w.Row(t.Context(), company); err != nil || row.Recovery.Cursor.Since.IsZero() {
			t.Errorf("%d: got row %+v, %v, want an unfinished walk", f.Status, row, err)
		}
		if stored, _ := w.inbox(); len(stored) != 100 {
			t.Errorf("%d: %d events are stored, want those of the first page", f.Status, len(stored))
		}
		w.Procore.ClearFaults()
		w.row(func(r *Row) { r.Recovery.Cursor = recovery.Cursor{} })
	}
	w.reconcile(connections.WebhooksActive)
	w.wantInbox(ids)
	w.wantStatus(connections.WebhooksActive, Recheck, c)
}

// A list that is too slow for one pass is read in several: what was read is
// stored, and the next pass goes on there.
func TestRecoveryFromASlowList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	ids := w.discard(250)
	list := fmt.Sprintf("%s/%d/deliveries", hooksPath, w.hook().ID)
	w.ProcoreFails(procoretest.Fault{Endpoint: list, Kind: procoretest.Delay})
	w.ProcoreFails(procoretest.Fault{Endpoint: list, Kind: procoretest.Delay, DelayMS: 60_000, Times: 2})
	for _, want := range []int{100, 100} { // the second time nothing but the known page is read
		ctx, cancel := context.WithTimeout(t.Context(), closing+2*time.Second)
		result, err := w.Reconcile(ctx, company)
		cancel()
		if stored, _ := w.inbox(); len(stored) != want || result.Status != connections.WebhooksActive {
			t.Errorf("got %+v, %v, and %d events are stored, want %d", result, err, len(stored), want)
		}
		if row, err := w.Row(t.Context(), company); err != nil || row.Recovery.Cursor.Since.IsZero() {
			t.Errorf("got row %+v, %v, want an unfinished walk", row, err)
		}
		w.wantStatus(connections.WebhooksActive, Retry, c)
	}
	w.Procore.ClearFaults()
	w.reconcile(connections.WebhooksActive)
	w.wantInbox(ids)
	w.wantStatus(connections.WebhooksActive, Recheck, c)
}

// row changes the row past the keeper.
func (w *world) row(change func(*Row)) {
	w.t.Helper()
	l, err := w.take()
	if err != nil {
		w.t.Fatal(err)
	}
	change(&l.row)
	w.release(l)
}

// A hook from before there were rows, whose version is to change, when the
// process dies right after the change: the next pass knows that its triggers are
// the old version's.
func TestVersionChangeOfAnUnknownHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	h := w.otherHook(joe, procore.HookSpec{Namespace: "our-app", DestinationURL: localURL, PayloadVersion: "v2.0"})
	for _, want := range w.Want.Triggers {
		if _, err := w.client(c.Key).CreateTrigger(t.Context(), h.ID, procore.Trigger{Resource: want.Resource, EventType: want.EventType}); err != nil {
			t.Fatal(err)
		}
	}
	w.Want.PayloadVersion = "v4.0"
	w.ProcoreFails(procoretest.Fault{Endpoint: hooksPath, Method: "DELETE", Kind: procoretest.Reset})
	w.Fault(func(operation string, body []byte) dynamotest.Fault { // no more writes: not even the lease's end
		if w.Requests(fmt.Sprintf("PATCH %s/%s", hooksPath, h.ID)) > 0 {
			return functiontest.Down(operation, body)
		}
		return dynamotest.Fault{}
	})
	if result, err := w.Reconcile(t.Context(), company); err == nil {
		t.Errorf("got %+v, want an error", result)
	}
	w.Fault(nil)
	w.Procore.ClearFaults()
	w.Clock.Advance(leaseFor)
	w.reconcile(connections.WebhooksActive)
	if got := w.emit(); got != 1 || w.id() != h.ID {
		t.Errorf("%d hooks report a change, want hook %s", got, h.ID)
	}
}
