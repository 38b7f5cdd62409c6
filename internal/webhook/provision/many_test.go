package provision

import (
	"errors"
	"maps"
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// crowd connects n more users to the company.
func (w *world) crowd(n int) (all []connections.Connection, ids []int64) {
	w.t.Helper()
	ids = []int64{joe, ann}
	for i := range int64(n) {
		if err := w.Procore.AddUser(procoretest.User{ID: 5000 + i, Name: "A User"}); err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, 5000+i)
	}
	w.PatchCompany(company, procoretest.CompanyPatch{Members: &ids})
	for _, id := range ids[2:] {
		all = append(all, w.connect(id))
	}
	return all, ids[2:]
}

// Of many connections that may not, each pass tries ten, and all get their turn.
func TestManyConnectionsTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ids := w.crowd(25)
	w.deny(ids...)
	tried := map[any]bool{}
	for range 3 {
		before := w.count()
		w.reconcile(connections.WebhooksNeedsAdmin)
		if got := w.count() - before; got != maxTries {
			t.Errorf("got %d calls, want %d", got, maxTries)
		}
		w.Clock.Advance(Admin)
	}
	for _, line := range w.World.Log.Lines(t, "connection cannot manage the hook") {
		tried[line["principal"]] = true
	}
	if len(tried) != len(ids) {
		t.Errorf("%d of %d had their turn", len(tried), len(ids))
	}
	admin := w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	if row, err := w.Row(t.Context(), company); err != nil || row.Creator != admin.Principal || row.Offset != 0 {
		t.Errorf("got row %+v, %v, want a hook that Joe made", row, err)
	}
}

// Connections whose grants do not work cost no call, and do not use up the tries.
func TestManyUnusableGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.connect(joe)
	dead, _ := w.crowd(2 * maxTries)
	for _, c := range dead { // Procore refused their tokens
		w.spend(c.Principal)
	}
	w.reconcile(connections.WebhooksActive)
	w.hook()
	w.wantStatus(connections.WebhooksActive, Recheck, admin)
	users := maps.Collect(func(yield func(int64, bool) bool) {
		for _, c := range w.Procore.State().Calls {
			if !yield(c.UserID, true) {
				return
			}
		}
	})
	if !users[joe] || len(users) != 1 {
		t.Errorf("the users %v were called for, want Joe alone", users)
	}
	if err := w.End(t.Context(), admin.Key, "asked for"); err != nil {
		t.Error(err)
	}
	if got := w.hooks(); len(got) > 0 {
		t.Errorf("%d hooks are left after the last connection that worked", len(got))
	}
}

// spend makes Procore refuse the principal's refresh token.
func (w *world) spend(p tokens.Principal) {
	w.t.Helper()
	w.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`})
	if _, err := w.Tokens().Upkeep().Refresh(w.t.Context(), p, 24*time.Hour); !errors.Is(err, tokens.ErrReauthorize) {
		w.t.Fatalf("got %v, want a refusal", err)
	}
}

// After a minute one refusal is enough for all connections of a company.
func TestOneRefusalDisconnectsTheCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all, _ := w.crowd(5)
	w.Clock.Advance(time.Minute)
	off := false
	w.PatchCompany(company, procoretest.CompanyPatch{Connected: &off})
	if result, err := w.Reconcile(t.Context(), company); err != nil || result.Status != "" || w.count() != 1 {
		t.Errorf("got %+v, %v after %d calls, want one", result, err, w.count())
	}
	for _, c := range all {
		if got := w.Connection(c.Key).State; got != connections.Disconnected {
			t.Errorf("%s is %s", c.Key, got)
		}
	}
	if got := len(w.World.Log.Lines(t, "connection cannot manage the hook")); got != 1 {
		t.Errorf("got %d lines, want one", got)
	}
}
