package provision

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// Two runs at once make one hook: one has the lease.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	var all sync.WaitGroup
	var mu sync.Mutex
	busy := 0
	for range 4 {
		all.Go(func() {
			result, err := w.keeper().Reconcile(t.Context(), company)
			if err != nil && !errors.Is(err, ErrBusy) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if result.Busy || errors.Is(err, ErrBusy) {
				busy++
			}
		})
	}
	all.Wait()
	w.hook()
	if got := len(w.calls(0)); got != 2 {
		t.Errorf("%d calls changed something, want 2; %d runs were busy", got, busy)
	}
}

// A lease that was not released expires, and a pass with a lease that
// was lost writes nothing.
func TestLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	dead, err := w.take()
	if err != nil {
		t.Fatal(err)
	}
	if result, err := w.Reconcile(t.Context(), company); err != nil || !result.Busy || len(w.hooks()) > 0 {
		t.Errorf("got %+v, %v while another run has the lease", result, err)
	}
	if got := w.Connection(c.Key); !got.CheckAt.Equal(c.CheckAt) || got.Webhooks != connections.WebhooksPending {
		t.Errorf("a busy pass wrote %s, %v", got.Webhooks, got.CheckAt)
	}
	w.Clock.Advance(leaseFor)
	w.reconcile(connections.WebhooksActive)
	dead.row.HookID = "1"
	now, err := w.Row(t.Context(), company)
	if err != nil {
		t.Fatal(err)
	}
	for _, rev := range []int64{dead.row.rev, now.rev} { // the latter as after a backup came back
		dead.row.rev = rev
		if err := (items{w.Reconciler.Store}).save(t.Context(), dead); !errors.Is(err, ErrBusy) {
			t.Errorf("a lost lease was saved: %v", err)
		}
	}
	w.release(dead)
	if row, err := w.Row(t.Context(), company); err != nil || row.HookID != w.id() {
		t.Errorf("got row %+v, %v", row, err)
	}
}

// Two runs that met in spite of the lease each made a hook: one stays, and whichever
// process decides, decides alike.
func TestTwoHooksOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared := true
	w.options(procoretest.OptionsPatch{SharedURLs: &shared})
	c := w.connect(joe)
	first := w.otherHook(joe, procore.HookSpec{Namespace: "our-app", DestinationURL: localURL, PayloadVersion: "v2.0"})
	w.otherHook(joe, procore.HookSpec{Namespace: "our-app", DestinationURL: localURL + "/", PayloadVersion: "v2.0"})
	w.reconcile(connections.WebhooksActive)
	if w.hook(); w.id() != first.ID {
		t.Errorf("hook %s stayed, want %s", w.id(), first.ID)
	}
	w.wantStatus(connections.WebhooksActive, Recheck, c)
}

// A user who authorizes while a pass is under way has one to come.
func TestAuthorizedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.connect(joe)
	before, err := procore.Collect(w.Reconciler.Store.Company(t.Context(), company))
	if err != nil {
		t.Fatal(err)
	}
	b := w.connect(ann)
	if err := w.settle(t.Context(), before, verdict{status: connections.WebhooksActive, next: Recheck}); err != nil {
		t.Fatal(err)
	}
	w.wantStatus(connections.WebhooksActive, Recheck, a)
	if got := w.Connection(b.Key); got.Webhooks != connections.WebhooksPending || got.CheckAt.After(w.Clock.Now()) {
		t.Errorf("the new one is %s, looked at in %v", got.Webhooks, got.CheckAt.Sub(w.Clock.Now()))
	}
}

// A hook whose creation was not answered may still appear: until the lease expires, no other pass creates one, and no
// connection ends as if there were none.
func TestCreationWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	w.ProcoreFails(procoretest.Fault{Endpoint: hooksPath, Method: "POST", Kind: procoretest.Reset})
	if result, err := w.Reconcile(t.Context(), company); err == nil {
		t.Errorf("got %+v, want an error", result)
	}
	if result, err := w.Reconcile(t.Context(), company); err != nil || !result.Busy {
		t.Errorf("got %+v, %v while the hook may still appear, want busy", result, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := w.End(ctx, c.Key, "asked for"); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	spec, err := w.want(t.Context(), company, []connections.Connection{c})
	if err != nil {
		t.Fatal(err)
	}
	w.otherHook(joe, spec.spec) // it appears
	w.Clock.Advance(leaseFor)
	w.end(c)
	if got := w.hooks(); len(got) > 0 {
		t.Errorf("%d hooks are left", len(got))
	}
}

// A connection that ended between its reading and the lease makes no hook, although its grant still serves another
// company and this process used the connection a moment ago.
func TestEndedBeforeTheLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	w.Connect(procoretest.HarborHill, joe, connections.WebhooksPending)
	w.reconcile(connections.WebhooksActive)
	before, err := procore.Collect(w.Reconciler.Store.Company(t.Context(), company))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := procore.Collect(w.client(c.Key).Hooks(t.Context(), "our-app")); err != nil {
		t.Fatal(err)
	}
	if err := w.keeper().End(t.Context(), c.Key, "asked for"); err != nil {
		t.Fatal(err)
	}
	if result, err := w.Reconcile(t.Context(), company, before...); err != nil || len(w.hooks()) > 0 {
		t.Errorf("got %+v, %v, and %d hooks of a company that left", result, err, len(w.hooks()))
	}
}
