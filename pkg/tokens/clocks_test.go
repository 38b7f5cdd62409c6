package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
)

// offsets are how far the clocks of three processes are ahead.
var offsets = []time.Duration{0, 5 * time.Minute, 10 * time.Minute}

// storeAhead returns the store of a process whose clock is ahead.
func (w *world) storeAhead(by time.Duration) *Store {
	s := w.store()
	s.Clock.Time = func() time.Time { return w.clock.Now().Add(by) }
	return s
}

// Three processes whose clocks are minutes apart refresh a grant in turn, and all ask for
// its token while each refresh is in flight: it is never declared dead.
func TestThreeClocks(t *testing.T) {
	t.Parallel()
	for _, lasts := range []time.Duration{0, 10 * time.Second, maxWork - time.Second} {
		t.Run(fmt.Sprintf("refreshes of %v", lasts), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.authorize(w.store()).Principal
			var inFlight, uncertain int
			for round := range 3 * len(offsets) {
				w.clock.Advance(2 * time.Hour)
				var storing atomic.Bool
				w.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
					if operation != "UpdateItem" || !bytes.Contains(body, []byte(p)) || storing.Swap(true) {
						return dynamotest.Fault{}
					}
					w.clock.Advance(lasts)
					for _, by := range offsets {
						if _, err := w.impatientStore(by).Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
							t.Errorf("%v ahead: got error %v while a refresh is in flight, want ErrTryAgain", by, err)
						}
						inFlight++
						if w.row(p).State == Uncertain {
							uncertain++
						}
					}
					return dynamotest.Fault{}
				})
				refresher := w.storeAhead(offsets[round%len(offsets)])
				if a, err := refresher.Token(t.Context(), p); err != nil || a.Generation != int64(round+2) {
					t.Fatalf("round %d: got generation %d, error %v; want %d", round, a.Generation, err, round+2)
				}
				w.dynamo.Intercept(nil)
				for _, by := range offsets {
					if a, err := w.storeAhead(by).Token(t.Context(), p); err != nil || w.works(a) != nil {
						t.Errorf("round %d, %v ahead: got error %v, want a token that works", round, by, err)
					}
				}
				for _, tr := range w.row(p).Transitions {
					if tr.State == Reauthorize {
						t.Fatalf("round %d: the grant was declared dead: %v", round, w.row(p).Transitions)
					}
				}
			}
			if inFlight == 0 || uncertain == 0 {
				t.Errorf("%d calls while a refresh was in flight, %d of them saw an uncertain grant; want some", inFlight, uncertain)
			}
			w.presented()
		})
	}
}

// impatientStore is storeAhead of a process that waits for no other.
func (w *world) impatientStore(ahead time.Duration) *Store {
	s := w.storeAhead(ahead)
	s.Clock.Wait = func(context.Context, time.Duration) error { return errImpatient }
	return s
}

var errImpatient = errors.New("a test does not wait")

// With three clocks a claim whose process died is given up no sooner than five minutes
// after it ended, whichever process marked it and whichever gives it up.
func TestThreeClocksAndADeadHolder(t *testing.T) {
	t.Parallel()
	for _, claimed := range offsets {
		for _, marked := range offsets {
			for _, read := range offsets {
				w := newWorld(t)
				p := w.authorize(w.store()).Principal
				w.clock.Advance(2 * time.Hour)
				begin := w.clock.Now()
				w.claim(w.storeAhead(claimed))
				const step = 20 * time.Second
				for w.row(p).State != Reauthorize {
					w.clock.Advance(step)
					for _, by := range []time.Duration{marked, read} {
						if _, err := w.impatientStore(by).Token(t.Context(), p); err == nil {
							t.Error("a token came out of a claim whose process died")
						}
					}
				}
				if took := w.clock.Now().Sub(begin); took < 5*time.Minute || took > 41*time.Minute {
					t.Errorf("claimed %v, marked %v, read %v ahead: given up after %v, want 5 to 41 minutes", claimed, marked, read, took)
				}
			}
		}
	}
}

// A claim outlasts the work of its process by what the clocks of two processes may differ.
func TestClaimAllowsForSkew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.claim(w.store())
	w.clock.Advance(maxWork)
	if g, err := w.storeAhead(skew-time.Second).settled(t.Context(), p); err != nil || g.State != Active || !g.claimed() {
		t.Errorf("got %s, claimed %t, error %v; want active, claimed", g.State, g.claimed(), err)
	}
}

// A clock that was set back does not stretch the time until the grant is read again.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	g := w.authorize(s)
	w.clock.Advance(time.Hour)
	if _, err := s.Token(t.Context(), g.Principal); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(-time.Hour)
	other := w.store()
	if _, err := other.Release(t.Context(), g.Principal, acme); err != nil {
		t.Fatal(err)
	}
	if err := other.Revoke(t.Context(), g.Principal, "a test"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), g.Principal); !errors.Is(err, ErrRevoked) {
		t.Errorf("got error %v, want ErrRevoked", err)
	}
}
