package tokens

import (
	"context"
	"errors"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procoretest"
)

// noRevocation makes Procore refuse the next revocation, of a pair whose successor Procore
// might end with it.
func (w *world) noRevocation() {
	w.t.Helper()
	w.fault("revoke", procoretest.Fault{Kind: procoretest.Status, Status: 500})
}

// A pair whose row has moved on is dropped: the newer authorization may have the same
// pair, or one that Procore would end with it. A store that is repeated late, after its
// answer was lost, does the same.
func TestOvertakenPair(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		p := w.authorize(w.store()).Principal
		w.clock.Advance(2 * time.Hour)
		var q queue
		s := w.rescued(&q)
		held := w.claim(s)
		fresh := w.refreshed(held)
		newer := w.authorize(w.store())
		w.noRevocation()
		for range 2 {
			if _, again, err := held.store(t.Context(), fresh); !again {
				t.Errorf("got error %v, want that the grant is read again", err)
			}
		}
		if got := w.row(p); got.Generation != newer.Generation || got.State != Active || len(q.messages) != 0 {
			t.Errorf("got generation %d, %s, %d rescued; want %d, active, none", got.Generation, got.State, len(q.messages), newer.Generation)
		}
		for range 2 {
			if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
				t.Errorf("got error %v, want a token that works", err)
			}
			w.clock.Advance(2 * time.Hour)
		}
		w.presented()
	})
}

// The answer to a store is lost, and before it is repeated another process refreshes the
// grant: the pair was stored, and is not revoked.
func TestStoreRepeatedLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	held := w.claim(s)
	fresh := w.refreshed(held)
	if _, _, err := held.store(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.noRevocation()
	if _, again, err := held.store(t.Context(), fresh); !again {
		t.Errorf("got error %v, want that the grant is read again", err)
	}
}

// An authorization that Procore answers with the pair that a refresh just fetched, or just
// spent, and that pair in the rescue queue: whichever is stored first, the grant works.
func TestRescueAndAnAuthorization(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		p := w.authorize(w.store()).Principal
		w.clock.Advance(89 * time.Minute)
		var q queue
		s := w.rescued(&q)
		held := w.claim(s)
		before := w.authorization() // with return: the pair that is spent next
		fresh, err := w.oauth.Refresh(t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
		if err != nil { // with kill
			held.settle(t.Context(), err)
		} else {
			w.dynamo.Intercept(failing("UpdateItem"))
			ctx, cancel := context.WithTimeout(t.Context(), rescueTime+300*time.Millisecond)
			defer cancel()
			if _, _, err := held.store(ctx, fresh); !errors.Is(err, ErrTryAgain) {
				t.Errorf("got error %v, want ErrTryAgain", err)
			}
			w.dynamo.Intercept(nil)
		}
		w.clock.Advance(maxWork + skew + time.Second)
		if _, err := w.store().Authorize(t.Context(), before); errors.Is(err, ErrStale) {
			if err := w.store().Discard(t.Context(), before.Pair); err != nil {
				t.Fatal(err)
			}
			w.authorize(w.store())
		} else if err != nil {
			t.Fatal(err)
		}
		if len(q.messages) > 0 {
			for range 2 {
				if err := q.restore(w.store()); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 {
			if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
				t.Errorf("got error %v, want a token that works", err)
			}
			w.clock.Advance(2 * time.Hour)
		}
		w.presented()
	})
}

// failing makes an operation of storage fail.
func failing(operation string) func(string, []byte) dynamotest.Fault {
	return func(name string, _ []byte) dynamotest.Fault {
		if name == operation {
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	}
}
