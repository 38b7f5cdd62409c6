package tokens

import (
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procoretest"
)

// A plan is what the refresh then does, and changes nothing itself.
func TestPlan(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before func(w *world, s *Store)
		send   bool
		want   string
	}{
		"fresh":   {func(*world, *Store) {}, false, "its access token is valid until 2026-03-02 13:30:00 UTC, and is refreshed from 2026-03-02 13:15:00 UTC on"},
		"due":     {func(w *world, _ *Store) { w.clock.Advance(80 * time.Minute) }, true, "its access token is valid until"},
		"expired": {func(w *world, _ *Store) { w.clock.Advance(2 * time.Hour) }, true, "its access token expired at 2026-03-02 13:30:00 UTC"},
		"at work": {func(w *world, s *Store) {
			w.clock.Advance(80 * time.Minute)
			w.claim(w.store())
		}, false, "another process is at work on it, until"},
		"the process died": {func(w *world, s *Store) {
			w.clock.Advance(80 * time.Minute)
			w.claim(w.store())
			w.clock.Advance(time.Minute)
		}, false, "ended without an answer"},
		"uncertain": {func(w *world, _ *Store) {
			w.clock.Advance(88*time.Minute + 30*time.Second)
			w.unanswered()
		}, false, "is not known, and the token is not sent twice; its access token is valid until"},
		"uncertain, and expired": {func(w *world, _ *Store) {
			w.clock.Advance(88*time.Minute + 30*time.Second)
			w.unanswered()
			w.clock.Advance(2 * time.Minute)
		}, false, "the user has to authorize again after"},
		"reauthorize": {func(w *world, _ *Store) {
			w.clock.Advance(2 * time.Hour)
			w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`})
			_, _ = w.store().Token(w.t.Context(), User(joe)) // it ends the grant
		}, false, "the user has to authorize again: Procore refused"},
		"in the ledger": {func(w *world, s *Store) {
			restore := w.backup(User(joe))
			w.clock.Advance(2 * time.Hour)
			if _, err := w.store().Token(w.t.Context(), User(joe)); err != nil {
				w.t.Fatal(err)
			}
			restore()
		}, false, "this refresh token is in the ledger"},
		"too old for the ledger": {func(w *world, _ *Store) { w.clock.Advance(LedgerLife) }, false, olderThanTheLedger},
		"another client": {func(w *world, s *Store) {
			w.clock.Advance(2 * time.Hour)
			other := *w.oauth
			other.ClientID = "another"
			s.OAuth = secrettest.Constant(&other)
		}, false, "the pair was issued for another client id than the app's"},
		"the breaker is open": {func(w *world, _ *Store) {
			w.clock.Advance(2 * time.Hour)
			w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`, Times: 9})
			_ = w.store().Upkeep().Probe(w.t.Context()) // it opens the breaker
		}, false, "no refreshes since"},
		"the breaker is suspect": {func(w *world, s *Store) {
			w.clock.Advance(2 * time.Hour)
			s.report(w.t.Context(), unknown, "a failure")
		}, true, "its access token expired"},
		"refreshed a moment ago": {func(w *world, s *Store) {
			w.clock.Advance(2 * time.Hour)
			seconds := int64(60)
			w.options(procoretest.OptionsPatch{ExpiresInSeconds: &seconds})
			if _, err := w.store().Token(w.t.Context(), User(joe)); err != nil {
				w.t.Fatal(err)
			}
		}, false, "it was refreshed less than a minute ago"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.clock.Set(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
			w.authorize(w.store())
			s := w.store()
			tt.before(w, s)
			before, sent, spent := w.row(User(joe)), w.presented(), len(w.spends())
			plan, err := s.Upkeep().Plan(t.Context(), User(joe), Ahead)
			if err != nil || plan.Send != tt.send || !strings.Contains(plan.Reason, tt.want) {
				t.Errorf("got %v, %q, %v; want %v, and a reason with %q", plan.Send, plan.Reason, err, tt.send, tt.want)
			}
			if after := w.row(User(joe)); after.Rev != before.Rev || w.presented() != sent || len(w.spends()) != spent {
				t.Error("the plan changed something")
			}
			_, err = s.Upkeep().Refresh(t.Context(), User(joe), Ahead)
			if got := w.presented() == sent+1; got != tt.send {
				t.Errorf("the refresh token was sent: %v, %v; the plan was %v", got, err, tt.send)
			}
		})
	}
}

// The app's token is fetched, not refreshed: there is no ledger to ask.
func TestPlanOfTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	if plan, err := s.Upkeep().Plan(t.Context(), App, Ahead); err != nil || !plan.Send || plan.Reason != "there is no access token yet" {
		t.Errorf("got %+v, %v, want one that fetches the first token", plan, err)
	}
	if _, err := s.Token(t.Context(), App); err != nil {
		t.Fatal(err)
	}
	if plan, err := s.Upkeep().Plan(t.Context(), App, Ahead); err != nil || plan.Send {
		t.Errorf("got %+v, %v, want one that keeps the token", plan, err)
	}
}

// unanswered sends Joe's refresh token and gets an answer that means nothing.
func (w *world) unanswered() {
	w.t.Helper()
	w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 503})
	if _, err := w.store().Token(w.t.Context(), User(joe)); err != nil {
		w.t.Fatal(err)
	}
}
