package tokens

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/keys"
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
		got.client, got.write, got.pair, got.fingerprint = "", "", keys.Sealed{}, ""
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
	w.ring = newRing("k2", "k1", "k2")
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
