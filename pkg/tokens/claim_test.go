package tokens

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
)

// A claim whose process died makes the grant uncertain. Its generation and attempt
// remain, so what the process stores late still lands.
func TestDeadHolder(t *testing.T) {
	t.Parallel()
	for _, lateBy := range []time.Duration{0, uncertainFor} {
		w := newWorld(t)
		s := w.store()
		p := w.authorize(s).Principal
		w.clock.Advance(2 * time.Hour)
		held := w.claim(s)

		w.clock.Advance(maxWork + skew + time.Second)
		if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
			t.Errorf("after the claim: got error %v, want ErrTryAgain", err)
		}
		want, state := ErrTryAgain, Uncertain
		if w.clock.Advance(lateBy); lateBy > 0 {
			want, state = ErrReauthorize, Reauthorize
		}
		if _, err := w.store().Token(t.Context(), p); !errors.Is(err, want) {
			t.Errorf("%v later: got error %v, want %v", lateBy, err, want)
		}
		if got := w.row(p); got.State != state || got.Generation != 1 || got.attempt != held.claimed.attempt {
			t.Errorf("got %s, generation %d, attempt %q; want %s and those of the claim, 1 and %q", got.State, got.Generation, got.attempt, state, held.claimed.attempt)
		}

		// The holder was not dead.
		if _, _, err := held.store(t.Context(), w.refreshed(held)); err != nil {
			t.Fatal(err)
		}
		if got := w.row(p); got.State != Active || got.Generation != 2 {
			t.Errorf("got %s, generation %d; want active, 2", got.State, got.Generation)
		}
		if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
			t.Errorf("got error %v, want a token that works", err)
		}
		w.presented()
	}
}

// A claim that did not reach storage is not confirmed by another's.
func TestAnothersClaimDoesNotConfirm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, other := w.store(), w.store()
	g := w.authorize(s)
	w.clock.Advance(2 * time.Hour)
	var claims atomic.Int64
	w.dynamo.Intercept(func(operation string, _ []byte) (f dynamotest.Fault) {
		if operation == "TransactWriteItems" && claims.Add(1) == 1 {
			w.claim(other) // the other process's claim, which lands
			f.Drop = true
		}
		return f
	})
	pair, _, err := s.open(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	r := &refresh{Store: s, principal: g.Principal, pair: pair, ring: w.ring, ledger: s.ledger(g.Principal, w.ring, pair.RefreshToken), oauth: w.oauth, end: w.clock.Now().Add(maxWork)}
	if taken, again, err := r.takeClaim(t.Context(), g); taken || !again {
		t.Errorf("taken %t, %v; want that the grant is read again: the claim is the other's", taken, err)
	}
}

// A claim of which nothing is known is released while there still is time: nothing was
// sent.
func TestClaimNotReadBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	var transactions atomic.Int64
	w.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
		switch {
		case operation == "TransactWriteItems" && transactions.Add(1) == 1:
			return dynamotest.Fault{Drop: true, Applied: true}
		case operation == "GetItem" && transactions.Load() == 1 && bytes.Contains(body, []byte(p)):
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	ctx, cancel := context.WithTimeout(t.Context(), minWork+deadlineReserve+time.Second)
	defer cancel()
	_, err := Wrap(s, func(ctx context.Context, _ struct{}) (Access, error) { return s.Token(ctx, p) })(ctx, struct{}{})
	if !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if got := w.row(p); got.claimed() || got.State != Active {
		t.Errorf("the row is %s, claimed %t; want active and free", got.State, got.claimed())
	}
	if a, err := w.store().Token(t.Context(), p); err != nil || a.Generation != 2 {
		t.Errorf("got generation %d, %v; want a refresh", a.Generation, err)
	}
}

// A claim whose answer was lost is read back after a process whose clock is ahead ended
// it: it is released, because its token was not sent.
func TestClaimThatWasEndedBeforeItWasConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	ahead := w.storeAhead(10 * time.Minute)
	var claimed, ended atomic.Bool
	w.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
		switch {
		case operation == "TransactWriteItems" && !claimed.Swap(true):
			return dynamotest.Fault{Drop: true, Applied: true}
		case operation == "GetItem" && claimed.Load() && bytes.Contains(body, []byte(p)) && !ended.Swap(true):
			if g, err := ahead.settled(t.Context(), p); err != nil || g.State != Uncertain {
				t.Errorf("the other process: %s, %v; want uncertain", g.State, err)
			}
		}
		return dynamotest.Fault{}
	})
	if a, err := s.Token(t.Context(), p); err != nil || a.Generation != 2 {
		t.Errorf("got generation %d, error %v; want a refresh by a second claim", a.Generation, err)
	}
	if got := w.row(p); got.claimed() || got.State != Active {
		t.Errorf("the row is %s, claimed %t; want active and free", got.State, got.claimed())
	}
	if got := len(w.spends()); got != 1 || w.presented() != 1 {
		t.Errorf("the ledger has %d tokens and %d were sent, want 1 of each", got, w.presented())
	}
	w.atRest()
}

// A claim whose answer was lost, and whose row is gone when it is read back.
func TestClaimOfARowThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	var claimed atomic.Bool
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "TransactWriteItems" && !claimed.Swap(true) {
			w.remove(p)
			return dynamotest.Fault{Drop: true}
		}
		return dynamotest.Fault{}
	})
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	if got := w.presented(); got != 0 {
		t.Errorf("%d tokens were sent, want none", got)
	}
}

// A release makes the token usable again, and fences the claim.
func TestRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	before := w.row(p)
	held := w.claim(s)
	if err := s.release(t.Context(), held.claimed, held.ledger); err != nil {
		t.Fatal(err)
	}
	if _, result, err := s.claim(t.Context(), before, held.ledger, w.clock.Now().Add(time.Minute)); result != claimLost {
		t.Errorf("a claim on the revision before the release: got %v, %v, want claimLost", result, err)
	}
	if _, err := w.store().Token(t.Context(), p); err != nil {
		t.Error(err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// Nor does a claim land that was still on its way when it was released.
func TestReleaseBeforeTheClaimLands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	before := w.authorize(s)
	l := s.ledger(before.Principal, w.ring, procore.NewSecret("fake-refresh-on-its-way"))
	wanted := before
	wanted.attempt, wanted.claimUntil = "on-its-way", w.clock.Now().Add(time.Minute)
	if err := s.release(t.Context(), wanted, l); err != nil {
		t.Fatal(err)
	}
	if _, result, err := s.claim(t.Context(), before, l, w.clock.Now().Add(time.Minute)); result != claimLost {
		t.Errorf("the late claim: got %v, %v, want claimLost", result, err)
	}
}

// A claim that storage did not answer, and does not have, may still arrive: it is released, so that it does not land.
func TestUnansweredClaimIsReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	before := w.authorize(s)
	l := s.ledger(before.Principal, w.ring, procore.NewSecret("fake-refresh-on-its-way"))
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		return dynamotest.Fault{Drop: operation == "TransactWriteItems"}
	})
	claimed, result, err := s.claim(t.Context(), before, l, w.clock.Now().Add(time.Minute))
	if result != claimStray || err == nil {
		t.Fatalf("got %v, %v, want claimStray and why", result, err)
	}
	w.dynamo.Intercept(nil)
	if err := s.release(t.Context(), claimed, l); err != nil {
		t.Fatal(err)
	}
	if _, result, err := s.claim(t.Context(), before, l, w.clock.Now().Add(time.Minute)); result != claimLost {
		t.Errorf("the late claim: got %v, %v, want claimLost", result, err)
	}
}
