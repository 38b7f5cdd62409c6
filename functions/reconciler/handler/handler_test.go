package handler

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/reconcile"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// newReconciler returns the function in a world.
func newReconciler(w *functiontest.World) *handler {
	store := w.Store()
	events := &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}
	triggers := []procore.Trigger{{Resource: "RFIs", EventType: "create"}, {Resource: "RFIs", EventType: "update"}}
	hooks := &provision.Reconciler{
		Store: store, Ring: w.Ring(), Log: w.Log.Logger, Recovery: &recovery.Recoverer{Inbox: events, Log: w.Log.Logger},
		Want: provision.Config{Namespace: "our-app", URL: "http://127.0.0.1:3000" + provision.Path, PayloadVersion: "v3.0", Triggers: triggers},
	}
	return &handler{reconciler: &reconcile.Reconciler{
		Store: store, Inbox: events, Hooks: hooks, Log: w.Log.Logger, Want: reconcile.Config{Triggers: triggers, Period: 6 * time.Hour},
	}}
}

func TestTasks(t *testing.T) {
	t.Parallel()
	h := newReconciler(functiontest.New(t))
	for text, want := range map[string]string{
		`{"task":"reconcile"}`:                         "",
		`{"task":"refresh"}`:                           `unknown task "refresh": want reconcile`,
		`{"task":"` + strings.Repeat("x", 1000) + `"}`: `xxx": want reconcile`,
		`{}`: `unknown task ""`,
	} {
		var in Input
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		_, err := h.handle(t.Context(), in)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || len(err.Error()) > 200) {
			t.Errorf("%.60s: %v, want an error with %q", text, err, want)
		}
	}
}

// Two runs at once, of which one waits for the other's company, store one event of a change that no webhook reported.
func TestLostDelivery(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t)
	w.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	h := newReconciler(w)
	if _, err := h.reconciler.Hooks.Reconcile(t.Context(), procoretest.MyConstruction); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Hour)
	lost := procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create", Silent: true}
	emitted, err := w.Procore.Emit(lost)
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(6 * time.Hour)
	var both errgroup.Group
	for range 2 {
		both.Go(func() error {
			_, err := h.handle(t.Context(), Input{Task: "reconcile"})
			return err
		})
	}
	if err := both.Wait(); err != nil {
		t.Error(err)
	}
	e := procore.Event{CompanyID: procoretest.MyConstruction, Resource: "RFIs", ResourceID: emitted.ResourceID}
	traces, err := procore.Collect(h.reconciler.Inbox.Traces(t.Context(), inbox.ResourceOf(e)))
	if err != nil || len(traces) != 1 || !traces[0].Reconciled {
		t.Errorf("%+v, %v, want one event, that of reconciliation", traces, err)
	}
	c, err := h.reconciler.Coverage(t.Context(), procoretest.MyConstruction)
	if err != nil || len(c.Resources) != 1 || !c.Resources[0].Until.After(w.Clock.Now().Add(-2*time.Minute)) {
		t.Errorf("%+v, %v, want RFIs covered until a minute ago", c, err)
	}
}
