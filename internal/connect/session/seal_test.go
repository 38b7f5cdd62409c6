package session

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// A sealed pair opens in its own row alone, and a verifier is not a pair. What does not
// open is abandoned, and nothing is sent to Procore.
func TestSealIsBoundToTheRow(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	refused := func(what string, s Session) {
		t.Helper()
		if got, err := w.Store.open(ctx, s, Authorized); err == nil || !samePair(got, procore.Token{}) {
			t.Errorf("%s was opened", what)
		}
		if got, err := w.Move(ctx, s); !errors.Is(err, ErrEnded) || got.Status != Abandoned || got.Reason != Dead {
			t.Errorf("%s: Move = %s, %v, want it abandoned", what, got.Status, err)
		}
		w.wants(s.Flow, Abandoned, true, false, false)
	}
	mine, cookie := w.authorized()
	other, _ := w.authorized()
	w.overwrite(mine.Flow, map[string]types.AttributeValue{"sealed": w.item(other.Flow)["sealed"]})
	refused("another row's pair", w.find(mine.Flow, cookie))
	st := w.begin()
	w.overwrite(st.Flow, map[string]types.AttributeValue{"status": dynamo.Text(string(Authorized))})
	refused("a verifier", w.find(st.Flow, st.Cookie))
	for name, value := range map[string]string{"environment": "production", "client": tokens.ClientHash("another")} {
		moved, _ := w.authorized()
		w.overwrite(moved.Flow, map[string]types.AttributeValue{name: dynamo.Text(value)})
		s, err := w.Reread(ctx, moved)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(accessLife + time.Second) // until then it is kept
		refused("a pair of another "+name, s)
	}
	if calls := w.procore.State().Calls; len(calls) > 0 {
		t.Errorf("Procore was called: %v", calls)
	}
	back, cookie := w.authorized()
	w.overwrite(back.Flow, map[string]types.AttributeValue{"status": dynamo.Text(string(Started)), "session": dynamo.Text(FlowOf(procore.NewSecret("a state")))})
	if _, verifier, err := w.Consume(ctx, procore.NewSecret("a state"), cookie); err == nil || !verifier.IsZero() {
		t.Error("a pair was opened as a verifier")
	}
}

// A ring that is older than the row is read again, once.
func TestKeysAreReadAgain(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	old := w.ring
	w.ring = newRing(t, 2)
	s, _ := w.authorized()
	other, _ := w.authorized()
	st := w.begin()
	w.next, w.ring = w.ring, old
	w.move(s)
	w.ring = old
	if _, verifier, err := w.Consume(ctx, st.State, st.Cookie); err != nil || !verifier.Equal(st.Verifier) {
		t.Errorf("Consume: %v", err)
	}
	newer := w.ring
	w.ring, w.next = old, nil
	if _, err := w.Move(ctx, other); !errors.Is(err, keys.ErrUnknown) || errors.Is(err, ErrEnded) {
		t.Errorf("an unknown key: %v, want ErrUnknown", err)
	}
	w.wants(other.Flow, Authorized, false, true, true)
	w.ring = newer
	w.move(other)
}

// A session whose key never returns does not remain for ever.
func TestKeyIsGone(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	old := w.ring
	w.ring = newRing(t, 2)
	s, _ := w.authorized()
	w.ring = old
	w.clock.Advance(ChoiceLifetime)
	if _, err := w.Move(ctx, s); !errors.Is(err, keys.ErrUnknown) || errors.Is(err, ErrEnded) {
		t.Errorf("within the time for the choice: %v, want ErrUnknown", err)
	}
	w.clock.Advance(time.Second)
	if _, err := w.Move(ctx, s); !errors.Is(err, ErrEnded) {
		t.Errorf("afterwards: %v, want ErrEnded", err)
	}
	w.wants(s.Flow, Abandoned, true, false, false)
}

func TestSessionHidesSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cookie := w.authorized()
	secrettest.NotPrinted(t, s, cookie.Reveal(), "fake-access-", "fake-refresh-")
	secrettest.NotReachable(t, s, cookie.Reveal(), "fake-access-", "fake-refresh-")
	st := w.begin()
	secrettest.NotPrinted(t, st, st.State.Reveal(), st.Verifier.Reveal(), st.Cookie.Reveal())
}
