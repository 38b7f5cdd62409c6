package tokens

import (
	"context"
	"errors"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// A user authorizes while the grant's pair is being spent, with each way in which that may
// end. If Procore issues that very pair again, the authorization waits for the end, and
// the grant has the successor, or the user authorizes once more.
func TestAuthorizeWhileThePairIsSpent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end   func(w *world, held *refresh)
		stale bool // with return
	}{
		"success": {(*world).succeed, false},
		"refusal": {func(w *world, held *refresh) {
			held.settle(w.t.Context(), &procore.TokenError{Outcome: procore.Refused, Code: "invalid_grant"})
		}, true},
		"no answer": {func(w *world, held *refresh) { held.settle(w.t.Context(), errors.New("no answer")) }, true},
		"a death":   {func(w *world, _ *refresh) { w.clock.Advance(maxWork + skew + time.Second) }, true},
		"a death after Procore's answer": {func(w *world, held *refresh) {
			w.oauth.Refresh(w.t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
			w.clock.Advance(maxWork + skew + time.Second)
		}, true},
		"not sent": {func(w *world, held *refresh) {
			held.settle(w.t.Context(), &procore.TokenError{Outcome: procore.NotSent, Err: errors.New("not reached")})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(w *world) {
				t := w.t
				p := w.authorize(w.store()).Principal
				w.clock.Advance(89 * time.Minute)
				held := w.claim(w.store())
				w.clock.Advance(5 * time.Second)
				a := w.authorization()
				authorize := func(ctx context.Context) (Grant, error) { return w.store().Authorize(ctx, a, w.item("a session")) }
				var err error
				same := a.Pair.RefreshToken.Equal(held.pair.RefreshToken)
				if same {
					_, err = w.whileWaiting(authorize, func() { test.end(w, held) })
				} else {
					_, err = authorize(t.Context())
					test.end(w, held)
				}
				if want := map[bool]error{true: ErrStale}[same && test.stale]; !errors.Is(err, want) {
					t.Errorf("got error %v, want %v", err, want)
				}
				if errors.Is(err, ErrStale) {
					if err := w.store().Discard(t.Context(), a.Pair); err != nil {
						t.Fatal(err)
					}
					w.authorizeOnly(w.store())
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

// succeed ends a claim as a refresh does that Procore answers: with a pair, or because the
// second authorization ended the first pair, with a refusal.
func (w *world) succeed(held *refresh) {
	w.t.Helper()
	fresh, err := w.oauth.Refresh(w.t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
	if err != nil {
		held.settle(w.t.Context(), err)
		return
	}
	held.store(w.t.Context(), fresh)
}

// A pair whose refresh token was sent before, and a grant that has another pair: that is
// the result, in one transaction with the session. It is so whichever of the two Procore
// issued later, and with or without created_at.
func TestAuthorizeWithASpentPair(t *testing.T) {
	t.Parallel()
	for _, issued := range []bool{true, false} {
		w := newWorld(t)
		w.options(procoretest.OptionsPatch{SecondAuthorization: new(procoretest.Return)})
		s := w.store()
		p := w.authorize(s).Principal
		w.clock.Advance(10 * time.Minute)
		a := w.authorization() // the grant's pair, stored late
		if !issued {
			a.Pair.IssuedAt = time.Time{}
		}
		if _, err := s.Upkeep().Refresh(t.Context(), p, 2*time.Hour); err != nil {
			t.Fatal(err)
		}
		g, err := s.Authorize(t.Context(), a, w.item("a session"))
		if err != nil || g.Generation != 2 {
			t.Errorf("got generation %d, %v; want the successor, 2", g.Generation, err)
		}
		if _, err := s.Authorize(t.Context(), a, w.item("a session")); !errors.Is(err, ErrUsed) {
			t.Errorf("the session once more: got error %v, want ErrUsed", err)
		}
		w.clock.Advance(2 * time.Hour)
		if a, err := s.Token(t.Context(), p); err != nil || w.works(a) != nil {
			t.Errorf("got error %v, want a token that works", err)
		}
		w.presented()
	}
}

// The only grant that has a spent pair is one that is active: without it the user
// authorizes once more.
func TestSpentPairWithoutAGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	a := w.authorization()
	a.Pair, _, _ = s.open(t.Context(), w.row(p))
	w.claim(s)
	w.clock.Advance(maxWork + skew + time.Second)
	for name, spoil := range map[string]func(){
		"no grant":           func() { w.remove(p) },
		"of another client":  func() { w.authorizeOnly(s); w.oauth.ClientID = "another" },
		"of a revoked grant": func() { w.oauth.ClientID = "fake-client-id"; w.remove(p); w.authorizeOnly(s); w.revoke(s) },
		"of an ended claim":  func() {},
	} {
		spoil()
		if _, err := s.Authorize(t.Context(), a); !errors.Is(err, ErrStale) {
			t.Errorf("%s: got error %v, want ErrStale", name, err)
		}
	}
}
