package tokens

import (
	"errors"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// All clients of a store that Procore counts together know together that nothing
// is left: nobody's call is refused by Procore.
func TestClientsShareTheRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := 1
	if err := w.procore.UpdateOptions(procoretest.OptionsPatch{SpikeLimit: &one}); err != nil {
		t.Fatal(err)
	}
	s := w.store()
	c := w.connect(s)
	env := w.oauth.Environment
	if _, err := s.Client(env, c.Key).Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client(env, c.Key, procore.WithMaxWait(0)).Me(t.Context()); !errors.Is(err, procore.ErrRateLimited) {
		t.Errorf("got %v, want ErrRateLimited", err)
	}
	if got := len(w.procore.State().Calls); got != 1 {
		t.Errorf("got %d calls, want 1", got)
	}
	w.clock.Advance(12 * time.Second)
	if _, err := s.Client(env, c.Key, procore.WithMaxWait(0)).Me(t.Context()); err != nil {
		t.Errorf("in the next window: %v", err)
	}
}

func TestOwnerOfARateLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b Key
		same bool
	}{
		{Key{1, User(7)}, Key{1, User(7)}, true},
		{Key{1, User(7)}, Key{2, User(7)}, true},
		{Key{1, User(7)}, Key{1, User(8)}, false},
		{Key{1, App}, Key{1, App}, true},
		{Key{1, App}, Key{2, App}, false},
		{Key{1, App}, Key{1, User(1)}, false},
	}
	for _, tt := range tests {
		if got := owner(tt.a) == owner(tt.b); got != tt.same {
			t.Errorf("%s and %s: got %t, want %t", tt.a, tt.b, got, tt.same)
		}
	}
}
