package reconcile

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// world is a reconciler with its world, and a receiver that stores what is delivered.
// Joe has connected his company.
type world struct {
	*functiontest.World
	*Reconciler
	t    *testing.T
	down atomic.Bool // the receiver
}

const (
	company = procoretest.MyConstruction
	joe     = procoretest.Joe
	school  = 2001 // projects
	station = 2002
	period  = 6 * time.Hour
)

func newWorld(t *testing.T, triggers string) *world {
	t.Helper()
	w := &world{World: functiontest.New(t), t: t}
	w.Clock.Advance(10*time.Second + 300*time.Millisecond) // after what is there at first
	events := &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}
	all, err := procore.ParseTriggers(triggers)
	if err != nil {
		t.Fatal(err)
	}
	w.Reconciler = &Reconciler{
		Store: w.World.Store(), Inbox: events, Log: w.World.Log.Logger,
		Want: Config{Triggers: all, Period: period, PerOwner: 1000, PerApp: 10_000},
	}
	w.Hooks = &provision.Reconciler{
		Store: w.Reconciler.Store, Ring: w.Ring(), Log: w.World.Log.Logger, Recovery: &recovery.Recoverer{Inbox: events, Log: w.World.Log.Logger},
		Want: provision.Config{Namespace: "our-app", URL: w.receiver(events), Triggers: all},
	}
	w.Connect(company, joe, connections.WebhooksPending)
	w.hooks(company)
	return w
}

// receiver stores deliveries as webhook-receiver does.
func (w *world) receiver(events *inbox.Store) string {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		e, err2 := procore.DecodeEvent(body)
		if err != nil || err2 != nil || w.down.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if _, err := events.Add(r.Context(), e, body); err != nil {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	w.t.Cleanup(server.Close)
	return server.URL
}

func (w *world) hooks(company int64) {
	w.t.Helper()
	if _, err := w.Hooks.Reconcile(w.t.Context(), company); err != nil {
		w.t.Fatal(err)
	}
}

// lose changes an RFI without an event.
func (w *world) lose(project int64, id procore.ID) {
	w.t.Helper()
	w.emit(procoretest.Event{ProjectID: project, ResourceID: id, Silent: true})
}

// emit changes an RFI of the company, unless the event names another resource.
func (w *world) emit(e procoretest.Event) {
	w.t.Helper()
	if e.CompanyID == 0 {
		e.CompanyID = company
	}
	if e.ResourceName == "" {
		e.ResourceName = "RFIs"
	}
	if e.EventType == "" {
		e.EventType = "update"
	}
	if _, err := w.Procore.Emit(e); err != nil {
		w.t.Fatal(err)
	}
}

// delivered waits until all that waits at Procore was delivered.
func (w *world) delivered() {
	w.t.Helper()
	w.eventually(func(h procoretest.Hook) bool { return h.Waiting == 0 })
}

func (w *world) eventually(ok func(procoretest.Hook) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	w.Procore.Advance(0) // wakes its workers
	_, err := w.Procore.Wait(ctx, func(st procoretest.State) bool {
		return !slices.ContainsFunc(st.Hooks, func(h procoretest.Hook) bool { return !ok(h) })
	})
	if err != nil {
		w.t.Fatal("never came true")
	}
}

// later lets time pass.
func (w *world) later(d time.Duration) { w.Clock.Advance(d) }

// run is a run that must go well.
func (w *world) run() Report {
	w.t.Helper()
	report, err := w.Run(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// stored returns the events of the inbox by resource id, those of reconciliation alone.
func (w *world) stored() map[procore.ID][]procore.Event {
	w.t.Helper()
	found := map[procore.ID][]procore.Event{}
	for _, e := range w.all() {
		if e.Reconciled {
			found[e.ResourceID] = append(found[e.ResourceID], e)
		}
	}
	return found
}

// all returns the events of the inbox.
func (w *world) all() (found []procore.Event) {
	w.t.Helper()
	for p := dynamodb.NewScanPaginator(w.DB, &dynamodb.ScanInput{TableName: &w.Tables.Inbox}); p.HasMorePages(); {
		page, err := p.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, item := range page.Items {
			envelope, ok := item["envelope"].(*types.AttributeValueMemberS)
			if !ok {
				continue
			}
			e, err := procore.ParseEvent([]byte(envelope.Value))
			if err != nil {
				w.t.Fatal(err)
			}
			found = append(found, e)
		}
	}
	return found
}

// wantStored fails unless each of these RFIs, and nothing else, was reconciled once.
func (w *world) wantStored(ids ...procore.ID) {
	w.t.Helper()
	found := w.stored()
	for _, id := range ids {
		if len(found[id]) != 1 {
			w.t.Errorf("%s was reconciled %d times, want once", id, len(found[id]))
		}
	}
	if len(found) != len(ids) {
		w.t.Errorf("%d items were reconciled, want %d", len(found), len(ids))
	}
}

// cursor returns that of a resource of the company.
func (w *world) cursor(resource string) cursor {
	w.t.Helper()
	row, err := w.readRow(w.t.Context(), company)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range row.cursors {
		if c.Resource == resource {
			return c
		}
	}
	w.t.Fatalf("no cursor of %s", resource)
	return cursor{}
}
