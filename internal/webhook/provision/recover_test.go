package provision

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// discard lets n things happen and Procore give up on them. It gives the ids.
func (w *world) discard(n int) (ids []string) {
	w.t.Helper()
	for i := range n {
		e, err := w.Procore.Emit(procoretest.Event{CompanyID: company, ProjectID: 2001, ResourceName: "RFIs", ResourceID: procore.NewID(int64(1 + i%7)), EventType: "update"})
		if err != nil || len(e.EventIDs) != 1 {
			w.t.Fatalf("emitted %+v, %v", e, err)
		}
		ids = append(ids, e.EventIDs...)
	}
	w.eventually(func(h procoretest.Hook) bool { return h.Paused })
	w.Clock.Advance(12*time.Hour + time.Second)
	w.eventually(func(h procoretest.Hook) bool { return h.Waiting == 0 })
	return ids
}

// inbox counts the stored events by id, and what was quarantined.
func (w *world) inbox() (stored map[string]int, quarantined int) {
	w.t.Helper()
	stored = map[string]int{}
	for p := dynamodb.NewScanPaginator(w.DB, &dynamodb.ScanInput{TableName: &w.Tables.Inbox}); p.HasMorePages(); {
		page, err := p.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, item := range page.Items {
			id, _ := item["event_id"].(*types.AttributeValueMemberS)
			switch {
			case item["envelope"] != nil:
				stored[id.Value]++
			case item["reason"] != nil:
				quarantined++
			}
		}
	}
	return stored, quarantined
}

func (w *world) wantInbox(ids []string) {
	w.t.Helper()
	stored, _ := w.inbox()
	for _, id := range ids {
		if stored[id] != 1 {
			w.t.Errorf("event %s is stored %d times, want once", id, stored[id])
		}
	}
	if len(stored) != len(ids) {
		w.t.Errorf("%d events are stored, want %d", len(stored), len(ids))
	}
}

// What Procore gave up on is found by the next pass, however its list is paged
// and whatever the payload version; once, and counted.
func TestRecovery(t *testing.T) {
	t.Parallel()
	for _, paging := range []procoretest.DeliveryOrder{procoretest.OldestFirst, procoretest.NewestFirst} {
		for _, version := range []string{"v2.0", "v3.0", "v4.0"} {
			t.Run(string(paging)+" "+version, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.options(procoretest.OptionsPatch{DeliveryOrder: &paging})
				w.Want.PayloadVersion = version
				c := w.connect(joe)
				w.reconcile(connections.WebhooksActive)
				ids := w.discard(230)
				if got := w.reconcile(connections.WebhooksActive).Recovered; got.Stored != 230 || got.Quarantined != 0 || got.More {
					t.Errorf("got %+v, want 230 stored", got)
				}
				w.wantInbox(ids)
				w.wantStatus(connections.WebhooksActive, Recheck, c)
				ids = append(ids, w.discard(5)...)
				if got := w.reconcile(connections.WebhooksActive).Recovered; got.Stored != 5 {
					t.Errorf("got %+v, want 5 stored", got)
				}
				w.wantInbox(ids)
				w.Clock.Advance(27 * time.Hour)         // past the overlap
				w.reconcile(connections.WebhooksActive) // moves the mark
				if got := w.reconcile(connections.WebhooksActive).Recovered; got != (recovery.Result{}) {
					t.Errorf("got %+v long after, want none", got)
				}
				if row, err := w.Row(t.Context(), company); err != nil || row.Recovered != 235 || !row.Recovery.HighWater.Equal(w.Clock.Now()) {
					t.Errorf("got row %+v, %v", row, err)
				}
			})
		}
	}
}

// An event that did arrive is left as it is.
func TestRecoveryLeavesWhatIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	ids := w.discard(3)
	body := fmt.Sprintf(`{"id":7,"ulid":%q,"company_id":5678,"project_id":2001,"resource_name":"RFIs","resource_id":2,"event_type":"update","data":"first"}`, ids[1])
	e, err := procore.DecodeEvent([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Recovery.Inbox.Add(t.Context(), e, []byte(body)); err != nil {
		t.Fatal(err)
	}
	if got := w.reconcile(connections.WebhooksActive).Recovered; got != (recovery.Result{Stored: 2, Duplicates: 1}) {
		t.Errorf("got %+v", got)
	}
	out, err := w.DB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &w.Tables.Inbox,
		Key: map[string]types.AttributeValue{"resource": dynamo.Text("5678#RFIs#2"), "event_id": dynamo.Text(ids[1])}})
	if stored, ok := out.Item["body"].(*types.AttributeValueMemberB); err != nil || !ok || string(stored.Value) != body {
		t.Errorf("the event was replaced: %v, %v", out.Item, err)
	}
}

// A pass reads so many pages at most, and the next one goes on; the mark moves at
// the end.
func TestRecoveryInSeveralPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Recovery.Pages = 2
	c := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	began, err := w.Row(t.Context(), company)
	if err != nil {
		t.Fatal(err)
	}
	ids := w.discard(450)
	passes := 0
	for more := true; more; passes++ {
		more = w.reconcile(connections.WebhooksActive).Recovered.More
		row, err := w.Row(t.Context(), company)
		if err != nil || row.Recovery.Cursor.Since.IsZero() == more || row.Recovery.HighWater.Equal(began.Recovery.HighWater) != more || passes > 10 {
			t.Fatalf("pass %d: more %t, row %+v, %v", passes, more, row, err)
		}
		if more {
			w.wantStatus(connections.WebhooksActive, Retry, c)
		}
	}
	if passes < 3 {
		t.Errorf("it took %d passes of two pages", passes)
	}
	w.wantInbox(ids)
}
