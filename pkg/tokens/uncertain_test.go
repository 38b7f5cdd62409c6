package tokens

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// uncertain makes Joe's grant uncertain: a refresh has no answer that means anything.
// The access token is valid for a minute more.
func (w *world) uncertain() Principal {
	w.t.Helper()
	p := w.authorize(w.store()).Principal
	w.clock.Advance(90*time.Minute - time.Minute) // within the two minutes before its end
	w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 503})
	if _, err := w.store().Token(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	if got := w.row(p); got.State != Uncertain || got.Reason == "" || !got.ReasonAt.Equal(w.clock.Now()) {
		w.t.Fatalf("got %s, reason %q since %v; want uncertain since now with a reason", got.State, got.Reason, got.ReasonAt)
	}
	return p
}

// An uncertain grant serves its access token while that is valid, then asks to try again,
// and ends after its time.
func TestUncertainLastsItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.uncertain()
	begin := w.clock.Now()
	for _, test := range []struct {
		after time.Duration
		want  error
		state State
	}{
		{0, nil, Uncertain},
		{59 * time.Second, nil, Uncertain},
		{time.Minute, ErrTryAgain, Uncertain},
		{uncertainFor - time.Second, ErrTryAgain, Uncertain},
		{uncertainFor, ErrReauthorize, Reauthorize},
		{uncertainFor + time.Hour, ErrReauthorize, Reauthorize},
	} {
		w.clock.Set(begin.Add(test.after))
		a, err := w.store().Token(t.Context(), p)
		if !errors.Is(err, test.want) {
			t.Errorf("after %v: got error %v, want %v", test.after, err, test.want)
		}
		if err == nil && w.works(a) != nil {
			t.Errorf("after %v: the token does not work", test.after)
		}
		if got := w.row(p).State; got != test.state {
			t.Errorf("after %v: the grant is %s, want %s", test.after, got, test.state)
		}
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
	if got := w.row(p).Reason; got != noAnswer {
		t.Errorf("the grant ended because %q, want %q", got, noAnswer)
	}
}

// A token that Procore rejects settles it at once: the refresh did arrive.
func TestUncertainEndsWhenItsTokenIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.uncertain()
	s := w.store()
	// By its own request, which reaches Procore with an access token that is dead there.
	w.fault("api", procoretest.Fault{Kind: procoretest.Status, Status: 401, Times: 2})
	if resp, err := w.get(s.Transport(p)); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %v, error %v; want the 401", resp, err)
	}
	if got := w.row(p).State; got != Reauthorize {
		t.Errorf("the grant is %s, want reauthorize", got)
	}
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// A store that is only late heals an uncertain grant, and one that ended because of it.
func TestLateStoreHeals(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{maxWork + skew + time.Second, uncertainFor + time.Hour} {
		w := newWorld(t)
		s := w.store()
		p := w.authorize(s).Principal
		w.clock.Advance(2 * time.Hour)
		held := w.claim(s)
		fresh := w.refreshed(held)
		w.clock.Advance(maxWork + skew + time.Second)
		w.store().Token(t.Context(), p)
		w.clock.Advance(after)
		w.store().Token(t.Context(), p)
		if got := w.row(p); got.State != map[bool]State{true: Uncertain, false: Reauthorize}[after < uncertainFor] {
			t.Fatalf("after %v the grant is %s", after, got.State)
		}
		fresh.Expiry = w.clock.Now().Add(time.Hour) // as if it were just issued
		if _, _, err := held.store(t.Context(), fresh); err != nil {
			t.Fatal(err)
		}
		if got := w.row(p); got.State != Active || got.Generation != 2 || !got.ReasonAt.IsZero() || got.Transitions[len(got.Transitions)-1].Reason != "refreshed late" {
			t.Errorf("got %s, generation %d, %v; want active, 2, refreshed late", got.State, got.Generation, got.Transitions)
		}
	}
}

// A grant that another cause ended stays as it is: only the pair is stored.
func TestLateStoreRevivesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	held := w.claim(s)
	fresh := w.refreshed(held)
	g := w.row(p)
	if _, err := s.apply(t.Context(), g, func(g Grant) (Grant, bool) {
		return g.enter(Reauthorize, "another attempt", "a test", "", w.clock.Now()), true
	}); err != nil {
		t.Fatal(err)
	}
	if _, again, err := held.store(t.Context(), fresh); !again {
		t.Errorf("got error %v, want that the grant is read again", err)
	}
	if got := w.row(p); got.State != Reauthorize || got.Generation != 2 {
		t.Errorf("got %s, generation %d; want reauthorize, 2", got.State, got.Generation)
	}
	if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
}

// A process whose clock is ahead made the grant uncertain before the refresh had its
// outcome. A refusal ends it; no answer does not prolong its time.
func TestOutcomeOfAnUncertainGrant(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err   *procore.TokenError
		state State
	}{
		{&procore.TokenError{Outcome: procore.Refused, Code: "invalid_grant"}, Reauthorize},
		{&procore.TokenError{Err: errors.New("no answer")}, Uncertain},
	} {
		w := newWorld(t)
		s := w.store()
		p := w.authorize(s).Principal
		w.clock.Advance(2 * time.Hour)
		held := w.claim(s)
		if g, err := w.storeAhead(5*time.Minute).settled(t.Context(), p); err != nil || g.State != Uncertain {
			t.Fatalf("got %s, %v; want uncertain", g.State, err)
		}
		before := w.row(p)
		w.clock.Advance(10 * time.Second)
		held.settle(t.Context(), test.err)
		got := w.row(p)
		if got.State != test.state {
			t.Errorf("%v: got %s, want %s", test.err, got.State, test.state)
		}
		if test.state == Uncertain && (!got.ReasonAt.Equal(before.ReasonAt) || len(got.Transitions) != len(before.Transitions)) {
			t.Errorf("uncertain since %v, want %v", got.ReasonAt, before.ReasonAt)
		}
	}
}
