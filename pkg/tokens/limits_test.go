package tokens

import (
	"errors"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// All clients of a store that Procore counts together know together that nothing is left:
// Procore refuses no call.
func TestClientsShareTheRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{SpikeLimit: new(1)})
	s := w.store()
	p := w.authorize(s).Principal
	if _, err := w.company(s, s.Transport(p)).Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.company(s, s.Transport(p), procore.WithMaxWait(0)).Me(t.Context()); !errors.Is(err, procore.ErrRateLimited) {
		t.Errorf("got %v, want ErrRateLimited", err)
	}
	other := procore.NewUserClient(w.oauth.Environment, s.Bearer(procore.NewSecret("fake-access-x")), s.Options("another", procore.WithMaxWait(0))...)
	if _, err := other.Me(t.Context()); errors.Is(err, procore.ErrRateLimited) {
		t.Error("another owner's call is limited too")
	}
	if got := len(w.procore.State().Calls); got != 2 {
		t.Errorf("got %d calls, want 2", got)
	}
	w.clock.Advance(12 * time.Second)
	if _, err := w.company(s, s.Transport(p), procore.WithMaxWait(0)).Me(t.Context()); err != nil {
		t.Errorf("in the next window: %v", err)
	}
}
