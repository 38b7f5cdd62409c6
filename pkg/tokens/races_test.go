package tokens

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// The grant's pair was issued later by its created_at, and is dead all the same: its user
// revoked it, or Procore's servers do not agree on the time. The pair that works wins.
func TestLaterPairIsDead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode  procoretest.SecondAuthorization
		dies  func(w *world)
		ahead time.Duration
	}{
		"revoked":                     {procoretest.Keep, func(w *world) { w.revokedAtProcore(User(joe)) }, 10 * time.Second},
		"ended by an earlier-looking": {procoretest.Kill, func(*world) {}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.options(procoretest.OptionsPatch{SecondAuthorization: &test.mode})
			dead := w.authorization()
			dead.Pair.IssuedAt = dead.Pair.IssuedAt.Add(test.ahead)
			if _, err := w.store().Authorize(t.Context(), dead); err != nil {
				t.Fatal(err)
			}
			works := w.authorization()
			test.dies(w)
			g, err := w.store().Authorize(t.Context(), works)
			if err != nil || g.Generation != 2 {
				t.Errorf("got generation %d, error %v; want the second pair", g.Generation, err)
			}
			if a, err := w.store().Token(t.Context(), User(joe)); err != nil || w.works(a) != nil {
				t.Errorf("got error %v, want a token that works", err)
			}
		})
	}
}

// A grant was restored from a backup after its refresh token had been sent in vain, and
// Procore issues that very pair again: the authorization does not end in a grant that can
// never be refreshed.
func TestRestoredPairIsIssuedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{SecondAuthorization: new(procoretest.Return)})
	p := w.authorize(w.store()).Principal
	restore := w.backup(p)
	w.clock.Advance(time.Hour)
	w.claim(w.store()) // its process dies before the request arrives
	w.clock.Advance(10 * time.Minute)
	restore()
	a := w.authorization()
	if _, err := w.store().Authorize(t.Context(), a, w.item("a session")); !errors.Is(err, ErrStale) {
		t.Errorf("got error %v, want ErrStale", err)
	}
	if err := w.store().Discard(t.Context(), a.Pair); err != nil {
		t.Fatal(err)
	}
	w.authorizeOnly(w.store())
	w.clock.Advance(2 * time.Hour)
	if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
		t.Errorf("got error %v, want a token that works", err)
	}
	w.presented()
}

// A pair is stale in one browser. Before it is discarded, the process that claimed it finds
// that it sent nothing, and another browser authorizes with the same pair: that one is not
// left with what the first one discards.
func TestStalePairIsReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{SecondAuthorization: new(procoretest.Return)})
	p := w.authorize(w.store()).Principal
	w.clock.Advance(time.Hour)
	held := w.claim(w.store())
	w.clock.Advance(time.Minute) // it is frozen
	first := w.authorization()
	if _, err := w.store().Authorize(t.Context(), first); !errors.Is(err, ErrStale) {
		t.Fatalf("got error %v, want ErrStale", err)
	}
	held.settle(t.Context(), &procore.TokenError{Outcome: procore.NotSent})
	_, err := w.store().Authorize(t.Context(), w.authorization())
	if err := w.store().Discard(t.Context(), first.Pair); err != nil {
		t.Fatal(err)
	}
	if errors.Is(err, ErrStale) {
		w.authorizeOnly(w.store())
	} else if err != nil {
		t.Fatal(err)
	}
	if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
		t.Errorf("got error %v, want a token that works", err)
	}
}

// The pair of a refresh arrives at a revoked grant, and Procore issues it to a new
// authorization as well, before it is revoked.
func TestLatePairIsIssuedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{SecondAuthorization: new(procoretest.Return)})
	p := w.authorize(w.store()).Principal
	w.clock.Advance(time.Hour)
	held := w.claim(w.store())
	fresh := w.refreshed(held)
	w.clock.Advance(time.Minute) // it is frozen
	w.revoke(w.store())
	var again Authorization
	var err error
	held.OAuth = before[*procore.OAuth]{held.OAuth, func() { // Discard reads it
		if again.Principal == "" {
			again = w.authorization()
			_, err = w.store().Authorize(t.Context(), again)
		}
	}}
	held.store(t.Context(), fresh)
	if !again.Pair.RefreshToken.Equal(fresh.RefreshToken) {
		t.Fatal("Procore did not issue the pair again")
	}
	if err == nil {
		if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
			t.Errorf("got error %v, want a token that works", err)
		}
	} else if !errors.Is(err, ErrStale) {
		t.Errorf("got error %v, want ErrStale", err)
	}
	// If the authorization is faster, it has the pair, and the late one is dropped.
	w.authorizeOnly(w.store())
	g := w.row(p)
	pair, _, err := held.open(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	g.State = Revoked // as it was read before
	if err := held.superseded(t.Context(), g, homecoming{claimed: held.claimed, pair: pair}); err != nil {
		t.Error(err)
	}
	if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
		t.Errorf("the authorization was faster: got error %v, want a token that works", err)
	}
}

// before is a secret source that does something before each Get.
type before[T any] struct {
	keys.Source[T]
	get func()
}

func (b before[T]) Get(ctx context.Context) (T, error) {
	b.get()
	return b.Source.Get(ctx)
}

// A refresh is in flight, and has ended the old access token. A process whose clock is ten
// minutes ahead takes its claim for expired. It does not declare the grant dead.
func TestRejectedWhileARefreshIsInFlight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{RefreshKillsAccess: new(true)})
	g := w.authorize(w.store())
	ahead := w.impatientStore(10 * time.Minute)
	if _, err := ahead.Token(t.Context(), g.Principal); err != nil { // it is in memory
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	held := w.claim(w.store())
	fresh := w.refreshed(held)
	if resp, err := w.get(ahead.Transport(g.Principal)); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %v, error %v; want the 401", resp, err)
	}
	if got := w.row(g.Principal); got.State != Uncertain {
		t.Errorf("the grant is %s, want uncertain", got.State)
	}
	if _, _, err := held.store(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	if a, err := ahead.Token(t.Context(), g.Principal); err != nil || w.works(a) != nil {
		t.Errorf("got error %v, want a token that works", err)
	}
}

// A user authorizes again within the second in which the last holder was released, and a
// revocation waits for a refresh: it does not revoke the new authorization.
func TestAuthorizeWithinASecond(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		s := w.store()
		p := w.authorize(s).Principal
		w.clock.Advance(time.Minute)
		if _, err := s.Release(w.t.Context(), p, acme); err != nil {
			w.t.Fatal(err)
		}
		held := w.claim(w.store())
		_, err := w.whileWaiting(func(ctx context.Context) (Grant, error) { return Grant{}, s.Revoke(ctx, p, "a test") }, func() {
			held.settle(w.t.Context(), &procore.TokenError{Outcome: procore.NotSent})
			w.authorizeOnly(w.store())
		})
		if !errors.Is(err, ErrTryAgain) || w.row(p).State != Active {
			w.t.Errorf("got error %v and a grant that is %s; want ErrTryAgain, active", err, w.row(p).State)
		}
	})
}

// A use counts although background work keeps the process's memory fresh, and is recorded
// once a day.
func TestUseFromMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	for day := range 3 {
		w.clock.Advance(24 * time.Hour)
		for range 2 {
			if _, err := s.Upkeep().Token(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.row(p).LastUsed; !got.Before(w.clock.Now()) {
			t.Errorf("day %d: background work is recorded as use", day)
		}
		if _, err := s.Token(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got := w.row(p).LastUsed; !got.Equal(w.clock.Now()) {
			t.Errorf("day %d: last used %v, want %v", day, got, w.clock.Now())
		}
		reads := w.countReads()
		for range 10 {
			if _, err := s.Token(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if reads.Load() != 0 {
			t.Errorf("day %d: the grant was read %d times, want 0", day, reads.Load())
		}
	}
}

// A process claims and is frozen. The grant is revoked, and the process finds that it sent
// nothing, while the revocation is on its way and Procore issues the pair once more: the
// authorization does not store what is about to be revoked.
func TestReleaseDuringARevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{SecondAuthorization: new(procoretest.Return)})
	p := w.authorize(w.store()).Principal
	w.clock.Advance(time.Hour)
	held := w.claim(w.store())
	w.clock.Advance(time.Minute)
	s := w.store()
	if _, err := s.Release(t.Context(), p, acme); err != nil {
		t.Fatal(err)
	}
	var again error
	first := true
	s.OAuth = before[*procore.OAuth]{s.OAuth, func() {
		if !w.row(p).revoking(w.clock.Now()) || !first {
			return
		}
		first = false
		held.settle(t.Context(), &procore.TokenError{Outcome: procore.NotSent})
		a := w.authorization()
		_, again = w.storeAhead(time.Minute).Authorize(t.Context(), a) // for which the revocation's claim has expired
	}}
	if err := s.Revoke(t.Context(), p, "a test"); err != nil && !errors.Is(err, ErrTryAgain) {
		t.Error(err)
	}
	if first {
		t.Fatal("the revocation was not claimed")
	}
	if again == nil {
		if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
			t.Errorf("got error %v, want a token that works", err)
		}
	} else if !errors.Is(again, ErrStale) {
		t.Errorf("got error %v, want ErrStale", again)
	}
}

// A pair arrives at a grant whose revocation was cut short: it is revoked.
func TestLatePairAfterHalfARevocation(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(w *world, s *Store){
		"Procore failed": func(w *world, s *Store) {
			w.fault("revoke", procoretest.Fault{Kind: procoretest.Status, Status: 503})
			if err := s.Revoke(w.t.Context(), User(joe), "a test"); !errors.Is(err, ErrTryAgain) {
				w.t.Errorf("got error %v, want ErrTryAgain", err)
			}
		},
		"its process died": func(w *world, s *Store) {
			g := w.row(User(joe))
			pair, ring, err := s.open(w.t.Context(), g)
			if err != nil {
				w.t.Fatal(err)
			}
			if _, _, err := s.claimRevocation(w.t.Context(), g, pair, ring); err != nil {
				w.t.Fatal(err)
			}
			w.clock.Advance(time.Minute)
			w.store().Token(w.t.Context(), User(joe))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.authorize(w.store()).Principal
			w.clock.Advance(time.Hour)
			held := w.claim(w.store())
			fresh := w.refreshed(held)
			w.clock.Advance(time.Minute)
			s := w.store()
			if _, err := s.Release(t.Context(), p, acme); err != nil {
				t.Fatal(err)
			}
			w.store().Token(t.Context(), p) // it ends the claim
			cut(w, s)
			held.store(t.Context(), fresh)
			if w.live() != 0 {
				t.Error("the late pair is still good")
			}
			if err := s.Revoke(t.Context(), p, "a test"); err != nil || w.row(p).State != Revoked {
				t.Errorf("got error %v, %s; want revoked", err, w.row(p).State)
			}
		})
	}
}

// A process finds that it sent nothing, and its token is in the ledger under another
// attempt, as of a pair that is to be discarded: the doubt remains.
func TestReleaseLeavesADoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{SecondAuthorization: new(procoretest.Return)})
	p := w.authorize(w.store()).Principal
	w.clock.Advance(time.Hour)
	held := w.claim(w.store())
	w.clock.Advance(time.Minute)
	if _, err := w.store().Authorize(t.Context(), w.authorization()); !errors.Is(err, ErrStale) {
		t.Fatalf("got error %v, want ErrStale", err)
	}
	held.settle(t.Context(), &procore.TokenError{Outcome: procore.NotSent})
	if got := w.row(p); got.State != Uncertain || got.claimed() {
		t.Errorf("got %s, claimed %t; want uncertain, without a claim", got.State, got.claimed())
	}
	if _, err := w.store().Hold(t.Context(), p, "9"); !errors.Is(err, ErrTryAgain) {
		t.Errorf("a new holder: got error %v, want ErrTryAgain", err)
	}
}
