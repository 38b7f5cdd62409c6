package session

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// From the start to the connection: at each step, the row has the right TTL and is or
// is not in the index.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st := w.begin()
	if st.Flow != FlowOf(st.State) || len(st.State.Reveal()) < 43 || len(st.Verifier.Reveal()) < 43 || len(st.Cookie.Reveal()) < 43 {
		t.Errorf("start = %d, %d, %d characters, want 256 bits in each", len(st.State.Reveal()), len(st.Verifier.Reveal()), len(st.Cookie.Reveal()))
	}
	w.wants(st.Flow, Started, true, false, true)

	s, verifier, err := w.Consume(ctx, st.State, st.Cookie)
	if err != nil || !verifier.Equal(st.Verifier) {
		t.Fatalf("Consume returned another verifier, or %v", err)
	}
	want := Session{Flow: st.Flow, Status: Exchanging, Environment: "custom", RedirectURI: testRedirect, Expires: w.clock.Now().Add(StateLifetime)}
	same := cmp.Comparer(func(a, b Session) bool {
		return a.Flow == b.Flow && a.Status == b.Status && a.Environment == b.Environment && a.RedirectURI == b.RedirectURI &&
			a.Expires.Equal(b.Expires) && a.CompanyID == b.CompanyID && a.Principal == b.Principal && a.UserName == b.UserName &&
			a.Again == b.Again && a.Reason == b.Reason
	})
	if !cmp.Equal(s, want, same) {
		t.Errorf("consumed = %+v, want %+v", s, want)
	}
	w.wants(st.Flow, Exchanging, true, false, false)

	issued := w.pair()
	cookie, err := w.StorePair(ctx, s, testCode, issued)
	if err != nil {
		t.Fatal(err)
	}
	w.wants(st.Flow, Authorized, false, true, true) // TTL would delete the pair before it is moved
	s = w.find(st.Flow, cookie)
	if pair, err := w.Store.open(ctx, s, Authorized); err != nil || !samePair(pair, issued) {
		t.Errorf("the row has another pair, or %v", err)
	}

	want.Status, want.Principal, want.UserName, want.Expires = Pending, joe, "Joe Builder", w.clock.Now().Add(ChoiceLifetime)
	w.clock.Advance(time.Minute) // it takes nothing from the choice
	s = w.move(s)
	w.wants(st.Flow, Pending, true, false, false)
	if got := w.find(st.Flow, cookie); !cmp.Equal(got, want, same) || !cmp.Equal(s, want, same) {
		t.Errorf("moved = %+v, stored %+v, want %+v", s, got, want)
	}
	if g := w.grant(joe); g.Generation != 1 || g.State != tokens.Active || g.RedirectURI != testRedirect || len(g.Holders) > 0 || !g.IssuedAt.Equal(issued.IssuedAt) {
		t.Errorf("the grant is %s, generation %d, holders %v", g.State, g.Generation, g.Holders)
	}
	if a, err := w.Tokens.Current(ctx, joe); err != nil || !a.Bearer().Equal(issued.AccessToken) {
		t.Errorf("the grant has another pair, or %v", err)
	}

	if s, err = w.Choose(ctx, s, 5678); err != nil {
		t.Fatal(err)
	}
	w.wants(st.Flow, Chosen, true, false, false)
	want.Status, want.CompanyID = Chosen, 5678
	if got := w.find(st.Flow, cookie); !cmp.Equal(got, want, same) || !cmp.Equal(s, want, same) {
		t.Errorf("chosen = %+v, stored %+v, want %+v", s, got, want)
	}

	if err := w.finish(s); err != nil {
		t.Fatal(err)
	}
	w.wants(st.Flow, Connected, true, false, false)
	want.Status, want.UserName, want.Expires = Connected, "", w.clock.Now().Add(ReturnLifetime)
	if got := w.find(st.Flow, cookie); !cmp.Equal(got, want, same) {
		t.Errorf("connected = %+v, want %+v", got, want)
	}
}

func samePair(a, b procore.Token) bool {
	return a.AccessToken.Equal(b.AccessToken) && a.RefreshToken.Equal(b.RefreshToken) && a.Expiry.Equal(b.Expiry)
}

// A state is valid once, however many requests bring it at the same time.
func TestConsumeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.begin()
	var all sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		all.Go(func() { _, _, errs[i] = w.Consume(t.Context(), st.State, st.Cookie) })
	}
	all.Wait()
	consumed := 0
	for _, err := range errs {
		switch {
		case err == nil:
			consumed++
		case !errors.Is(err, ErrUsed):
			t.Errorf("error = %v, want ErrUsed", err)
		}
	}
	if consumed != 1 {
		t.Errorf("%d consumed the state, want 1", consumed)
	}
}

// R6: a request from another browser is unknown, and uses nothing up.
func TestForeignBrowser(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st, other := w.begin(), w.begin()
	for name, tt := range map[string]struct{ state, cookie procore.Secret }{
		"no cookie":            {st.State, procore.Secret{}},
		"another flow's":       {st.State, other.Cookie},
		"the state as cookie":  {st.State, st.State},
		"the stored hash":      {st.State, procore.NewSecret(hash(st.Cookie))},
		"a longer one":         {st.State, procore.NewSecret(st.Cookie.Reveal() + "x")},
		"a huge one":           {st.State, procore.NewSecret(strings.Repeat("x", 1<<20))},
		"no state":             {procore.Secret{}, st.Cookie},
		"the flow as state":    {procore.NewSecret(st.Flow), st.Cookie},
		"an invented state":    {procore.NewSecret("an invented state"), st.Cookie},
		"an invented, no rows": {procore.NewSecret("an invented state"), procore.NewSecret(hash(procore.Secret{}))},
	} {
		if s, verifier, err := w.Consume(ctx, tt.state, tt.cookie); !errors.Is(err, ErrUnknown) || !verifier.IsZero() || s.Flow != "" {
			t.Errorf("%s: Consume = %v, %v, want ErrUnknown alone", name, s.Flow, err)
		}
	}
	for _, flow := range []string{"", "x", st.Flow[1:], st.Flow + "x", strings.Repeat("x", len(st.Flow)), strings.Repeat("x", 1<<20)} {
		if _, err := w.Find(ctx, flow, st.Cookie); !errors.Is(err, ErrUnknown) {
			t.Errorf("Find of flow %.50q: %v, want ErrUnknown", flow, err)
		}
	}
	if _, verifier, err := w.Consume(ctx, st.State, st.Cookie); err != nil || !verifier.Equal(st.Verifier) {
		t.Errorf("the right browser: %v", err)
	}
	if _, verifier, err := w.Consume(ctx, other.State, other.Cookie); err != nil || !verifier.Equal(other.Verifier) {
		t.Errorf("the right browser, other flow: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st, late := w.begin(), w.begin()
	w.clock.Advance(StateLifetime)
	if _, _, err := w.Consume(ctx, st.State, st.Cookie); err != nil {
		t.Errorf("after 10 minutes: %v", err)
	}
	w.clock.Advance(time.Second)
	if _, _, err := w.Consume(ctx, late.State, late.Cookie); !errors.Is(err, ErrExpired) {
		t.Errorf("after 10 minutes and a second: %v, want ErrExpired", err)
	}
	if _, _, err := w.Consume(ctx, late.State, st.Cookie); !errors.Is(err, ErrUnknown) {
		t.Errorf("foreign and late: %v, want ErrUnknown, which reveals nothing", err)
	}
	s, cookie := w.pending()
	waiting, token := w.authorized()
	done, shown := w.chosen(1)
	if err := w.finish(done); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(ChoiceLifetime)
	w.find(s.Flow, cookie)
	w.find(waiting.Flow, token)
	w.clock.Advance(time.Second)
	if _, err := w.Find(ctx, s.Flow, cookie); !errors.Is(err, ErrExpired) {
		t.Errorf("after 30 minutes and a second: %v, want ErrExpired", err)
	}
	if _, err := w.Find(ctx, waiting.Flow, token); !errors.Is(err, ErrExpired) {
		t.Errorf("with a pair after 30 minutes and a second: %v, want ErrExpired", err)
	}
	w.clock.Advance(ReturnLifetime - ChoiceLifetime - time.Second)
	w.find(done.Flow, shown)
	w.clock.Advance(time.Second)
	if _, err := w.Find(ctx, done.Flow, shown); !errors.Is(err, ErrExpired) {
		t.Errorf("the connection's page after 14 days: %v, want ErrExpired", err)
	}
}

// The cookie from before the sign-in is worthless after it.
func TestStorePairReplacesTheCookie(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st := w.begin()
	s, _, err := w.Consume(ctx, st.State, st.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := w.StorePair(ctx, s, testCode, w.pair())
	if err != nil || cookie.Equal(st.Cookie) || len(cookie.Reveal()) < 43 {
		t.Fatalf("the cookie is not a new one, or %v", err)
	}
	if _, err := w.Find(ctx, st.Flow, st.Cookie); !errors.Is(err, ErrUnknown) {
		t.Errorf("old cookie: %v, want ErrUnknown", err)
	}
	w.find(st.Flow, cookie)
	if _, err := w.StorePair(ctx, s, testCode, w.pair()); !errors.Is(err, ErrUsed) {
		t.Errorf("second StorePair: %v, want ErrUsed", err)
	}
	w.find(st.Flow, cookie)
}

// Two tabs of one browser do not interfere with each other.
func TestTwoFlows(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	a, cookieA := w.pending()
	w.user = procoretest.Ann
	b, cookieB := w.pending()
	if _, err := w.Choose(ctx, a, 1); err != nil {
		t.Error(err)
	}
	if _, err := w.Choose(ctx, b, 2); err != nil {
		t.Error(err)
	}
	a, b = w.find(a.Flow, cookieA), w.find(b.Flow, cookieB)
	if a.CompanyID != 1 || b.CompanyID != 2 || a.Principal != joe || b.Principal != ann {
		t.Errorf("sessions = %+v, %+v", a, b)
	}
	if _, err := w.Find(ctx, a.Flow, cookieB); !errors.Is(err, ErrUnknown) {
		t.Errorf("the other flow's cookie: %v, want ErrUnknown", err)
	}
}

// A storage failure is not an answer about the session.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st := w.begin()
	pending, _ := w.pending()
	authorized, cookie := w.authorized()
	w.dynamo.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "ThrottlingException"} })
	_, begin := w.Begin(ctx, Opening{RedirectURI: testRedirect})
	_, _, consume := w.Consume(ctx, st.State, st.Cookie)
	_, choose := w.Choose(ctx, pending, 1)
	_, move := w.Move(ctx, authorized)
	errs := map[string]error{"Begin": begin, "Consume": consume, "Choose": choose, "Move": move, "Cancel": w.Cancel(ctx, pending)}
	for _, err := range w.Stale(ctx) {
		errs["Stale"] = err
	}
	for name, err := range errs {
		var throttled *types.ThrottlingException
		if !errors.As(err, &throttled) || errors.Is(err, ErrUsed) || errors.Is(err, ErrUnknown) || errors.Is(err, ErrExpired) || errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v, want the storage's own error", name, err)
		}
	}
	w.dynamo.Intercept(nil)
	if _, _, err := w.Consume(ctx, st.State, st.Cookie); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	w.move(w.find(authorized.Flow, cookie))
}
