package session

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// A sealed pair opens in its own row alone, and a verifier is not a pair.
func TestSealIsBoundToTheRow(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	mine, cookie := w.pending()
	other, _ := w.pending()
	w.overwrite(mine.Flow, map[string]types.AttributeValue{"sealed": w.item(other.Flow)["sealed"]})
	if got, err := w.Pair(ctx, w.find(mine.Flow, cookie)); err == nil || !samePair(got, procore.Token{}) {
		t.Error("another row's pair was opened")
	}
	st := w.begin()
	w.overwrite(st.Flow, map[string]types.AttributeValue{"status": dynamo.Text(string(Pending))})
	if got, err := w.Pair(ctx, w.find(st.Flow, st.Cookie)); err == nil || !samePair(got, procore.Token{}) {
		t.Error("a verifier was opened as a pair")
	}
	back, cookie := w.pending()
	w.overwrite(back.Flow, map[string]types.AttributeValue{"status": dynamo.Text(string(Started)), "session": dynamo.Text(FlowOf(procore.NewSecret("a state")))})
	if _, verifier, err := w.Consume(ctx, procore.NewSecret("a state"), cookie); err == nil || !verifier.IsZero() {
		t.Error("a pair was opened as a verifier")
	}
}

// Pair returns ErrUsed for a session without one.
func TestPairStatus(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st := w.begin()
	for _, s := range []Session{w.find(st.Flow, st.Cookie), w.exchanging()} {
		if _, err := w.Pair(ctx, s); !errors.Is(err, ErrUsed) {
			t.Errorf("%s: %v, want ErrUsed", s.Status, err)
		}
	}
}

// A ring that is older than the row is read again, once.
func TestKeysAreReadAgain(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	old := w.keys
	w.keys = ring(t, 2)
	s, _ := w.pending()
	st := w.begin()
	w.next, w.keys = w.keys, old
	if got, err := w.Pair(ctx, s); err != nil || got.AccessToken.Reveal() != "fake-access-1" {
		t.Errorf("Pair: %v", err)
	}
	w.keys = old
	if _, verifier, err := w.Consume(ctx, st.State, st.Cookie); err != nil || !verifier.Equal(st.Verifier) {
		t.Errorf("Consume: %v", err)
	}
	w.keys, w.next = old, nil
	if _, err := w.Pair(ctx, s); !errors.Is(err, tokens.ErrUnknownKey) {
		t.Errorf("an unknown key: %v, want ErrUnknownKey", err)
	}
}

func TestSessionHidesSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cookie := w.pending()
	secrettest.NotPrinted(t, s, cookie.Reveal(), "fake-access-", "fake-refresh-")
	secrettest.NotReachable(t, s, cookie.Reveal(), "fake-access-", "fake-refresh-")
	st := w.begin()
	secrettest.NotPrinted(t, st, st.State.Reveal(), st.Verifier.Reveal(), st.Cookie.Reveal())
}
