package provision

import (
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// A pass for a company whose users did not use the app for a week costs a refresh, so
// that there is one a day, or until a user is back.
func TestIdleCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	next := func() time.Duration {
		t.Helper()
		w.reconcile(connections.WebhooksActive)
		return w.Connection(c.Key).CheckAt.Sub(w.Clock.Now())
	}
	if got := next(); got != Recheck {
		t.Errorf("the next pass is in %v, want %v", got, Recheck)
	}
	w.Clock.Advance(tokens.UsedWithin)
	first := next()
	if first <= 0 || first > IdleRecheck {
		t.Errorf("the next pass is in %v, want %v at most", first, IdleRecheck)
	}
	for range 3 {
		w.Clock.Advance(first)
		if first = next(); first != IdleRecheck {
			t.Errorf("the next pass is in %v, want %v", first, IdleRecheck)
		}
	}
	w.Clock.Advance(7 * time.Minute) // a pass that was late
	if got := next(); got != IdleRecheck-7*time.Minute {
		t.Errorf("the next pass is in %v, want %v", got, IdleRecheck-7*time.Minute)
	}
	w.Clock.Advance(c.ConnectedAt.Add(unusedFor).Sub(w.Clock.Now()))
	w.Clock.Advance(next()) // a week after a month, at the same time of the day
	for range 2 {
		if got := next(); got%IdleRecheck != 0 || got > UnusedRecheck {
			t.Errorf("the next pass is in %v after a month, want whole days of a week", got)
		}
		w.Clock.Advance(next())
	}
	if got := next(); got != UnusedRecheck {
		t.Errorf("the next pass is in %v after a month, want %v", got, UnusedRecheck)
	}
	if _, err := w.Tokens().Token(t.Context(), c.Principal); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != Recheck {
		t.Errorf("the next pass is in %v after a use, want %v", got, Recheck)
	}
}

// A company that one of its users uses is checked often, although the hook's creator is
// idle. A company where all users may not, and are idle, waits for its daily turn too.
func TestIdleCreator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	creator := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	w.Clock.Advance(tokens.UsedWithin)
	other := w.connect(ann)
	w.reconcile(connections.WebhooksActive)
	if row, err := w.Row(t.Context(), company); err != nil || row.Creator != creator.Principal {
		t.Errorf("got row %+v, %v", row, err)
	}
	w.wantStatus(connections.WebhooksActive, Recheck, creator, other)
	w.deny(joe, ann)
	w.reconcile(connections.WebhooksNeedsAdmin)
	w.wantStatus(connections.WebhooksNeedsAdmin, Admin, creator, other)
	w.Clock.Advance(tokens.UsedWithin)
	w.reconcile(connections.WebhooksNeedsAdmin)
	w.Clock.Advance(w.Connection(creator.Key).CheckAt.Sub(w.Clock.Now()))
	w.reconcile(connections.WebhooksNeedsAdmin)
	w.wantStatus(connections.WebhooksNeedsAdmin, IdleRecheck, creator, other)
}

// All idle companies of a user have their turn at the same time, and share one token.
// That of the service account costs nothing.
func TestIdleCompaniesShareTheirTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.connect(joe)
	b := w.Connect(procoretest.HarborHill, joe, connections.WebhooksPending)
	w.Clock.Advance(tokens.UsedWithin)
	for _, id := range []int64{company, procoretest.HarborHill} {
		if _, err := w.Reconcile(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(20 * time.Minute)
	}
	if got, want := w.Connection(b.Key).CheckAt, w.Connection(a.Key).CheckAt; !got.Equal(want) && !got.Equal(want.Add(IdleRecheck)) {
		t.Errorf("the turns are %v apart", got.Sub(want))
	}
	if err := w.World.Store().AddServiceAccount(t.Context(), company, "A Company", connections.WebhooksPending); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(30 * 24 * time.Hour)
	w.reconcile(connections.WebhooksActive)
	w.wantStatus(connections.WebhooksActive, Recheck, a)
}
