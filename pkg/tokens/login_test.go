package tokens

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// A user whose grant needs an authorization, because a refresh had no answer, although the
// request never arrived: Procore may issue the grant's own pair again, which is never
// sent. The login ends after one more.
func TestLoginLoop(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		s := w.store()
		p := w.authorize(s).Principal
		w.clock.Advance(10 * time.Minute)
		w.fault("token", procoretest.Fault{Kind: procoretest.Reset})
		if _, err := s.Upkeep().Refresh(t.Context(), p, 2*time.Hour); err != nil { // uncertain, and the token is valid
			t.Fatal(err)
		}
		w.fault("api", procoretest.Fault{Kind: procoretest.Status, Status: 401, Times: 2})
		w.get(s.Transport(p))
		if got := w.row(p).State; got != Reauthorize {
			t.Fatalf("the grant is %s, want reauthorize", got)
		}
		var stale int
		for {
			a := w.authorization()
			_, err := s.Authorize(t.Context(), a)
			if err == nil {
				break
			}
			if stale++; !errors.Is(err, ErrStale) || stale > 1 {
				t.Fatalf("login %d: got error %v, want ErrStale, once", stale, err)
			}
			if err := s.Discard(t.Context(), a.Pair); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if a, err := s.Token(t.Context(), p); err != nil || w.works(a) != nil {
				t.Errorf("got error %v, want a token that works", err)
			}
			w.clock.Advance(2 * time.Hour)
		}
		w.presented()
	})
}

// A grant of another client id, or whose pair does not open, is replaced.
func TestAuthorizeReplacesWhatIsOfNoUse(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*world){
		"another client": func(w *world) { w.oauth.ClientID = "another-app" },
		"another ring":   func(w *world) { w.ring = forged() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.authorizeOnly(w.store())
			spoil(w)
			a := w.authorization() // in the same second
			w.fault("/rest/v1.0/me", procoretest.Fault{Kind: procoretest.Status, Status: 401})
			g, err := w.store().Authorize(t.Context(), a)
			if err != nil || g.Generation != 2 {
				t.Errorf("got generation %d, %v; want 2", g.Generation, err)
			}
			if got, err := w.store().Current(t.Context(), User(joe)); err != nil || !got.Bearer().Equal(a.Pair.AccessToken) {
				t.Errorf("got error %v, want the new pair", err)
			}
		})
	}
}

// A pair without a refresh token, which can have no successor, is replaced by one that
// has one, although it was issued later.
func TestAuthorizeReplacesAPairWithoutARefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	a := w.authorization()
	w.clock.Advance(10 * time.Second)
	w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 200,
		Body: fmt.Sprintf(`{"access_token":"fake-access-x","expires_in":5400,"created_at":%d}`, w.clock.Now().Unix())})
	if _, err := s.Token(t.Context(), p); err != nil || !w.row(p).IssuedAt.After(a.Pair.IssuedAt) {
		t.Fatalf("got error %v, a pair issued at %v", err, w.row(p).IssuedAt)
	}
	if g, err := s.Authorize(t.Context(), a); err != nil || g.Generation != 3 {
		t.Errorf("got generation %d, %v; want 3", g.Generation, err)
	}
	w.clock.Advance(2 * time.Hour)
	if a, err := s.Token(t.Context(), p); err != nil || w.works(a) != nil {
		t.Errorf("got error %v, want a token that works", err)
	}
}

// When a key of the ring cannot be read, a pair that may be good is not replaced.
func TestAuthorizeWithoutAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.authorizeOnly(w.store())
	before := w.row(User(joe))
	s := w.store()
	s.Keys = secrettest.Constant(newRing("k2", "k2"))
	w.fault("/rest/v1.0/me", procoretest.Fault{Kind: procoretest.Status, Status: 401}) // of the new pair
	if _, err := s.Authorize(t.Context(), w.authorization()); !errors.Is(err, ErrTryAgain) || !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("got error %v, want ErrTryAgain and keys.ErrUnknown", err)
	}
	if got := w.row(User(joe)); got.Rev != before.Rev {
		t.Error("the grant was written")
	}
}

// An authorization of an app or a ring that cannot be read changes nothing.
func TestAuthorizeWithoutASecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.authorization()
	broken := errors.New("the secret cannot be read")
	for name, spoil := range map[string]func(*Store){
		"ring":              func(s *Store) { s.Keys = failingSecret[*keys.Ring](broken) },
		"credentials":       func(s *Store) { s.OAuth = failingSecret[*procore.OAuth](broken) },
		"other environment": func(s *Store) { s.Environment.Name = "federal" },
	} {
		s := w.store()
		spoil(s)
		if _, err := s.Authorize(t.Context(), a); !errors.Is(err, ErrTryAgain) {
			t.Errorf("%s: got error %v, want ErrTryAgain", name, err)
		}
	}
	if _, err := w.store().Grant(t.Context(), User(joe)); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
}
