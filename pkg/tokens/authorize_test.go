package tokens

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

func TestFirstAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	if _, err := s.Token(t.Context(), User(joe)); !errors.Is(err, ErrNotFound) {
		t.Errorf("before: got error %v, want ErrNotFound", err)
	}
	a := w.authorization()
	g, err := s.Authorize(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	now := w.clock.Now()
	want := Grant{
		Principal: "user#1234567", State: Active, Generation: 1, Rev: 1, RedirectURI: redirectURI, UnheldAt: now,
		Expiry: a.Pair.Expiry, IssuedAt: a.Pair.IssuedAt, RefreshedAt: now, LastUsed: now,
		Transitions: []Transition{{State: Active, Generation: 1, At: now, Reason: granted}},
	}
	for what, got := range map[string]Grant{"returned": g, "stored": w.row(User(joe))} {
		got.client, got.write, got.pair, got.fingerprint = "", "", Sealed{}, ""
		if diff := cmp.Diff(got, want, cmp.AllowUnexported(Grant{})); diff != "" {
			t.Errorf("%s (-got +want):\n%s", what, diff)
		}
	}
	if a, err := s.Token(t.Context(), User(joe)); err != nil || w.works(a) != nil {
		t.Errorf("got error %v, want a token that works", err)
	}
}

// A second authorization by the same user: no token is sent twice, and the grant works.
func TestSecondAuthorization(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		p := w.authorize(w.store()).Principal
		for _, after := range []time.Duration{time.Minute, 2 * time.Hour} {
			w.clock.Advance(after)
			w.authorizeOnly(w.store())
			if got := w.row(p); !got.HeldBy(acme) || !got.UnheldAt.IsZero() {
				t.Errorf("got holders %v, unheld since %v; want %s, and held", got.Holders, got.UnheldAt, acme)
			}
			for range 2 {
				if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
					t.Errorf("got error %v, want a token that works", err)
				}
				w.clock.Advance(2 * time.Hour)
			}
		}
		w.presented()
	})
}

// The grant's own pair again changes nothing but the time of its use.
func TestSamePairAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{SecondAuthorization: new(procoretest.Return)})
	w.authorizeOnly(w.store())
	before := w.row(User(joe))
	w.clock.Advance(10 * time.Minute)
	if _, err := w.store().Authorize(t.Context(), w.authorization(), w.item("a session")); err != nil {
		t.Fatal(err)
	}
	want := before
	want.UnheldAt, want.LastUsed = w.clock.Now(), w.clock.Now()
	want.Rev++
	got := w.row(User(joe))
	want.write = got.write
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(Grant{})); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
	if _, err := w.store().Authorize(t.Context(), w.authorization(), w.item("a session")); !errors.Is(err, ErrUsed) {
		t.Errorf("the same session once more: got error %v, want ErrUsed", err)
	}
	// The pair of another key of the ring is the same, too.
	w.keys.material["k2"] = ring(t, "k2", "k2").material["k2"]
	w.keys.current = "k2"
	if g, err := w.store().Authorize(t.Context(), w.authorization()); err != nil || g.Generation != 1 {
		t.Errorf("after a rotation: generation %d, %v; want 1", g.Generation, err)
	}
}

// Another item that refuses the transaction leaves the grant as it is.
func TestAuthorizeUsed(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		s := w.store()
		if _, err := s.Authorize(t.Context(), w.authorization(), w.item("other"), w.item("a session")); err != nil {
			t.Fatal(err)
		}
		before := w.row(User(joe))
		w.clock.Advance(time.Minute)
		if _, err := s.Authorize(t.Context(), w.authorization(), w.item("third"), w.item("a session")); !errors.Is(err, ErrUsed) {
			t.Errorf("got error %v, want ErrUsed", err)
		}
		if diff := cmp.Diff(w.row(User(joe)), before, cmp.AllowUnexported(Grant{})); diff != "" {
			t.Errorf("the grant changed (-got +want):\n%s", diff)
		}
		// Also where the ledger refuses at the same time.
		w.claim(s)
		w.clock.Advance(maxWork + skew + time.Second)
		if _, err := s.Authorize(t.Context(), w.authorization(), w.item("a session")); !errors.Is(err, ErrUsed) {
			t.Errorf("with a token that was sent: got error %v, want ErrUsed", err)
		}
	})
}

// The answer of the transaction is lost. Authorize finds out whether it was made.
func TestAuthorizeAnswerLost(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{true, false} {
		inModes(t, func(w *world) {
			t := w.t
			s := w.store()
			w.authorize(s)
			for _, after := range []time.Duration{time.Minute, 2 * time.Hour} {
				w.clock.Advance(after)
				a, before := w.authorization(), w.row(User(joe))
				w.dynamo.Intercept(dynamotest.Nth(1, "TransactWriteItems", dynamotest.Fault{Drop: true, Applied: applied}))
				g, err := s.Authorize(t.Context(), a, w.item("session after "+after.String()))
				w.dynamo.Intercept(nil)
				if applied != (err == nil) || !applied && !errors.Is(err, ErrTryAgain) {
					t.Errorf("applied %t: got error %v", applied, err)
				}
				if err != nil {
					if g, err = s.Authorize(t.Context(), a, w.item("session after "+after.String())); err != nil {
						t.Fatal(err)
					}
				}
				if got := w.row(User(joe)); got.Rev != before.Rev+1 || got.Generation != g.Generation {
					t.Errorf("got %d writes and generation %d, want 1 and %d", got.Rev-before.Rev, got.Generation, g.Generation)
				}
			}
			if a, err := s.Token(t.Context(), User(joe)); err != nil || w.works(a) != nil {
				t.Errorf("got error %v, want a token that works", err)
			}
		})
	}
}

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
		"another ring":   func(w *world) { w.keys = ring(w.t, "k1", "k1") },
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
	s.Keys = secrettest.Constant(ring(t, "k2", "k2"))
	w.fault("/rest/v1.0/me", procoretest.Fault{Kind: procoretest.Status, Status: 401}) // of the new pair
	if _, err := s.Authorize(t.Context(), w.authorization()); !errors.Is(err, ErrTryAgain) || !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got error %v, want ErrTryAgain and ErrUnknownKey", err)
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
		"ring":              func(s *Store) { s.Keys = failingSecret[*Keys](broken) },
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
