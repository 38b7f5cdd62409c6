package session

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
)

// The answer to a write is lost after the write, and the SDK repeats it. Even then a
// state is not valid twice. Where a random value proves that the write was ours, the
// step succeeds.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	retrying := *w.Store
	retrying.DB = dynamotest.Client(w.url, func(o *dynamodb.Options) {
		o.RetryMaxAttempts = 3
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	})
	lose := func(operation string) {
		w.dynamo.Intercept(dynamotest.Nth(1, operation, dynamotest.Fault{Drop: true, Applied: true}))
	}

	lose("PutItem")
	st, err := retrying.Begin(ctx, Opening{RedirectURI: testRedirect})
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	lose("UpdateItem")
	if _, verifier, err := retrying.Consume(ctx, st.State, st.Cookie); !errors.Is(err, ErrUsed) || !verifier.IsZero() {
		t.Errorf("Consume: %v, want ErrUsed: whose write it was is unknown", err)
	}
	exchanging := w.exchanging()
	lose("UpdateItem")
	cookie, err := retrying.StorePair(ctx, exchanging, testCode, w.pair())
	if err != nil {
		t.Fatalf("StorePair: %v", err) // the user would start again
	}
	pending := w.move(w.find(exchanging.Flow, cookie))
	lose("UpdateItem")
	if _, err := retrying.Choose(ctx, pending, 1); !errors.Is(err, ErrUsed) {
		t.Errorf("Choose: %v, want ErrUsed", err)
	}
	if again, err := w.Reread(ctx, pending); err != nil || again.Status != Chosen || again.CompanyID != 1 {
		t.Errorf("Reread = %s of company %d, %v, want our choice", again.Status, again.CompanyID, err)
	}
}

// Without a repetition the caller receives an error, and the row shows what happened.
func TestLostAnswerWithoutRepetition(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st := w.begin()
	w.dynamo.Intercept(dynamotest.Nth(1, "UpdateItem", dynamotest.Fault{Drop: true, Applied: true}))
	if _, verifier, err := w.Consume(ctx, st.State, st.Cookie); err == nil || errors.Is(err, ErrUsed) || !verifier.IsZero() {
		t.Errorf("Consume: %v, want the storage's error", err)
	}
	if _, _, err := w.Consume(ctx, st.State, st.Cookie); !errors.Is(err, ErrUsed) {
		t.Errorf("Consume again: %v, want ErrUsed", err)
	}
}

func TestCSRFToken(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	s, cookie := w.pending()
	other, otherCookie := w.pending()
	value, err := w.CSRFToken(ctx, s, cookie)
	if err != nil || len(value.Reveal()) < 43 || strings.Contains(value.Reveal(), cookie.Reveal()) {
		t.Fatalf("CSRFToken = %q, %v", value, err)
	}
	check := func(name string, want bool, s Session, cookie, value procore.Secret) {
		t.Helper()
		if got, err := w.CheckCSRFToken(ctx, s, cookie, value); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	check("its own", true, s, cookie, value)
	check("another session", false, other, otherCookie, value)
	check("another session, same browser", false, other, cookie, value)
	check("another browser", false, s, otherCookie, value)
	check("nothing", false, s, cookie, procore.Secret{})
	check("cut", false, s, cookie, procore.NewSecret(value.Reveal()[:20]))
	check("changed", false, s, cookie, procore.NewSecret("x"+value.Reveal()[1:]))
	check("longer", false, s, cookie, procore.NewSecret(value.Reveal()+"x"))
	w.ring = newRing(t, 2)
	check("after a rotation", true, s, cookie, value)
	newer, err := w.CSRFToken(ctx, s, cookie)
	if err != nil || newer.Equal(value) {
		t.Errorf("CSRFToken after a rotation = the same, or %v", err)
	}
	check("of the new key", true, s, cookie, newer)
	w.ring = newRing(t, 1)
	check("of a key that is gone", false, s, cookie, newer)
}
