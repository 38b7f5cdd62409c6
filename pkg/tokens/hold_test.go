package tokens

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
)

// A holder is added once and removed once, with the other items of the transaction.
func TestHolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	begin := w.clock.Now()
	p := w.authorizeOnly(s).Principal
	for _, step := range []struct {
		do     func(context.Context, Principal, string, ...types.TransactWriteItem) (Grant, error)
		holder string
		also   []types.TransactWriteItem
		want   []string
		err    error
	}{
		{s.Hold, "5", nil, []string{"5"}, nil},
		{s.Hold, "44", []types.TransactWriteItem{w.item("a")}, []string{"44", "5"}, nil},
		{s.Hold, "44", []types.TransactWriteItem{w.item("b")}, []string{"44", "5"}, nil}, // again
		{s.Hold, "9", []types.TransactWriteItem{w.item("c"), w.item("a")}, []string{"44", "5"}, ErrUsed},
		{s.Release, "44", []types.TransactWriteItem{w.item("b")}, []string{"44", "5"}, ErrUsed},
		{s.Release, "44", []types.TransactWriteItem{w.item("d")}, []string{"5"}, nil},
		{s.Release, "44", []types.TransactWriteItem{w.item("e")}, []string{"5"}, nil}, // again: the other items are written
		{s.Release, "44", []types.TransactWriteItem{w.item("e")}, []string{"5"}, ErrUsed},
		{s.Hold, "7", nil, []string{"5", "7"}, nil},
		{s.Release, "5", nil, []string{"7"}, nil},
		{s.Release, "7", nil, nil, nil},
	} {
		w.clock.Advance(time.Minute)
		g, err := step.do(t.Context(), p, step.holder, step.also...)
		if !errors.Is(err, step.err) {
			t.Errorf("holder %s: got error %v, want %v", step.holder, err, step.err)
		}
		row := w.row(p)
		if !slices.Equal(row.Holders, step.want) || err == nil && !slices.Equal(g.Holders, step.want) {
			t.Errorf("holder %s: returned %v, stored %v; want %v", step.holder, g.Holders, row.Holders, step.want)
		}
		if want := slices.Contains(step.want, step.holder); row.HeldBy(step.holder) != want {
			t.Errorf("holder %s: held by it: %t, want %t", step.holder, !want, want)
		}
	}
	if got := w.row(p); !got.UnheldAt.Equal(w.clock.Now()) || got.State != Active || !got.RefreshedAt.Equal(begin) {
		t.Errorf("got unheld since %v, %s; want since now, active", got.UnheldAt, got.State)
	}
}

// Only an active grant gets a holder. Any grant loses one, and without a grant only the
// other items change.
func TestHoldNeedsAnActiveGrant(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*world)
		want  error
	}{
		"none":        {func(*world) {}, ErrNotFound},
		"active":      {func(w *world) { w.authorize(w.store()) }, nil},
		"expired":     {func(w *world) { w.authorize(w.store()); w.clock.Advance(2 * time.Hour) }, nil},
		"uncertain":   {func(w *world) { w.uncertain() }, ErrTryAgain},
		"reauthorize": {(*world).reauthorize, ErrReauthorize},
		"revoked":     {func(w *world) { w.authorize(w.store()); w.revoke(w.store()) }, ErrRevoked},
		"a dead claim": {func(w *world) {
			w.authorize(w.store())
			w.claim(w.store())
			w.clock.Advance(maxWork + skew + time.Second)
		}, ErrTryAgain},
		"a dead revocation": {func(w *world) {
			w.authorize(w.store())
			w.claimRevocation(w.store())
			w.clock.Advance(maxWork + skew + time.Second)
		}, ErrTryAgain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.spoil(w)
			s := w.store()
			if _, err := s.Hold(t.Context(), User(joe), "9", w.item("a")); !errors.Is(err, test.want) {
				t.Errorf("Hold: got error %v, want %v", err, test.want)
			}
			if test.want == nil {
				return
			}
			if _, err := s.Release(t.Context(), User(joe), acme, w.item("a")); err != nil {
				t.Errorf("Release: got error %v", err)
			}
			if _, err := s.Release(t.Context(), User(joe), acme, w.item("a")); !errors.Is(err, ErrUsed) {
				t.Errorf("Release with an item that was used: got error %v, want ErrUsed", err)
			}
			if name != "none" && w.row(User(joe)).HeldBy(acme) {
				t.Error("Release left the holder")
			}
		})
	}
}

// reauthorize makes Joe's grant one that needs an authorization.
func (w *world) reauthorize() {
	w.t.Helper()
	p := w.authorize(w.store()).Principal
	w.revokedAtProcore(p)
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(w.t.Context(), p); !errors.Is(err, ErrReauthorize) {
		w.t.Fatalf("got error %v, want ErrReauthorize", err)
	}
}

// A refresh that is in flight keeps no holder away, nor does a holder the pair.
func TestHoldDuringARefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	held := w.claim(s)
	fresh := w.refreshed(held)
	if _, err := w.store().Hold(t.Context(), p, "9"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store().Release(t.Context(), p, acme); err != nil {
		t.Fatal(err)
	}
	if a, _, err := held.store(t.Context(), fresh); err != nil || !a.HeldBy("9") || a.HeldBy(acme) {
		t.Errorf("got error %v, held by 9: %t, by %s: %t; want 9 alone", err, a.HeldBy("9"), acme, a.HeldBy(acme))
	}
	if got := w.row(p); got.Generation != 2 || !got.HeldBy("9") {
		t.Errorf("got generation %d, holders %v; want 2, 9", got.Generation, got.Holders)
	}
}

// The answer to a transaction with a holder is lost, or it met others all the time.
func TestHoldAnswerLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorizeOnly(s).Principal
	w.dynamo.Intercept(dynamotest.Nth(1, "TransactWriteItems", dynamotest.Fault{Drop: true, Applied: true}))
	if g, err := s.Hold(t.Context(), p, "1", w.item("a")); err != nil || !g.HeldBy("1") {
		t.Errorf("answer lost: got %v, error %v; want the holder", g.Holders, err)
	}
	w.dynamo.Intercept(dynamotest.Nth(1, "TransactWriteItems", dynamotest.Fault{Drop: true}))
	if _, err := s.Hold(t.Context(), p, "2", w.item("b")); !errors.Is(err, ErrTryAgain) {
		t.Errorf("request lost: got error %v, want ErrTryAgain", err)
	}
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "TransactWriteItems" {
			return dynamotest.Fault{Reasons: []string{"TransactionConflict", "None"}}
		}
		return dynamotest.Fault{}
	})
	s.Clock.Wait = func(context.Context, time.Duration) error { return errImpatient }
	if _, err := s.Hold(t.Context(), p, "2", w.item("b")); !errors.Is(err, ErrTryAgain) {
		t.Errorf("conflicts: got error %v, want ErrTryAgain", err)
	}
	w.dynamo.Intercept(nil)
	if got := w.row(p).Holders; !slices.Equal(got, []string{"1"}) {
		t.Errorf("got holders %v, want 1 alone", got)
	}
}

// What a process has in memory does not outlast its own change of the holders.
func TestHoldersInMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	held := func() bool {
		a, err := s.Token(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return a.HeldBy("9")
	}
	if held() {
		t.Error("held by 9 before")
	}
	if _, err := s.Hold(t.Context(), p, "9"); err != nil || !held() {
		t.Errorf("after Hold: error %v, held %t", err, held())
	}
	if _, err := s.Release(t.Context(), p, "9"); err != nil || held() {
		t.Errorf("after Release: error %v, held %t", err, held())
	}
}
