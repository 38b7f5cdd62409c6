package connections

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// connected changes whether App Management has the app connected.
func (w *world) appConnected(company int64, yes bool) {
	w.t.Helper()
	if err := w.procore.UpdateCompany(company, procoretest.CompanyPatch{Connected: &yes}); err != nil {
		w.t.Fatal(err)
	}
}

// The answer to one connection's call concerns its company: it disconnects all
// connections but one that was made since. The caller has the answer, too.
func TestClientRecordsADisconnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	asked, other, elsewhere := w.connect(joe, acme)[0], w.connect(ann, acme)[0], w.connect(joe, brick)[0]
	if err := s.AddServiceAccount(t.Context(), acme, "A Company", WebhooksOff); err != nil {
		t.Fatal(err)
	}
	app := w.row(Key{acme, tokens.App})
	for _, c := range []Connection{asked, other, app, elsewhere} { // so that all are in memory
		if err := w.call(s, c.Key); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.Advance(underWay + time.Second)
	since := w.connect(guy, acme)[0]
	w.appConnected(acme, false)
	if err := w.call(s, asked.Key); !errors.Is(err, procore.ErrNotConnected) {
		t.Errorf("got error %v, want Procore's: the body is the caller's too", err)
	}
	n := w.calls("/")
	for c, want := range map[*Connection]State{&asked: Disconnected, &other: Disconnected, &app: Disconnected, &since: Connected, &elsewhere: Connected} {
		if got := w.row(c.Key).State; got != want {
			t.Errorf("%s is %s, want %s", c.Key, got, want)
		}
		if want != Disconnected {
			continue
		}
		if err := w.call(s, c.Key); !errors.Is(err, ErrDisconnected) || !strings.Contains(err.Error(), "company 501") {
			t.Errorf("got error %v, want ErrDisconnected of the company", err)
		}
	}
	if got := w.calls("/"); got != n {
		t.Errorf("Procore got %d more calls, want none", got-n)
	}
	w.wantHolders(joe, acme, brick) // it may have been a mistake
	if err := w.call(s, elsewhere.Key); err != nil {
		t.Error(err)
	}
	w.appConnected(acme, true)
	if c := w.connect(joe, acme)[0]; c.State != Connected || !c.CheckAt.IsZero() || w.call(s, c.Key) != nil {
		t.Errorf("connected again: %+v", c)
	}
}

// Five answers to calls under way make one disconnection.
func TestFiveAnswersDisconnectOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(joe, acme)[0]
	for range 5 {
		if err := s.Disconnect(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	got := w.row(c.Key)
	states := []State{}
	for _, at := range got.Transitions {
		states = append(states, at.State)
	}
	if want := []State{Connected, Disconnected}; !slices.Equal(states, want) || got.Rev != 2 {
		t.Errorf("got %v after %d writes, want %v after 2", states, got.Rev, want)
	}
	w.clock.Advance(time.Second)
	again := w.connect(joe, acme)[0]
	if err := s.Disconnect(t.Context(), c); err != nil || w.row(c.Key).State != Connected {
		t.Errorf("a late answer to the connection before: %v, %s", err, w.row(c.Key).State)
	}
	if err := s.Disconnect(t.Context(), again); err != nil || w.row(c.Key).State != Disconnected {
		t.Errorf("the connection's own answer: %v, %s", err, w.row(c.Key).State)
	}
	if err := s.Disconnect(t.Context(), Connection{Key: Key{brick, joe}}); err != nil {
		t.Errorf("a company that was never connected: %v", err)
	}
}

// An answer that cannot be recorded is the caller's all the same. The next call has it again.
func TestAnswerIsNotRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, k := w.store(), w.connect(joe, acme)[0].Key
	w.faults(func(operation, _ string) dynamotest.Fault {
		if operation == "UpdateItem" {
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	w.procoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", Kind: procoretest.Status, Status: 401})
	if err := w.call(s, k); !errors.Is(err, procore.ErrUnauthorized) {
		t.Errorf("got error %v, want Procore's", err)
	}
	w.appConnected(acme, false)
	for range 2 {
		if err := w.call(s, k); !errors.Is(err, procore.ErrNotConnected) {
			t.Errorf("got error %v, want Procore's", err)
		}
	}
	if c := w.row(k); c.State != Connected || !c.PausedUntil.IsZero() {
		t.Errorf("the connection is %s, paused until %v; want it as it was", c.State, c.PausedUntil)
	}
	w.faults(nil)
	if err := w.call(s, k); !errors.Is(err, procore.ErrNotConnected) || w.row(k).State != Disconnected {
		t.Errorf("got error %v, %s; want Procore's, disconnected", err, w.row(k).State)
	}
}

// Another 403 concerns the caller alone.
func TestOther403(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.connect(joe, acme)[0].Key
	if err := w.procore.UpdateCompany(acme, procoretest.CompanyPatch{DeniedTools: &[]string{"projects"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.call(w.store(), k); !errors.Is(err, procore.ErrForbidden) || w.row(k).State != Connected {
		t.Errorf("got error %v, %s; want ErrForbidden, connected", err, w.row(k).State)
	}
}

// A disconnected connection holds its grant for 30 days. Housekeeping finds it then.
func TestDisconnectedFor30Days(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(joe, acme)[0]
	if err := s.Disconnect(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, done, err := s.SetWebhooks(t.Context(), w.row(c.Key), WebhooksOff, time.Time{}); done || err != nil {
		t.Errorf("the webhook of a disconnected connection was set: %t, %v", done, err)
	}
	w.clock.Advance(disconnectedFor - 2*time.Second)
	if w.row(c.Key).Expired(w.clock.Now()) || len(w.checks(s)) != 0 {
		t.Errorf("before 30 days housekeeping finds %v", w.checks(s))
	}
	w.wantHolders(joe, acme)
	w.clock.Advance(2 * time.Second)
	if got := w.checks(s); !w.row(c.Key).Expired(w.clock.Now()) || !slices.Equal(got, []Key{c.Key}) {
		t.Errorf("after 30 days housekeeping finds %v, want %v", got, c.Key)
	}
	if err := s.End(t.Context(), c.Key, "disconnected for 30 days"); err != nil {
		t.Fatal(err)
	}
	if got := w.row(c.Key); got.State != Ended || got.Expired(w.clock.Now()) || len(w.checks(s)) != 0 || w.grant(joe).State != tokens.Revoked {
		t.Errorf("got %s, the grant %s; want ended, revoked", got.State, w.grant(joe).State)
	}
}

// checks returns the connections that are due, those with the first turn first.
func (w *world) checks(s *Store) (all []Key) {
	w.t.Helper()
	return append(w.turn(s, First), w.turn(s, Routine)...)
}

// turn returns the connections that are due in all shards.
func (w *world) turn(s *Store, turn Turn) (all []Key) {
	w.t.Helper()
	for shard := range Shards {
		for k, err := range s.Checks(w.t.Context(), turn, shard, w.clock.Now().Add(time.Second)) {
			if err != nil {
				w.t.Fatal(err)
			}
			all = append(all, k)
		}
	}
	return all
}

func TestSaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(joe, acme)[0]
	used, start := w.grant(joe).LastUsed, toSecond(c.ConnectedAt)
	if !c.SeenAt.Equal(start) {
		t.Errorf("seen at %v when it was connected, want %v", c.SeenAt, start)
	}
	for _, tt := range []struct{ at, want time.Time }{
		{start.Add(time.Hour), start.Add(time.Hour)},
		{start.Add(time.Minute), start.Add(time.Hour)}, // a slower process
	} {
		if err := s.Saw(t.Context(), c.Key, tt.at); err != nil {
			t.Fatal(err)
		}
		if got := w.row(c.Key); !got.SeenAt.Equal(tt.want) || !w.grant(joe).LastUsed.Equal(used) {
			t.Errorf("seen at %v, last used at %v; want %v and %v", got.SeenAt, w.grant(joe).LastUsed, tt.want, used)
		}
	}
	for _, k := range []Key{{brick, joe}, {acme, ann}} {
		if err := s.Saw(t.Context(), k, start); err != nil {
			t.Error(err)
		}
		if _, err := s.Connection(t.Context(), k); !errors.Is(err, ErrNotFound) {
			t.Errorf("got error %v, want no connection", err)
		}
	}
}

// The webhook's state is written only to the connection that was seen.
func TestSetWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	seen := w.connect(joe, acme)[0]
	at := seen.ConnectedAt.Add(time.Hour)
	set := func(want bool, seen Connection, to Webhooks, at time.Time) Connection {
		t.Helper()
		c, done, err := s.SetWebhooks(t.Context(), seen, to, at)
		if err != nil || done != want {
			t.Errorf("done %t, %v; want %t", done, err, want)
		}
		if now := w.row(seen.Key); done && (now.Webhooks != to || diff(c, now) != "") {
			t.Errorf("returned %+v, stored %+v", c, now)
		}
		return c
	}
	first := set(true, seen, WebhooksActive, at)
	set(false, seen, WebhooksNeedsAdmin, at) // another process had it done
	w.clock.Advance(2 * time.Hour)
	if got := w.checks(s); !slices.Equal(got, []Key{seen.Key}) {
		t.Errorf("housekeeping finds %v, want %v", got, seen.Key)
	}
	last := set(true, first, WebhooksNeedsAdmin, time.Time{})
	if got := w.checks(s); len(got) != 0 {
		t.Errorf("housekeeping finds %v, want none", got)
	}
	w.connect(joe, acme)
	set(false, last, WebhooksActive, at)
	if err := s.End(t.Context(), seen.Key, "asked for"); err != nil {
		t.Fatal(err)
	}
	set(false, w.row(seen.Key), WebhooksActive, at)
}

// A connection that was made again is not paused by a late answer.
func TestPauseOfTheConnectionBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	seen := w.connect(joe, acme)[0]
	w.connect(joe, acme)
	if err := s.Pause(t.Context(), seen); err != nil || !w.row(seen.Key).PausedUntil.IsZero() {
		t.Errorf("paused until %v, %v", w.row(seen.Key).PausedUntil, err)
	}
	for range 2 { // two calls were under way
		if err := s.Pause(t.Context(), w.row(seen.Key)); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.row(seen.Key).PausedUntil.Sub(w.clock.Now()); got > minPause {
		t.Errorf("paused for %v, want %v", got, minPause)
	}
	if err := s.Disconnect(t.Context(), w.row(seen.Key)); err != nil {
		t.Fatal(err)
	}
	before := w.row(seen.Key)
	w.clock.Advance(time.Hour)
	if err := s.Pause(t.Context(), before); err != nil || diff(w.row(seen.Key), before) != "" {
		t.Errorf("a disconnected connection was paused: %v", err)
	}
}
