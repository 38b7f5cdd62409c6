package tokens

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
)

// R1: no refresh token of a copied or restored table is sent, whatever was going on when it was copied. Its users
// authorize again; a pair that arrives late revives nothing.
func TestRestored(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(w *world, s *Store) (late func()){
		"active": func(w *world, s *Store) func() { w.authorize(s); return nil },
		"held by no one": func(w *world, s *Store) func() {
			w.authorizeOnly(s)
			return nil
		},
		"uncertain": func(w *world, _ *Store) func() { w.uncertain(); return nil },
		"during a refresh": func(w *world, s *Store) func() {
			w.authorize(s)
			w.clock.Advance(2 * time.Hour)
			held := w.claim(s)
			return func() { w.succeed(held) }
		},
		"during a revocation": func(w *world, s *Store) func() { w.authorizeOnly(s); w.claimRevocation(s); return nil },
		"during the revocation of an uncertain one": func(w *world, s *Store) func() {
			p := w.uncertain()
			if _, err := s.Release(w.t.Context(), p, acme); err != nil {
				w.t.Fatal(err)
			}
			w.claimRevocation(s)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.store()
			late := before(w, s)
			sent, p := w.presented(), User(joe)
			if n, err := w.store().Upkeep().Restored(t.Context(), ""); n != 1 || err != nil {
				t.Fatalf("ended %d, %v; want 1", n, err)
			}
			if g := w.row(p); g.State != Reauthorize || g.Reason != restored || g.claimed() {
				t.Errorf("the grant is %s, because %q, claimed %t", g.State, g.Reason, g.claimed())
			}
			if late != nil {
				late()
				sent++
			}
			w.clock.Advance(3 * time.Hour)
			if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrReauthorize) {
				t.Errorf("got error %v, want ErrReauthorize", err)
			}
			if got := w.presented(); got != sent {
				t.Errorf("%d refresh tokens were sent, want %d", got, sent)
			}
			if n, err := w.store().Upkeep().Restored(t.Context(), ""); n != 0 || err != nil {
				t.Errorf("the second time: ended %d, %v", n, err)
			}
			w.authorize(w.store())
			if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
				t.Errorf("after a new authorization: %v", err)
			}
		})
	}
}

// All users' grants end, however many there are, but not the app's own, which has no refresh token.
func TestRestoredEndsAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.many(30)
	s := w.store()
	if _, err := s.Token(t.Context(), App); err != nil {
		t.Fatal(err)
	}
	w.dynamo.Intercept(dynamotest.Nth(17, "GetItem", dynamotest.Fault{Code: "ProvisionedThroughputExceededException"}))
	first, err := s.Upkeep().Restored(t.Context(), "")
	if err == nil {
		t.Error("storage failed, and no error")
	}
	n, err := s.Upkeep().Restored(t.Context(), "")
	if err != nil || first+n != len(all) {
		t.Errorf("ended %d and %d of %d, %v", first, n, len(all), err)
	}
	if got := w.states(all); got[Reauthorize] != len(all) {
		t.Errorf("the grants are %v", got)
	}
	if got := w.row(App).State; got != Active {
		t.Errorf("the app's grant is %s", got)
	}
}

// A row that cannot be read is an error, and does not keep the others from ending. The reason names who said so.
func TestRestoredGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.many(3)
	s := w.store()
	w.put(map[string]types.AttributeValue{"grant": dynamo.Text(s.Environment.Name + "#user#12"), "state": dynamo.Number(7)})
	n, err := s.Upkeep().Restored(t.Context(), "an operator")
	if n != len(all) || err == nil {
		t.Errorf("ended %d of %d, %v; want all, and an error about the row", n, len(all), err)
	}
	if got, want := w.row(all[0]).Reason, restored+"; an operator"; got != want {
		t.Errorf("got reason %q, want %q", got, want)
	}
}
