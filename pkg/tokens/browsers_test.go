package tokens

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"procore-connect/pkg/procoretest"
)

// Two browsers of one user authorize the app at once. Whichever is stored first, and
// whatever Procore's created_at is, the grant works, and no pair is revoked: it may be
// the one that the other browser is choosing with.
func TestTwoBrowsers(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{0, 2 * time.Second} {
		for _, laterFirst := range []bool{false, true} {
			for _, created := range []string{"both", "none", "the first", "the second"} {
				t.Run(fmt.Sprintf("%v apart, later first %t, created_at of %s", apart, laterFirst, created), func(t *testing.T) {
					t.Parallel()
					inModes(t, func(w *world) {
						t := w.t
						first := w.authorization()
						w.clock.Advance(apart)
						second := w.authorization()
						if created == "none" || created == "the second" {
							first.Pair.IssuedAt = time.Time{}
						}
						if created == "none" || created == "the first" {
							second.Pair.IssuedAt = time.Time{}
						}
						w.noRevocation()
						order := []Authorization{first, second}
						if laterFirst {
							order = []Authorization{second, first}
						}
						w.storeBoth(order)
						got := w.row(User(joe))
						if created == "both" && apart > 0 && !got.IssuedAt.Equal(second.Pair.IssuedAt) {
							t.Errorf("the pair issued at %v is stored, want the later one, of %v", got.IssuedAt, second.Pair.IssuedAt)
						}
						for range 2 {
							if a, err := w.store().Token(t.Context(), User(joe)); err != nil || w.works(a) != nil {
								t.Errorf("got error %v, want a token that works", err)
							}
							w.clock.Advance(2 * time.Hour)
						}
						w.presented()
					})
				})
			}
		}
	}
}

// storeBoth stores two authorizations, each with its own session.
func (w *world) storeBoth(order []Authorization) {
	w.t.Helper()
	for i, a := range order {
		if g, err := w.store().Authorize(w.t.Context(), a, w.item(fmt.Sprint("session ", i))); err != nil || g.State != Active {
			w.t.Errorf("authorization %d: %s, error %v; want active", i, g.State, err)
		}
	}
}

// Which of two pairs is newer is not known while Procore does not answer to either: the
// grant remains as it is, and the same pair is stored later.
func TestTwoBrowsersDuringAnOutage(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		w.authorizeOnly(w.store())
		second := w.authorization() // in the same second
		same := w.row(User(joe)).IssuedAt.Equal(second.Pair.IssuedAt)
		for _, status := range []int{500, 429, 403} {
			w.fault("/rest/v1.0/me", procoretest.Fault{Kind: procoretest.Status, Status: status})
			before := w.row(User(joe)).Rev
			_, err := w.store().Authorize(t.Context(), second)
			w.procore.ClearFaults()
			if returned := w.row(User(joe)).Generation == 1 && err == nil; returned {
				return // the same pair again needs no answer
			}
			if !errors.Is(err, ErrTryAgain) || w.row(User(joe)).Rev != before || !same {
				t.Errorf("status %d: got error %v after %d writes, want ErrTryAgain after none", status, err, w.row(User(joe)).Rev-before)
			}
		}
		if g, err := w.store().Authorize(t.Context(), second); err != nil || g.Generation != 2 {
			t.Errorf("after the outage: generation %d, %v; want 2", g.Generation, err)
		}
		if a, err := w.store().Token(t.Context(), User(joe)); err != nil || w.works(a) != nil {
			t.Errorf("got error %v, want a token that works", err)
		}
	})
}

// A grant of which is not known whether its pair is good does not outlast a pair that is,
// although it was issued later.
func TestEarlierPairReplacesAnUncertainOne(t *testing.T) {
	t.Parallel()
	for _, works := range []bool{true, false} {
		w := newWorld(t)
		earlier := w.authorization()
		w.clock.Advance(10 * time.Second)
		p := w.uncertain()
		if !works {
			if err := w.oauth.Revoke(t.Context(), earlier.Pair); err != nil {
				t.Fatal(err)
			}
		}
		g, err := w.store().Authorize(t.Context(), earlier)
		if err != nil || (g.State == Active) != works {
			t.Errorf("the earlier pair works %t: got %s, error %v", works, g.State, err)
		}
		if got := w.row(p).Generation; works != (got == 2) {
			t.Errorf("the earlier pair works %t: got generation %d", works, got)
		}
	}
}

// The later of two pairs stays although its access token has expired: that Procore
// rejects it proves nothing, and its refresh token is good.
func TestLaterPairStaysAfterItExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{SecondAuthorization: new(procoretest.Kill)})
	earlier := w.authorization()
	w.clock.Advance(2 * time.Second)
	p := w.authorizeOnly(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	if g, err := w.store().Authorize(t.Context(), earlier); err != nil || g.Generation != 1 {
		t.Errorf("generation %d, error %v; want 1", g.Generation, err)
	}
	if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
		t.Errorf("got error %v, want a token that works", err)
	}
}
