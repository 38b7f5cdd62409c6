package tokens

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

func (w *world) apiFault(f procoretest.Fault) {
	w.t.Helper()
	if err := w.procore.Fault(f); err != nil {
		w.t.Fatal(err)
	}
}

// A company that answers 401 to a token that is good costs no refresh: its
// connection is paused, twice as long each time.
func TestCompanyAnswers401(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.connect(w.store()).Key
	w.apiFault(procoretest.Fault{Endpoint: "/rest/v1.0/projects", Kind: procoretest.Status, Status: 401, Times: 1_000})
	client := w.store().Client(w.oauth.Environment, key)
	for _, pause := range []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute} {
		_, err := procore.Collect(client.Projects(t.Context()))
		if e, ok := errors.AsType[*procore.Error](err); !ok || e.Status != http.StatusUnauthorized {
			t.Errorf("got error %v, want Procore's 401", err)
		}
		if got, want := w.row(key).PausedUntil.Sub(w.clock.Now()), pause; got > want || got < want-time.Second {
			t.Errorf("paused for %v, want %v", got, want)
		}
		requests := len(w.procore.State().Calls)
		w.clock.Advance(pause - time.Minute)
		if _, err := procore.Collect(client.Projects(t.Context())); !errors.Is(err, ErrNotInstalled) {
			t.Errorf("while paused: got error %v, want ErrNotInstalled", err)
		}
		if got := len(w.procore.State().Calls); got != requests {
			t.Errorf("while paused Procore got %d calls, want none", got-requests)
		}
		w.clock.Advance(time.Minute)
	}
	if got := w.presented(); got > 1 { // the token expires once
		t.Errorf("%d refresh tokens were spent, want 1", got)
	}
	w.procore.ClearFaults()
	if _, err := procore.Collect(client.Projects(t.Context())); err != nil {
		t.Errorf("after the company's trouble: %v", err)
	}
	w.clock.Advance(maxPause + time.Hour)
	w.apiFault(procoretest.Fault{Endpoint: "/rest/v1.0/projects", Kind: procoretest.Status, Status: 401, Times: 1})
	_, _ = procore.Collect(client.Projects(t.Context()))
	if got := w.row(key).PausedUntil.Sub(w.clock.Now()); got > minPause {
		t.Errorf("a day later a pause of %v begins, want %v", got, minPause)
	}
	w.connect(w.store())
	if got := w.row(key).PausedUntil; !got.IsZero() {
		t.Errorf("authorized again, and paused until %v", got)
	}
}

// An API that answers 401 whatever the token is costs few refreshes.
func TestEndless401(t *testing.T) {
	t.Parallel()
	for _, gap := range []time.Duration{time.Minute, 10 * time.Minute} {
		w := newWorld(t)
		key := w.connect(w.store()).Key
		w.apiFault(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 401, Times: 10_000})
		for begin := w.clock.Now(); w.clock.Now().Sub(begin) < 4*time.Hour; w.clock.Advance(gap) {
			_, _ = w.store().Client(w.oauth.Environment, key).Me(t.Context()) // each in another process
		}
		if spent := w.presented(); spent > 8 {
			t.Errorf("a call every %v for four hours spends %d refresh tokens; without the 401 it is 3", gap, spent)
		}
	}
}

// A client records that the company disconnected the app.
func TestClientRecordsADisconnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.connect(w.store()).Key
	w.apiFault(procoretest.Fault{Endpoint: "/rest/v1.0/projects", Kind: procoretest.Status, Status: 403, Times: 9,
		Body: `{"message":"App is not connected to this company"}`})
	client := w.store().Client(w.oauth.Environment, key)
	if _, err := procore.Collect(client.Projects(t.Context())); !errors.Is(err, procore.ErrNotConnected) {
		t.Errorf("got error %v, want ErrNotConnected: the body is the caller's too", err)
	}
	if got := w.row(key).State; got != Disconnected {
		t.Errorf("the connection is %s, want disconnected", got)
	}
	requests := len(w.procore.State().Calls)
	if _, err := procore.Collect(client.Projects(t.Context())); !errors.Is(err, ErrDisconnected) || len(w.procore.State().Calls) != requests {
		t.Errorf("got error %v after %d more calls, want ErrDisconnected after none", err, len(w.procore.State().Calls)-requests)
	}
}

// Work that no user asked for leaves an idle connection idle.
func TestBackgroundIsNoUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.connect(w.store()).Key
	used := w.row(key).LastUsed
	w.clock.Advance(8 * 24 * time.Hour)
	if _, err := procore.Collect(w.store().BackgroundClient(w.oauth.Environment, key).Projects(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := w.row(key).LastUsed; !got.Equal(used) {
		t.Errorf("background work moved the last use to %v", got)
	}
	if _, err := procore.Collect(w.store().Client(w.oauth.Environment, key).Projects(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := w.row(key).LastUsed; !got.After(used) {
		t.Error("a call did not count as use")
	}
}
