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
	"procore-connect/pkg/tokens"
)

func (w *world) end(c connections.Connection) {
	w.t.Helper()
	if err := w.End(w.t.Context(), c.Key, "asked for"); err != nil {
		w.t.Fatal(err)
	}
	if got := w.Connection(c.Key).State; got != connections.Ended {
		w.t.Errorf("%s is %s, want ended", c.Key, got)
	}
	if got := w.Grant(c.Principal).State; got != tokens.Revoked {
		w.t.Errorf("the grant of %s is %s, want revoked", c.Principal, got)
	}
}

// The hook goes with the last connection, while its token still works.
func TestEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.connect(joe), w.connect(ann)
	w.reconcile(connections.WebhooksActive)
	foreign := w.otherHook(joe, procore.HookSpec{Namespace: "our-app", DestinationURL: "http://127.0.0.1:9/foreign", PayloadVersion: "v2.0"})
	w.end(a)
	if got := len(w.hooks()); got != 2 {
		t.Errorf("%d hooks are left, want 2: a connection is left", got)
	}
	w.end(b)
	if all := w.hooks(); len(all) != 1 || procore.NewID(all[0].ID) != foreign.ID {
		t.Errorf("got %+v, want the foreign hook alone", all)
	}
	if row, err := w.Row(t.Context(), company); err != nil || row.HookID != "" || !row.Since.IsZero() {
		t.Errorf("got row %+v, %v, want no hook, and no changes that are wanted", row, err)
	}
	w.end(b) // again
	if result, err := w.Reconcile(t.Context(), company); err != nil || result.HookID != "" || len(w.hooks()) != 1 {
		t.Errorf("a pass afterwards: %+v, %v", result, err)
	}
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	if got := len(w.hooks()); got != 2 {
		t.Errorf("%d hooks after the company has come back, want 2", got)
	}
}

// When the creator of the hook leaves, the others don't wait for the next pass.
func TestCreatorEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	creator, other := w.connect(joe), w.connect(ann)
	w.reconcile(connections.WebhooksActive)
	if row, err := w.Row(t.Context(), company); err != nil || row.Creator != creator.Principal {
		creator, other = other, creator
	}
	w.Clock.Advance(time.Minute)
	w.end(creator)
	w.wantStatus(connections.WebhooksActive, 0, other)
	made := w.hook().ID
	w.reconcile(connections.WebhooksActive)
	if got := w.hook().ID; got == made {
		t.Error("the hook is still the one whose creator is gone")
	}
	w.wantStatus(connections.WebhooksActive, Recheck, other)
}

// The last two connections end at once: the hook goes.
func TestEndAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.connect(joe), w.connect(ann)
	w.reconcile(connections.WebhooksActive)
	var all sync.WaitGroup
	for _, c := range []connections.Connection{a, b} {
		all.Go(func() {
			if err := w.keeper().End(t.Context(), c.Key, "asked for"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := w.hooks(); len(got) > 0 {
		t.Errorf("%d hooks are left", len(got))
	}
}

// After any failure it can be repeated, and nothing is revoked before the hook is
// gone.
func TestEndIsRepeated(t *testing.T) {
	t.Parallel()
	for _, f := range []procoretest.Fault{
		{Endpoint: hooksPath, Method: "GET", Kind: procoretest.Reset, Times: 3},
		{Endpoint: hooksPath, Method: "GET", Kind: procoretest.Status, Status: 503},
		{Endpoint: hooksPath, Method: "GET", Kind: procoretest.Status, Status: 429},
		{Endpoint: hooksPath, Method: "DELETE", Kind: procoretest.Reset},
		{Endpoint: hooksPath, Method: "DELETE", Kind: procoretest.Drop},
		{Endpoint: "revoke", Kind: procoretest.Status, Status: 503},
	} {
		w := newWorld(t)
		c := w.connect(joe)
		w.reconcile(connections.WebhooksActive)
		w.ProcoreFails(f)
		if err := w.End(t.Context(), c.Key, "asked for"); err == nil {
			t.Errorf("%+v: no error", f)
		}
		want := tokens.Active
		if f.Endpoint == "revoke" {
			want = tokens.Uncertain // whether it was revoked is not known
		}
		if got := w.Grant(c.Principal).State; got != want {
			t.Errorf("%+v: the grant is %s, want %s", f, got, want)
		}
		if got := w.Connection(c.Key).State; f.Endpoint != "revoke" && got != connections.Connected {
			t.Errorf("%+v: the connection is %s", f, got)
		}
		w.Procore.ClearFaults()
		w.end(c)
		if got := w.hooks(); len(got) > 0 {
			t.Errorf("%+v: %d hooks are left", f, len(got))
		}
	}
}

// A hook that the connection may not delete does not keep the user from leaving.
func TestEndWithoutPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	w.deny(joe)
	w.end(c)
	if lines := w.World.Log.Lines(t, "hook not deleted"); len(lines) != 1 || lines[0]["hook_id"] != w.id().String() {
		t.Errorf("logged %v", lines)
	}
}

// It waits for a pass that is under way, but not for ever.
func TestEndWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	l, err := w.take()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := w.End(ctx, c.Key, "asked for"); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	done := make(chan error)
	go func() { done <- w.keeper().End(t.Context(), c.Key, "asked for") }()
	w.release(l)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// EndSeen ends what was seen. A connection that is made again while it waits for the company's lease remains, and has its
// hook after the next pass.
func TestEndSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	l, err := w.take()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.keeper().EndSeen(t.Context(), seen, "its user did") }()
	w.Clock.Advance(time.Second)
	again := w.connect(joe)
	w.release(l)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := w.Connection(again.Key); got.State != connections.Connected || !got.ConnectedAt.Equal(again.ConnectedAt) {
		t.Errorf("the new connection is %s, made at %v", got.State, got.ConnectedAt)
	}
	w.reconcile(connections.WebhooksActive)
	w.hook()
	if err := w.EndSeen(t.Context(), again, "its user did"); err != nil {
		t.Fatal(err)
	}
	if got := w.Connection(again.Key); got.State != connections.Ended || got.Reason != "its user did" || len(w.hooks()) > 0 {
		t.Errorf("it is %s, %q, and %d hooks are left", got.State, got.Reason, len(w.hooks()))
	}
	if got := w.Grant(again.Principal).State; got != tokens.Revoked {
		t.Errorf("its grant is %s, want revoked", got)
	}
}
