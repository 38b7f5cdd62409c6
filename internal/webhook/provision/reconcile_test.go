package provision

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// One pass does for all connections of the company, and every user's page says
// the same.
func TestOneHookForACompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.connect(joe), w.connect(ann)
	w.reconcile(connections.WebhooksActive)
	w.hook()
	w.wantStatus(connections.WebhooksActive, Recheck, a, b)
	before := w.count()
	w.reconcile(connections.WebhooksActive)
	if got := w.calls(before); len(got) > 0 {
		t.Errorf("a second pass made the calls %v", got)
	}
	if row, err := w.Row(t.Context(), company); err != nil || row.HookID != w.id() || row.Creator != b.Principal || row.Version != "v2.0" {
		t.Errorf("got row %+v, %v", row, err)
	}
}

// What differs is patched, once: URL, version, key, epoch.
func TestPatched(t *testing.T) {
	t.Parallel()
	const key = `"k1":"fake-webhook-key-0123456789-0123456789-01234"`
	tests := map[string]struct {
		change func(*world)
		want   []string
	}{
		"URL":     {func(w *world) { w.Want.URL = "http://127.0.0.1:9/moved" }, []string{"PATCH"}},
		"version": {func(w *world) { w.Want.PayloadVersion = "v4.0" }, []string{"PATCH", "DELETE", "POST"}},
		"key": {func(w *world) {
			w.Secrets.Put(functiontest.WebhookSecret, `{"current":"k2",`+key+`,"k2":"fake-webhook-key-two-0123456789-0123456789"}`)
		}, []string{"PATCH"}},
		"epoch": {func(w *world) {
			w.Secrets.Put(functiontest.WebhookSecret, `{"current":"k1",`+key+`,"minimum_epochs":{"5678":3}}`)
		}, []string{"PATCH"}},
		"another company's epoch": {func(w *world) {
			w.Secrets.Put(functiontest.WebhookSecret, `{"current":"k1",`+key+`,"minimum_epochs":{"5679":3}}`)
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connect(joe)
			w.reconcile(connections.WebhooksActive)
			id, before := w.hook().ID, w.count()
			tt.change(w)
			for range 2 {
				w.Clock.Advance(Recheck)
				w.reconcile(connections.WebhooksActive)
			}
			if diff := cmp.Diff(w.calls(before), tt.want); diff != "" {
				t.Errorf("calls (-got +want):\n%s", diff)
			}
			h := w.hook()
			if h.ID != id || h.DestinationURL != w.Want.URL || h.PayloadVersion != w.Want.PayloadVersion || w.emit() != 1 {
				t.Errorf("got %+v, want the same hook as configured, and reporting", h)
			}
		})
	}
}

// A run that died between the hook's new version and its triggers' leaves a hook
// that seems right and reports nothing. The next pass knows.
func TestVersionChangeIsFinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	w.Want.PayloadVersion = "v3.0"
	for _, f := range []procoretest.Fault{
		{Endpoint: hooksPath, Method: "PATCH", Kind: procoretest.Drop},
		{Endpoint: hooksPath, Method: "DELETE", Kind: procoretest.Reset},
		{Endpoint: hooksPath, Method: "POST", Kind: procoretest.Drop},
	} {
		w.ProcoreFails(f)
		if result, err := w.Reconcile(t.Context(), company); err == nil {
			t.Errorf("got %+v, want an error", result)
		}
		w.Procore.ClearFaults()
	}
	w.reconcile(connections.WebhooksActive)
	w.hook()
	if got := w.emit(); got != 1 {
		t.Errorf("%d hooks report a change, want 1", got)
	}
}

// A trigger that Procore refuses does not keep the others from reporting.
func TestOneTriggerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	good := w.Want.Triggers
	w.Want.Triggers = append([]procore.Trigger{{Resource: strings.Repeat("no such resource ", 10), EventType: "create"}}, good...)
	if result, err := w.Reconcile(t.Context(), company); !errors.Is(err, procore.ErrInvalid) {
		t.Errorf("got %+v, %v, want the refusal", result, err)
	}
	w.hook("RFIs create", "RFIs update")
	w.wantStatus(connections.WebhooksPending, Admin, c)
	w.Want.Triggers = good
	w.reconcile(connections.WebhooksActive)
	w.hook()
}

// Nor does it keep a dead creator's hook from being made again.
func TestCreatorLostAccessAndATriggerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared := true
	w.options(procoretest.OptionsPatch{SharedURLs: &shared})
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	old := w.id()
	w.connect(ann)
	w.deny(joe)
	w.Want.Triggers = append(w.Want.Triggers, procore.Trigger{Resource: strings.Repeat("no such resource ", 10), EventType: "create"})
	for range 2 {
		if result, err := w.Reconcile(t.Context(), company); !errors.Is(err, procore.ErrInvalid) || result.HookID == old {
			t.Errorf("got %+v, %v, want the refusal, and a new hook", result, err)
		}
		w.hook("RFIs create", "RFIs update")
	}
}

const hooksPath = "/rest/v2.0/companies/5678/webhooks/hooks"

// Whatever answer is lost, the next pass finishes with one hook and its triggers.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{procoretest.Drop, procoretest.Reset} {
		for skip := range 8 {
			w := newWorld(t)
			c := w.connect(joe)
			w.failAt(skip, kind)
			result, err := w.Reconcile(t.Context(), company)
			lost := err != nil
			switch {
			case lost && skip < 7:
				w.wantStatus(connections.WebhooksPending, Retry, c)
			case lost: // the hook is right, and what was discarded is not known
				w.wantStatus(connections.WebhooksActive, Retry, c)
			}
			w.Procore.ClearFaults()
			w.Clock.Advance(Retry)
			w.reconcile(connections.WebhooksActive)
			w.hook()
			if writes := skip == 1 || skip == 4; writes && !lost { // net/http repeats a GET itself
				t.Errorf("%s after %d calls: got %+v without an error", kind, skip, result)
			}
		}
	}
}

// failAt makes the call after the first n fail.
func (w *world) failAt(n int, kind string) {
	for range n {
		w.ProcoreFails(procoretest.Fault{Endpoint: hooksPath, Kind: procoretest.Delay, DelayMS: 0})
	}
	w.ProcoreFails(procoretest.Fault{Endpoint: hooksPath, Kind: kind})
}

// Off means that ours is deleted, in the namespace where it is, and others stay.
func TestOff(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"no triggers":                  func(w *world) { w.Want.Triggers = nil },
		"no triggers and no namespace": func(w *world) { w.Want.Triggers, w.Want.Namespace = nil, "" },
		"another URL too":              func(w *world) { w.Want.Triggers, w.Want.URL = nil, "http://127.0.0.1:9/moved" },
	} {
		w := newWorld(t)
		a, b := w.connect(joe), w.connect(ann)
		w.reconcile(connections.WebhooksActive)
		foreign := w.otherHook(joe, procore.HookSpec{Namespace: "our-app", DestinationURL: "http://127.0.0.1:9/foreign", PayloadVersion: "v2.0"})
		change(w)
		w.reconcile(connections.WebhooksOff)
		for _, c := range []connections.Connection{a, b} {
			if got := w.Connection(c.Key); got.Webhooks != connections.WebhooksOff || !got.CheckAt.IsZero() {
				t.Errorf("%s: webhooks are %s, looked at again %v; want off, never", name, got.Webhooks, got.CheckAt)
			}
		}
		if all := w.hooks(); len(all) != 1 || procore.NewID(all[0].ID) != foreign.ID {
			t.Errorf("%s: got %+v, want the foreign hook alone", name, all)
		}
	}
}

// A new namespace moves the hook, with what waits in it.
func TestNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	old := w.hook().ID
	w.emit()
	w.eventually(func(h procoretest.Hook) bool { return h.Paused })
	w.Want.Namespace, w.Want.URL = "our-new-app", "http://127.0.0.1:9/moved"
	w.ProcoreFails(procoretest.Fault{Endpoint: hooksPath, Method: "PATCH", Kind: procoretest.Status, Status: 503})
	if result, err := w.Reconcile(t.Context(), company); err == nil {
		t.Errorf("got %+v, want an error", result)
	}
	w.reconcile(connections.WebhooksActive)
	if h := w.hook(); h.ID != old || h.Waiting != 1 || h.Namespace != "our-new-app" || h.DestinationURL != w.Want.URL {
		t.Errorf("got %+v, want the hook %d with its event", h, old)
	}
}

// A namespace may change after its hook was deleted by another program.
func TestNamespaceWithoutTheOldHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	if err := w.client(c.Key).DeleteHook(t.Context(), w.id()); err != nil {
		t.Fatal(err)
	}
	w.Want.Namespace = "our-new-app"
	w.reconcile(connections.WebhooksActive)
	if h := w.hook(); h.Namespace != "our-new-app" {
		t.Errorf("got %+v", h)
	}
}

// A foreign hook in our namespace is in the result, once in the log, and left
// alone.
func TestForeign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	foreign := w.otherHook(joe, procore.HookSpec{Namespace: "our-app", DestinationURL: "http://127.0.0.1:9/foreign", PayloadVersion: "v4.0"})
	for range 2 {
		if result := w.reconcile(connections.WebhooksActive); !cmp.Equal(result.Foreign, []procore.ID{foreign.ID}) {
			t.Errorf("got %+v", result)
		}
	}
	if row, err := w.Row(t.Context(), company); err != nil || !cmp.Equal(row.Foreign, []procore.ID{foreign.ID}) {
		t.Errorf("got row %+v, %v", row, err)
	}
	if lines := w.World.Log.Lines(t, "hook in our namespace has another URL"); len(lines) != 1 {
		t.Errorf("logged %d times, want once", len(lines))
	}
	if all := w.hooks(); len(all) != 2 || all[0].DestinationURL != "http://127.0.0.1:9/foreign" || len(all[0].Triggers) > 0 {
		t.Errorf("got %+v", all)
	}
}

// Procore asks to wait, after a last call or by a refusal: nothing else is
// called, and all stays as it was.
func TestRateLimited(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(*world){
		"none is left": func(w *world) {
			one := 1
			w.options(procoretest.OptionsPatch{SpikeLimit: &one})
		},
		"refused": func(w *world) {
			reset := strconv.FormatInt(w.Clock.Now().Add(40*time.Minute).Unix(), 10)
			w.ProcoreFails(procoretest.Fault{Endpoint: hooksPath, Kind: procoretest.Status, Status: 429, Headers: map[string]string{"X-Rate-Limit-Reset": reset}})
		},
	} {
		w := newWorld(t)
		c := w.connect(joe)
		limit(w)
		result, err := w.Reconcile(t.Context(), company)
		wait := result.LimitedUntil.Sub(w.Clock.Now())
		if err != nil || result.Status != "" || wait < 10*time.Second || w.count() != 1 {
			t.Errorf("%s: got %+v, %v after %d calls", name, result, err, w.count())
		}
		w.wantStatus(connections.WebhooksPending, wait, c)
		many := 1000
		w.options(procoretest.OptionsPatch{SpikeLimit: &many})
		w.Clock.Advance(wait)
		w.reconcile(connections.WebhooksActive)
		w.hook()
	}
}

// A pass leaves connections alone that ended, or that wait for the end after a
// disconnection.
func TestUnconnectedIsLeftAlone(t *testing.T) {
	t.Parallel()
	for want, leave := range map[connections.State]func(*connections.Store, connections.Connection) error{
		connections.Ended:        func(s *connections.Store, c connections.Connection) error { return s.End(t.Context(), c.Key, "a test") },
		connections.Disconnected: func(s *connections.Store, c connections.Connection) error { return s.Disconnect(t.Context(), c) },
	} {
		w := newWorld(t)
		a, b := w.connect(joe), w.connect(ann) // too late for the disconnection
		if err := leave(w.Reconciler.Store, a); err != nil {
			t.Fatal(err)
		}
		before := w.Connection(a.Key)
		w.reconcile(connections.WebhooksActive)
		if got := w.Connection(a.Key); got.State != want || got.Rev != before.Rev {
			t.Errorf("got %s, checked at %v; want %s, %v", got.State, got.CheckAt, want, before.CheckAt)
		}
		w.wantStatus(connections.WebhooksActive, Recheck, b)
	}
}

// A pass that its caller's time cuts short still writes down how it went.
func TestPassInALittleTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	ctx, cancel := context.WithTimeout(t.Context(), closing+300*time.Millisecond)
	defer cancel()
	w.ProcoreFails(procoretest.Fault{Endpoint: hooksPath, Method: "POST", Kind: procoretest.Delay, DelayMS: 60_000})
	if result, err := w.Reconcile(ctx, company); err == nil || ctx.Err() != nil {
		t.Errorf("got %+v, %v, and its caller's time is over: %v", result, err, ctx.Err())
	}
	w.wantStatus(connections.WebhooksPending, Retry, c)
	w.Clock.Advance(Retry)
	w.reconcile(connections.WebhooksActive)
	w.hook()
}
