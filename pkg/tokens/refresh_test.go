package tokens

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

func TestTokenIsTakenFromTheRowWhileFresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	s := w.store()
	for range 3 {
		a, err := s.Token(t.Context(), c.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.works(a); err != nil {
			t.Error(err)
		}
	}
	if got, want := w.presented(), 0; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// A clock that was set back does not stretch the time until the state is read
// again.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(time.Hour)
	if _, err := s.Token(t.Context(), c.Key); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(-time.Hour)
	if err := w.store().Disconnect(t.Context(), c.Key, c.Generation); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), c.Key); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got error %v, want ErrDisconnected", err)
	}
}

func TestExpiredTokenIsRefreshedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	for generation := int64(2); generation < 5; generation++ {
		w.clock.Advance(2 * time.Hour)
		a, err := w.store().Token(t.Context(), c.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.works(a); err != nil {
			t.Error(err)
		}
		if got := w.row(c.Key); got.Generation != generation || got.State != Active || got.claimed() {
			t.Errorf("got generation %d, %s, claimed %t; want %d, active, unclaimed", got.Generation, got.State, got.claimed(), generation)
		}
	}
	if got, want := w.presented(), 3; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

func TestManyCallersMakeOneRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(2 * time.Hour)
	if err := w.procore.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: 100}); err != nil {
		t.Fatal(err)
	}
	stores := []*Store{w.store(), w.store(), w.store(), w.store()}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			a, err := stores[i%len(stores)].Token(t.Context(), c.Key)
			if err != nil {
				t.Error(err)
			} else if a.Generation != 2 {
				t.Errorf("got generation %d, want 2", a.Generation)
			}
		})
	}
	all.Wait()
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// An answer without a refresh token is good until its access token expires.
func TestNoRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(2 * time.Hour)
	if err := w.procore.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 200,
		Body: `{"access_token":"fake-access-x","expires_in":5400}`}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a, err := w.store().Token(t.Context(), c.Key); err != nil || a.Bearer().Reveal() != "fake-access-x" {
			t.Errorf("Token = %v, %v, want the access token of the answer", a, err)
		}
		w.clock.Advance(89 * time.Minute)
	}
	w.clock.Advance(time.Minute)
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) || !strings.Contains(err.Error(), noSuccessor) {
		t.Errorf("got error %v, want ErrReauthorize with its reason", err)
	}
	if got := w.row(c.Key); got.State != Reauthorize || w.presented() != 1 {
		t.Errorf("got state %s after %d refreshes, want reauthorize after 1", got.State, w.presented())
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	fault := func(f procoretest.Fault) func(*world) {
		return func(w *world) {
			f.Endpoint = "token"
			if err := w.procore.Fault(f); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name   string
		damage func(*world)
		want   error // of Token while the access token is dead
		state  State
	}{
		{"500", fault(procoretest.Fault{Kind: procoretest.Status, Status: 500}), ErrReauthorize, Reauthorize},
		{"429", fault(procoretest.Fault{Kind: procoretest.Status, Status: 429}), ErrReauthorize, Reauthorize},
		{"200 without JSON", fault(procoretest.Fault{Kind: procoretest.Status, Status: 200, Body: "<html>"}), ErrReauthorize, Reauthorize},
		{"answer lost", fault(procoretest.Fault{Kind: procoretest.Drop}), ErrReauthorize, Reauthorize},
		{"reset", fault(procoretest.Fault{Kind: procoretest.Reset}), ErrReauthorize, Reauthorize},
		{"wrong secret", func(w *world) { w.oauth.ClientSecret = procore.NewSecret("another") }, ErrReauthorize, Reauthorize},
		{"not reached", func(w *world) { w.oauth.Environment.LoginURL = "http://127.0.0.1:1" }, ErrTryAgain, Active},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			healthy := *w.oauth
			c := w.connect(w.store())
			w.clock.Advance(2 * time.Hour)
			test.damage(w)
			if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if got := w.row(c.Key); got.State != test.state || got.claimed() {
				t.Errorf("got state %s, claimed %t; want %s, unclaimed", got.State, got.claimed(), test.state)
			}
			*w.oauth = healthy
			_, err := w.store().Token(t.Context(), c.Key)
			if works := test.state == Active; works != (err == nil) {
				t.Errorf("afterwards: got error %v, works should be %t", err, works)
			}
			if w.presented() > 1 {
				t.Errorf("the refresh token was sent more than once")
			}
		})
	}
}

func TestUncertainGivesTheLivingAccessToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(90*time.Minute - time.Minute) // within the two minutes before its end
	if err := w.procore.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 503}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a, err := w.store().Token(t.Context(), c.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.works(a); err != nil {
			t.Error(err)
		}
	}
	if got := w.row(c.Key); got.State != Uncertain || got.Reason == "" || got.ReasonAt.IsZero() {
		t.Errorf("got %s, reason %q since %v; want uncertain with both", got.State, got.Reason, got.ReasonAt)
	}
	w.clock.Advance(2 * time.Minute)
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

func TestRefusedRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	pair, _, err := s.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.oauth.Revoke(t.Context(), pair); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	if _, err := s.Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got := w.row(c.Key); got.State != Reauthorize {
		t.Errorf("got %s, want reauthorize", got.State)
	}
}

// A lost answer of storage, at each write of a refresh, changes nothing.
func TestLostAnswersOfStorage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, operation string
	}{
		{"claim", "TransactWriteItems"},
		{"store", "UpdateItem"},
		{"read", "GetItem"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.connect(w.store())
			w.clock.Advance(2 * time.Hour)
			w.dynamo.Intercept(dynamotest.Nth(1, test.operation, dynamotest.Fault{Drop: true, Applied: true}))
			a, err := w.store().Token(t.Context(), c.Key)
			if test.operation == "GetItem" && errors.Is(err, ErrTryAgain) {
				a, err = w.store().Token(t.Context(), c.Key)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := w.works(a); err != nil {
				t.Error(err)
			}
			if got := w.row(c.Key); got.Generation != 2 || got.State != Active {
				t.Errorf("got generation %d, %s; want 2, active", got.Generation, got.State)
			}
			if got, want := w.presented(), 1; got != want {
				t.Errorf("got %d refreshes, want %d", got, want)
			}
		})
	}
}

// A claim that is not confirmed never spends.
func TestUnconfirmedClaimDoesNotSpend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(2 * time.Hour)
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		return dynamotest.Fault{Drop: operation == "TransactWriteItems"}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	s := w.store()
	if _, err := s.Token(ctx, c.Key); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if got, want := w.presented(), 0; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
	w.dynamo.Intercept(nil)
	s.flights.wait()
	if err := s.Probe(t.Context()); err != nil { // three unconfirmed claims opened the breaker
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), c.Key); err != nil {
		t.Error(err)
	}
}

func TestCallerLeavesTheRefreshGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(2 * time.Hour)
	if err := w.procore.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: 300}); err != nil {
		t.Fatal(err)
	}
	s := w.store()
	handler := Wrap(s, func(ctx context.Context, _ string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err := s.Token(ctx, c.Key)
		if !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		return "", nil
	})
	if _, err := handler(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := w.row(c.Key); got.Generation != 2 {
		t.Errorf("the handler returned before its refresh was stored: generation %d", got.Generation)
	}
}

func TestStorageDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	warm, cold := w.store(), w.store()
	if _, err := warm.Token(t.Context(), c.Key); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(recheck + time.Minute)
	w.dynamo.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} })
	if _, err := warm.Token(t.Context(), c.Key); err != nil {
		t.Errorf("a token that lives in memory was not given: %v", err)
	}
	if _, err := cold.Token(t.Context(), c.Key); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	w.clock.Advance(2 * time.Hour)
	if _, err := warm.Token(t.Context(), c.Key); !errors.Is(err, ErrTryAgain) {
		t.Errorf("after the token's end: got error %v, want ErrTryAgain", err)
	}
}
