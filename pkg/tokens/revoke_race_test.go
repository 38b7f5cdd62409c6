package tokens

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procoretest"
)

// The last holder leaves, and a new one comes: one of the two is first.
func TestRevokeAgainstANewHolder(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		s := w.store()
		p := w.authorize(s).Principal
		if _, err := s.Release(t.Context(), p, acme); err != nil {
			t.Fatal(err)
		}
		// The new holder is first: at the latest when the revocation claims the grant.
		once := false
		w.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
			if operation == "TransactWriteItems" && bytes.Contains(body, []byte(revocation)) && !once {
				once = true
				if _, err := w.store().Hold(t.Context(), p, "9"); err != nil {
					t.Error(err)
				}
			}
			return dynamotest.Fault{}
		})
		if err := s.Revoke(t.Context(), p, "asked for"); !errors.Is(err, ErrHeld) || !once {
			t.Errorf("got error %v, want ErrHeld", err)
		}
		w.dynamo.Intercept(nil)
		if a, err := s.Token(t.Context(), p); err != nil || w.works(a) != nil || w.row(p).State != Active {
			t.Errorf("got error %v, %s; want a token that works", err, w.row(p).State)
		}
		// The revocation is first: the holder waits for its end.
		if _, err := s.Release(t.Context(), p, "9"); err != nil {
			t.Fatal(err)
		}
		claimed := w.claimRevocation(s)
		_, err := w.whileWaiting(func(ctx context.Context) (Grant, error) { return w.store().Hold(ctx, p, "9", w.item("a")) }, func() { w.finish(s, claimed) })
		if !errors.Is(err, ErrRevoked) {
			t.Errorf("Hold: got error %v, want ErrRevoked", err)
		}
		if got := w.row(p); got.State != Revoked || got.HeldBy("9") {
			t.Errorf("got %s, holders %v; want revoked, none", got.State, got.Holders)
		}
	})
}

// claimRevocation claims Joe's grant for a revocation and stops there.
func (w *world) claimRevocation(s *Store) Grant {
	w.t.Helper()
	g := w.row(User(joe))
	pair, ring, err := s.open(w.t.Context(), g)
	if err != nil {
		w.t.Fatal(err)
	}
	claimed, _, err := s.claimRevocation(w.t.Context(), g, pair, ring)
	if err != nil {
		w.t.Fatal(err)
	}
	return claimed
}

// finish finishes a revocation.
func (w *world) finish(s *Store, claimed Grant) {
	w.t.Helper()
	pair, _, err := s.open(w.t.Context(), claimed)
	if err == nil {
		err = s.Discard(w.t.Context(), pair)
	}
	if err == nil {
		_, err = s.end(w.t.Context(), claimed, "a test")
	}
	if err != nil {
		w.t.Error(err)
	}
}

// An authorization that meets a revocation waits for its end. If Procore issued the very
// pair that is revoked, the user authorizes once more.
func TestAuthorizeDuringARevocation(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, s *Store, claimed Grant){
		"revoked": (*world).finish,
		"failed":  func(w *world, s *Store, claimed Grant) { s.endRevocation(w.t.Context(), claimed) },
		"a death": func(w *world, _ *Store, _ Grant) { w.clock.Advance(maxWork + skew + time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(w *world) {
				t := w.t
				s := w.store()
				p := w.authorizeOnly(s).Principal
				w.clock.Advance(time.Minute)
				claimed := w.claimRevocation(s)
				a := w.authorization()
				old, _, err := s.open(t.Context(), claimed)
				if err != nil {
					t.Fatal(err)
				}
				_, err = w.whileWaiting(func(ctx context.Context) (Grant, error) { return w.store().Authorize(ctx, a, w.item("a")) }, func() { end(w, s, claimed) })
				if same := old.RefreshToken.Equal(a.Pair.RefreshToken); same != errors.Is(err, ErrStale) || !same && err != nil {
					t.Errorf("the same pair %t: got error %v", same, err)
				}
				if err != nil {
					if err := s.Discard(t.Context(), a.Pair); err != nil {
						t.Fatal(err)
					}
					w.authorizeOnly(w.store())
				}
				if _, err := s.Hold(t.Context(), p, acme); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
						t.Errorf("got error %v, want a token that works", err)
					}
					w.clock.Advance(2 * time.Hour)
				}
				w.presented()
			})
		})
	}
}

// Revoking waits for the refresh in flight and revokes what that stores.
func TestRevokeDuringARefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorizeOnly(s).Principal
	w.clock.Advance(89 * time.Minute)
	held := w.claim(s)
	fresh := w.refreshed(held)
	impatient := w.impatientStore(0)
	if err := impatient.Revoke(t.Context(), p, "asked for"); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain while a refresh is in flight", err)
	}
	_, err := w.whileWaiting(func(ctx context.Context) (Grant, error) { return Grant{}, w.store().Revoke(ctx, p, "asked for") }, func() {
		if _, _, err := held.store(t.Context(), fresh); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if got := w.row(p); got.State != Revoked || got.Generation != 2 || w.live() != 0 {
		t.Errorf("got %s, generation %d, and %d pairs valid at Procore; want revoked, 2, none", got.State, got.Generation, w.live())
	}
}

// A pair that arrives after the grant was revoked, or while it is, is revoked too.
func TestLatePairOfARevokedGrant(t *testing.T) {
	t.Parallel()
	for _, during := range []bool{false, true} {
		w := newWorld(t)
		s := w.store()
		p := w.authorizeOnly(s).Principal
		w.clock.Advance(89 * time.Minute)
		held := w.claim(s)
		fresh := w.refreshed(held)
		w.clock.Advance(time.Minute - time.Second) // the claim has expired: no process waits for it
		other := w.store()
		if during {
			claimed := w.claimRevocation(other)
			held.store(t.Context(), fresh)
			w.finish(other, claimed)
		} else {
			if err := other.Revoke(t.Context(), p, "asked for"); err != nil {
				t.Fatal(err)
			}
			held.store(t.Context(), fresh)
		}
		if got := w.row(p); !during && got.Transitions[1].State != Uncertain {
			t.Errorf("got transitions %v, want the claim to be ended before another takes its place", got.Transitions)
		}
		if got := w.row(p); got.State != Revoked || got.pair.Ciphertext != nil {
			t.Errorf("during %t: got %s, with a pair: %t; want revoked, without", during, got.State, got.pair.Ciphertext != nil)
		}
		if got := w.live(); got != 0 {
			t.Errorf("during %t: %d pairs are valid at Procore, want none", during, got)
		}
		if err := w.works(Access{token: fresh.AccessToken}); err == nil {
			t.Errorf("during %t: the late access token works", during)
		}
	}
}

// The grant is used while it is revoked: its last use does not keep it.
func TestRevokeDuringAUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorizeOnly(s).Principal
	w.options(procoretest.OptionsPatch{ExpiresInSeconds: new(int64(3 * 24 * 3600))})
	w.authorizeOnly(s)
	w.clock.Advance(25 * time.Hour)
	claimed := w.claimRevocation(s)
	if _, err := w.store().Token(t.Context(), p); err != nil || w.row(p).Rev == claimed.Rev {
		t.Fatalf("got error %v, revision %d; want a use that is recorded", err, w.row(p).Rev)
	}
	w.finish(s, claimed)
	if got := w.row(p).State; got != Revoked {
		t.Errorf("the grant is %s, want revoked", got)
	}
}

// A revocation that a new authorization overtakes is an error: the grant is there.
func TestRevokeIsOvertaken(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		s := w.store()
		p := w.authorizeOnly(s).Principal
		once := false
		w.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
			if operation == "TransactWriteItems" && bytes.Contains(body, []byte(revocation)) && !once {
				once = true
				w.clock.Advance(time.Minute)
				w.authorizeOnly(w.store())
			}
			return dynamotest.Fault{}
		})
		if err := s.Revoke(t.Context(), p, "asked for"); !once || !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		w.dynamo.Intercept(nil)
		if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil || w.row(p).State != Active {
			t.Errorf("got error %v, %s; want a token that works", err, w.row(p).State)
		}
	})
}
