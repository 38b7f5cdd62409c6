package tokens

import (
	"context"
	"errors"
	"testing"
	"time"

	"procore-connect/pkg/procoretest"
)

func TestRevoke(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		for name, age := range map[string]time.Duration{"valid": time.Minute, "expired": 2 * time.Hour} {
			s := w.store()
			p := w.authorize(s).Principal
			if _, err := s.Token(t.Context(), p); err != nil { // it is in memory
				t.Fatal(err)
			}
			w.clock.Advance(age)
			if err := s.Revoke(t.Context(), p, "asked for"); !errors.Is(err, ErrHeld) {
				t.Errorf("%s, with a holder: got error %v, want ErrHeld", name, err)
			}
			if got := w.row(p); got.State != Active || got.claimed() {
				t.Errorf("%s, with a holder: %s, claimed %t; want active, free", name, got.State, got.claimed())
			}
			if _, err := s.Release(t.Context(), p, acme); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := s.Revoke(t.Context(), p, "asked for"); err != nil {
					t.Fatal(err)
				}
			}
			if got := w.row(p); got.State != Revoked || got.pair.Ciphertext != nil || got.claimed() || got.Reason != "asked for" || got.fingerprint != "" {
				t.Errorf("%s: got %s because %q, claimed %t, with a pair: %t; want revoked, asked for, without", name, got.State, got.Reason, got.claimed(), got.pair.Ciphertext != nil)
			}
			if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrRevoked) {
				t.Errorf("%s: got error %v, want ErrRevoked", name, err)
			}
			if got := w.live(); got != 0 {
				t.Errorf("%s: %d pairs are valid at Procore, want none", name, got)
			}
		}
		if got := w.authorize(w.store()); got.State != Active || got.Generation != 4 { // after two authorizations and a refresh
			t.Errorf("authorized again: %s, generation %d; want active, 4", got.State, got.Generation)
		}
		if a, err := w.store().Token(t.Context(), User(joe)); err != nil || w.works(a) != nil {
			t.Errorf("authorized again: got error %v, want a token that works", err)
		}
		w.presented()
	})
}

// Procore ignores the revocation of a pair that has expired. So it is refreshed first.
func TestRevokeAnExpiredPair(t *testing.T) {
	t.Parallel()
	status := func(status int, body string) func(*world) {
		return func(w *world) {
			w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: status, Body: body})
		}
	}
	for name, test := range map[string]struct {
		damage func(*world)
		err    error
		state  State
		live   int // refresh tokens that Procore accepts
	}{
		"refreshed":       {func(*world) {}, nil, Revoked, 0},
		"no answer":       {status(503, ""), ErrTryAgain, Uncertain, 0},
		"refused":         {status(400, `{"error":"invalid_grant"}`), nil, Revoked, 0},
		"cannot be asked": {func(w *world) { w.oauth.Environment.LoginURL = "http://127.0.0.1:1" }, ErrTryAgain, Active, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.store()
			p := w.authorizeOnly(s).Principal
			w.clock.Advance(2 * time.Hour)
			test.damage(w)
			if err := s.Revoke(t.Context(), p, "asked for"); !errors.Is(err, test.err) {
				t.Errorf("got error %v, want %v", err, test.err)
			}
			if got := w.row(p).State; got != test.state || w.live() != test.live {
				t.Errorf("the grant is %s, and Procore would accept %d refresh tokens; want %s, %d", got, w.live(), test.state, test.live)
			}
			w.presented()
		})
	}
}

// A revocation that failed leaves the grant for Unheld, and in doubt: no refresh sends its
// refresh token, and Procore may have revoked it.
func TestRevocationFails(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		s := w.store()
		p := w.authorizeOnly(s).Principal
		w.fault("revoke", procoretest.Fault{Kind: procoretest.Reset})
		if err := s.Revoke(t.Context(), p, "asked for"); !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		if got := w.row(p); got.State != Uncertain || got.claimed() || got.Reason != notRevoked {
			t.Errorf("got %s because %q, claimed %t; want uncertain, unclaimed", got.State, got.Reason, got.claimed())
		}
		if _, err := s.Hold(t.Context(), p, acme); !errors.Is(err, ErrTryAgain) {
			t.Errorf("Hold: got error %v, want ErrTryAgain", err)
		}
		w.clock.Advance(UnheldFor + time.Second)
		if got := w.unheld(s); len(got) != 1 {
			t.Errorf("unheld are %v, want the grant", got)
		}
		if err := s.Upkeep().Revoke(t.Context(), p, "asked for"); err != nil {
			t.Error(err)
		}
		if got := w.row(p).State; got != Revoked || w.live() != 0 {
			t.Errorf("the grant is %s, and %d pairs are valid at Procore; want revoked, none", got, w.live())
		}
	})
}

// A caller whose time is over leaves no claim behind.
func TestRevocationIsCutShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorizeOnly(s).Principal
	w.fault("revoke", procoretest.Fault{Kind: procoretest.Delay, DelayMS: 60_000})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Revoke(ctx, p, "asked for"); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if got := w.row(p); got.claimed() || got.State != Uncertain {
		t.Errorf("got %s, claimed %t; want uncertain, unclaimed", got.State, got.claimed())
	}
	if err := s.Revoke(t.Context(), p, "asked for"); err != nil || w.live() != 0 {
		t.Errorf("once more: %v, %d pairs valid at Procore", err, w.live())
	}
}

// A pair that does not open cannot be revoked, by no later attempt either. Nothing is sent, and the grant ends. So it is
// with one that is of another client id for longer than a mistake may last.
func TestRevokeAPairThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(*world)
		ages  []time.Duration
	}{
		"does not open":  {func(w *world) { w.ring = forged() }, []time.Duration{0, 2 * time.Hour}}, // another ring under the same key id
		"another client": {func(w *world) { w.oauth.ClientID = "another-app" }, []time.Duration{otherFor}},
	} {
		for _, age := range tt.ages {
			w := newWorld(t)
			p := w.authorizeOnly(w.store()).Principal
			w.clock.Advance(age)
			tt.spoil(w)
			requests := w.countLogins()
			if err := w.store().Revoke(t.Context(), p, "asked for"); err != nil {
				t.Fatal(err)
			}
			if got := w.row(p); got.State != Revoked || got.pair.Ciphertext != nil || requests.Load() != 0 {
				t.Errorf("%s: got %s, sealed %t, after %d requests; want revoked, without a pair, after none", name, got.State, got.pair.Ciphertext != nil, requests.Load())
			}
		}
	}
	// A key that cannot be read now is another matter.
	w := newWorld(t)
	p := w.authorizeOnly(w.store()).Principal
	w.ring = newRing("k2", "k2")
	if err := w.store().Revoke(t.Context(), p, "asked for"); !errors.Is(err, ErrTryAgain) || w.row(p).State != Active {
		t.Errorf("without the key: got error %v, %s; want ErrTryAgain, active", err, w.row(p).State)
	}
}

// A grant that is to be revoked while another app's secret is stored waits for the right one.
func TestRevokeWithAnotherAppsSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorizeOnly(w.store()).Principal
	right := *w.oauth
	w.oauth.ClientID = "another-app"
	w.clock.Advance(otherFor - time.Second)
	if err := w.store().Revoke(t.Context(), p, "asked for"); !errors.Is(err, errOtherClient) || w.row(p).State != Active {
		t.Errorf("got error %v, %s; want that of another client, active", err, w.row(p).State)
	}
	*w.oauth = right
	if err := w.store().Revoke(t.Context(), p, "asked for"); err != nil || w.row(p).State != Revoked || w.live() != 0 {
		t.Errorf("with the right secret: %v, %s, %d pairs valid at Procore; want it revoked", err, w.row(p).State, w.live())
	}
}

// Discard uses the newest credentials, and those of its own environment alone.
func TestDiscard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	a := w.authorization()
	s.Environment.Name = "federal"
	requests := w.countLogins()
	if err := s.Discard(t.Context(), a.Pair); err == nil || requests.Load() != 0 {
		t.Errorf("another environment: got error %v after %d requests, want one after none", err, requests.Load())
	}
	s = w.store()
	s.OAuth = w.outdated()
	if err := s.Discard(t.Context(), a.Pair); err != nil || w.live() != 0 {
		t.Errorf("with a secret that changed: %v, %d pairs valid at Procore; want none", err, w.live())
	}
	if err := s.Discard(t.Context(), a.Pair); err != nil {
		t.Errorf("once more: %v", err)
	}
}
