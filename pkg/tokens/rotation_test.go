package tokens

import (
	"context"
	"errors"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/keys"
)

// Rows sealed with an older key still open; new writes use the current one.
func TestSealKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	old, both := w.ring, newRing("k2", "k1", "k2")
	w.ring = both
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got := w.row(p).pair.KeyID; got != "k2" {
		t.Errorf("the new pair is sealed with %s, want k2", got)
	}
	// A warm process that knows only the old key reads the secret again.
	s := w.store()
	current := old
	s.Keys = secrettest.Func[*keys.Ring](func(_ context.Context, reread bool) (*keys.Ring, error) {
		if reread {
			current = both
		}
		return current, nil
	})
	if _, err := s.Token(t.Context(), p); err != nil {
		t.Error(err)
	}
	// One that cannot read it has no verdict on the grant.
	s = w.store()
	s.Keys = secrettest.Constant(old)
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrTryAgain) || !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("got error %v, want ErrTryAgain and ErrUnknown", err)
	}
}
