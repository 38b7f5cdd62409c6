package tokens

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// What fails on the way to the token endpoint fails before the claim, and then
// at once for a while.
func TestUnreachableClaimsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.connect(w.store()).Key
	before := w.row(key)
	w.clock.Advance(2 * time.Hour)
	dials, down := 0, true
	w.oauth.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; down {
			return nil, errors.New("no route to host")
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	s := w.store()
	for _, step := range []struct {
		passed time.Duration // since the last call
		dials  int           // so far
	}{{0, 1}, {0, 1}, {time.Second, 2}, {time.Second, 2}, {time.Second, 3}, {4 * time.Second, 4}, {time.Hour, 5}} {
		w.clock.Advance(step.passed)
		if _, err := s.Token(t.Context(), key); !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		if dials != step.dials {
			t.Errorf("got %d connections after %v, want %d", dials, step.passed, step.dials)
		}
	}
	if after := w.row(key); after.Rev != before.Rev {
		t.Errorf("the row was written %d times, want none", after.Rev-before.Rev)
	}
	w.clock.Advance(maxUnreachable)
	down = false
	if _, err := s.Token(t.Context(), key); err != nil {
		t.Error(err)
	}
	w.clock.Advance(2 * time.Hour)
	down = true
	if _, err := s.Token(t.Context(), key); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	dials = 0
	w.clock.Advance(minUnreachable)
	if _, _ = s.Token(t.Context(), key); dials != 1 {
		t.Errorf("after a success the pause is as long as before: %d connections, want 1", dials)
	}
}
