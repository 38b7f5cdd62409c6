package tokens

import (
	"errors"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

func TestTokenIsTakenFromTheRowWhileFresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	s := w.store()
	for range 3 {
		a, err := s.Token(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.works(a); err != nil {
			t.Error(err)
		}
	}
	if got, want := w.presented(), 0; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

func TestExpiredTokenIsRefreshedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	for generation := int64(2); generation < 5; generation++ {
		w.clock.Advance(2 * time.Hour)
		a, err := w.store().Token(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.works(a); err != nil {
			t.Error(err)
		}
		if got := w.row(p); got.Generation != generation || got.State != Active || got.claimed() || !got.HeldBy(acme) {
			t.Errorf("got generation %d, %s, claimed %t, holders %v; want %d, active, unclaimed, %s", got.Generation, got.State, got.claimed(), got.Holders, generation, acme)
		}
	}
	if got, want := w.presented(), 3; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// Current returns the token as it is, and refreshes nothing.
func TestCurrent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	if _, err := s.Current(t.Context(), User(joe)); !errors.Is(err, ErrNotFound) {
		t.Errorf("before the authorization: got error %v, want ErrNotFound", err)
	}
	p := w.authorize(s).Principal
	w.clock.Advance(89 * time.Minute)
	if a, err := s.Current(t.Context(), p); err != nil || a.Generation != 1 || w.works(a) != nil {
		t.Errorf("got generation %d, %v; want 1, and a token that works", a.Generation, err)
	}
	w.clock.Advance(time.Minute)
	if _, err := s.Current(t.Context(), p); !errors.Is(err, ErrReauthorize) {
		t.Errorf("expired: got error %v, want ErrReauthorize", err)
	}
	if got := w.row(p); got.State != Active || w.presented() != 0 {
		t.Errorf("the grant is %s after %d refreshes, want active after none", got.State, w.presented())
	}
	w.revokedAtProcore(p)
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if _, err := s.Current(t.Context(), p); !errors.Is(err, ErrReauthorize) {
		t.Errorf("reauthorize: got error %v, want ErrReauthorize", err)
	}
}

// An answer without a refresh token is good until its access token expires.
func TestNoRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 200, Body: `{"access_token":"fake-access-x","expires_in":5400}`})
	for range 2 {
		if a, err := w.store().Token(t.Context(), p); err != nil || a.Bearer().Reveal() != "fake-access-x" {
			t.Errorf("Token = %v, %v, want the access token of the answer", a, err)
		}
		w.clock.Advance(89 * time.Minute)
	}
	w.clock.Advance(time.Minute)
	if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrReauthorize) || !strings.Contains(err.Error(), noSuccessor) {
		t.Errorf("got error %v, want ErrReauthorize with its reason", err)
	}
	if got := w.row(p); got.State != Reauthorize || w.presented() != 1 {
		t.Errorf("got state %s after %d refreshes, want reauthorize after 1", got.State, w.presented())
	}
}

// What an answer means for a grant whose access token has expired: an unknown outcome
// makes it uncertain, for a while.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	fault := func(f procoretest.Fault) func(*world) { return func(w *world) { w.fault("token", f) } }
	for name, test := range map[string]struct {
		damage func(*world)
		want   error // of Token
		state  State
		then   error // of Token after the time of uncertainty
	}{
		"500":              {fault(procoretest.Fault{Kind: procoretest.Status, Status: 500}), ErrTryAgain, Uncertain, ErrReauthorize},
		"429":              {fault(procoretest.Fault{Kind: procoretest.Status, Status: 429}), ErrTryAgain, Uncertain, ErrReauthorize},
		"200 without JSON": {fault(procoretest.Fault{Kind: procoretest.Status, Status: 200, Body: "<html>"}), ErrTryAgain, Uncertain, ErrReauthorize},
		"answer lost":      {fault(procoretest.Fault{Kind: procoretest.Drop}), ErrTryAgain, Uncertain, ErrReauthorize},
		"reset":            {fault(procoretest.Fault{Kind: procoretest.Reset}), ErrTryAgain, Uncertain, ErrReauthorize},
		"wrong secret":     {func(w *world) { w.oauth.ClientSecret = procore.NewSecret("another") }, ErrTryAgain, Uncertain, ErrReauthorize},
		"refused":          {func(w *world) { w.revokedAtProcore(User(joe)) }, ErrReauthorize, Reauthorize, ErrReauthorize},
		"not reached":      {func(w *world) { w.oauth.Environment.LoginURL = "http://127.0.0.1:1" }, ErrTryAgain, Active, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			healthy := *w.oauth
			p := w.authorize(w.store()).Principal
			w.clock.Advance(2 * time.Hour)
			test.damage(w)
			if _, err := w.store().Token(t.Context(), p); !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if got := w.row(p); got.State != test.state || got.claimed() {
				t.Errorf("got state %s, claimed %t; want %s, unclaimed", got.State, got.claimed(), test.state)
			}
			*w.oauth = healthy
			w.clock.Advance(uncertainFor)
			if err := w.store().Upkeep().Probe(t.Context()); err != nil { // a wrong secret opened the breaker
				t.Fatal(err)
			}
			if _, err := w.store().Token(t.Context(), p); !errors.Is(err, test.then) {
				t.Errorf("afterwards: got error %v, want %v", err, test.then)
			}
			if got := w.presented(); got > 2 { // the probe's is one
				t.Errorf("%d refresh tokens were sent, want the grant's once", got)
			}
			for range 2 { // the user authorizes, and all is well
				w.authorize(w.store())
				w.clock.Advance(2 * time.Hour)
				if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
					t.Errorf("authorized again: got error %v, want a token that works", err)
				}
			}
		})
	}
}

// A refusal names Procore's request, and a grant that ended long ago since when.
func TestRefusalNamesTheRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	begin := w.clock.Now()
	w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`, Headers: map[string]string{"X-Request-Id": "fake-request-1"}})
	for _, after := range []time.Duration{0, time.Hour} {
		w.clock.Set(begin.Add(after))
		_, err := w.store().Token(t.Context(), p)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Decision != ErrReauthorize || e.RequestID != "fake-request-1" || !e.Since.Equal(begin) || e.Principal != p { //nolint:errorlint // the field holds a sentinel
			t.Errorf("after %v: got error %v, want ErrReauthorize of %s since %v by fake-request-1", after, err, p, begin)
		}
	}
	if got := w.row(p).Transitions; len(got) != 2 || got[1].State != Reauthorize || got[1].Generation != 1 || got[1].Attempt == "" {
		t.Errorf("got transitions %v, want the authorization and reauthorize", got)
	}
}

// A grant remembers its last transitions only. A refresh that succeeds makes no transition.
func TestTransitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	for range maxTransitions + 1 {
		w.clock.Advance(2 * time.Hour)
		w.authorize(w.store())
	}
	w.clock.Advance(2 * time.Hour)
	if a, err := w.store().Token(t.Context(), p); err != nil || a.Generation != maxTransitions+3 {
		t.Fatalf("generation %d, error %v; want a refresh", a.Generation, err)
	}
	got := w.row(p).Transitions
	if len(got) != maxTransitions || got[0].Generation != 3 || got[maxTransitions-1].Generation != maxTransitions+2 {
		t.Errorf("got %d transitions, from generation %d to %d; want %d, the last ones", len(got), got[0].Generation, got[len(got)-1].Generation, maxTransitions)
	}
}
