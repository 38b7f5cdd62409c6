package connections

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const (
	readConnection = "GetItem Connections"
	readGrant      = "GetItem Grants"
)

// A cold call reads its connection and its grant once, and a warm one nothing.
func TestReadsOfACall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.connect(joe, acme, brick)
	s := w.store()
	w.storage()
	calls := func(what string, want ...string) {
		t.Helper()
		if err := w.call(s, all[0].Key); err != nil {
			t.Error(err)
		}
		w.wantStorage(what, want...)
	}
	calls("cold", readConnection, readGrant)
	calls("warm")
	w.clock.Advance(recheck - time.Second)
	calls("almost five minutes later")
	if err := w.call(s, all[1].Key); err != nil {
		t.Error(err)
	}
	w.wantStorage("another company of the user", readConnection)
	w.clock.Advance(2 * time.Second)
	calls("five minutes later", readConnection, readGrant)
	w.clock.Advance(-time.Minute)
	calls("the clock was set back", readConnection, readGrant)
}

// A call that is refused makes none at Procore.
func TestRefusedCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.connect(joe, acme)[0].Key
	s := w.store()
	if err := s.End(t.Context(), k, "asked for"); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		key  Key
		want error
	}{
		"an ended connection": {k, ErrEnded}, "no connection": {Key{brick, joe}, ErrNotFound}, "no service account": {Key{acme, tokens.App}, ErrNotFound},
		"the hook's row": {Key{acme, "webhook"}, ErrNotFound},
	} {
		if err := w.call(s, tt.key); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.key.String()) || !strings.Contains(err.Error(), "a user has to connect the company") {
			t.Errorf("%s: got error %v, want %v, of the key, with the next step", what, err, tt.want)
		}
	}
	if n := w.calls("/"); n != 0 {
		t.Errorf("Procore got %d calls, want none", n)
	}
}

// A company that was connected by another process is served at once, although this
// process has an older reading of the grant in memory.
func TestNewHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	if err := w.call(s, w.connect(joe, acme)[0].Key); err != nil {
		t.Fatal(err)
	}
	c, err := w.store().Connect(t.Context(), newOf(Key{brick, joe}))
	if err != nil {
		t.Fatal(err)
	}
	w.storage()
	for _, want := range [][]string{{readConnection, readGrant}, {}} {
		if err := w.call(s, c.Key); err != nil {
			t.Errorf("got error %v", err)
		}
		w.wantStorage("a new holder", want...)
	}
}

// A call that met a 401 is not sent again with a newer token, if the company is no longer
// among the holders of the grant.
func TestNoLongerAHolderAfterA401(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	k := w.connect(joe, acme, brick)[0].Key
	w.clock.Advance(4 * time.Minute)
	if err := w.call(s, k); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(4 * time.Minute)
	if err := w.store().End(t.Context(), k, "asked for"); err != nil { // by another process
		t.Fatal(err)
	}
	for _, path := range []string{"/rest/v1.1/projects", "/rest/v1.0/me"} {
		w.procoreFails(procoretest.Fault{Endpoint: path, Kind: procoretest.Status, Status: 401})
	}
	if err := w.call(s, k); !errors.Is(err, procore.ErrUnauthorized) {
		t.Errorf("got error %v, want Procore's", err)
	}
	if got := w.calls("/rest/v1.1/projects"); got != 2 || w.refreshes() != 1 {
		t.Errorf("Procore got %d calls after %d refreshes, want 2 after 1: no call is sent again", got, w.refreshes())
	}
}

// What this process writes about a connection holds at once, also against a reading that
// began before.
func TestMemoryIsNoOlderThanAWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, k := w.store(), w.connect(joe, acme)[0].Key
	w.authorize(joe)
	if err := w.call(s, k); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(recheck)
	w.once(1, "GetItem", func() dynamotest.Fault { // the call's, whose answer is from before
		w.faults(nil)
		c, err := s.get(t.Context(), k)
		if err != nil {
			t.Error(err)
		}
		_, _, before := s.memory.get(k, s.now())
		if err := s.End(t.Context(), k, "asked for"); err != nil {
			t.Error(err)
		}
		s.memory.put(c, s.now(), before)
		return dynamotest.Fault{}
	})
	for range 2 {
		if err := w.call(s, k); !errors.Is(err, ErrEnded) {
			t.Errorf("got error %v, want ErrEnded", err)
		}
	}
}

// Memory has room for a thousand connections.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var m memory
	now := time.Now()
	for id := range int64(maxKnown + 10) {
		m.put(Connection{Key: Key{id, joe}}, now, 0)
	}
	if _, ok, _ := m.get(Key{maxKnown + 9, joe}, now); !ok || len(m.known) != maxKnown {
		t.Errorf("%d connections are in memory, the last one: %t; want %d", len(m.known), ok, maxKnown)
	}
}

// The grant's errors are those of a connection's call.
func TestGrantServesNoCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(*world)
		want  error
		text  string
	}{
		"a spent refresh token": {func(w *world) { w.dead(joe) }, tokens.ErrReauthorize, "the user has to authorize again"},
		"no grant": {func(w *world) {
			for _, item := range w.scan(w.names.Grants) {
				w.delete(w.names.Grants, item)
			}
		}, tokens.ErrReauthorize, noGrant},
		"storage is down": {func(w *world) {
			w.faults(func(_, body string) dynamotest.Fault {
				if strings.Contains(body, w.names.Grants) {
					return dynamotest.Fault{Code: "InternalServerError"}
				}
				return dynamotest.Fault{}
			})
		}, tokens.ErrTryAgain, "try again later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.connect(joe, acme)[0]
			tt.spoil(w)
			_, served := w.store().Access(t.Context(), c.Key)
			for what, err := range map[string]error{"call": w.call(w.store(), c.Key), "Access": served, "Works": w.store().Works(t.Context(), c), "WorksBy": w.worksBy(c)} {
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), c.Key.String()) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("%s: got error %v, want %v of the company", what, err, tt.want)
				}
			}
		})
	}
}

// An access token is served as a call would be sent: only while the connection is connected, and its company holds the grant.
func TestAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, c := w.store(), w.connect(joe, acme, brick)[0]
	a, err := s.Access(t.Context(), c.Key)
	if err != nil || !w.accepted(a.Bearer().Reveal()) {
		t.Errorf("got error %v, or a token that Procore does not accept", err)
	}
	if _, err := s.Access(t.Context(), Key{crane, joe}); !errors.Is(err, ErrNotFound) {
		t.Errorf("of another company: got error %v, want ErrNotFound", err)
	}
	restore := w.backup(w.names.Connections)
	if err := s.End(t.Context(), c.Key, "a test"); err != nil {
		t.Fatal(err)
	}
	if a, err := s.Access(t.Context(), c.Key); !errors.Is(err, ErrEnded) || !a.Bearer().IsZero() {
		t.Errorf("ended: got error %v, want ErrEnded and no token", err)
	}
	restore()
	if a, err := w.store().Access(t.Context(), c.Key); !errors.Is(err, tokens.ErrReauthorize) || !a.Bearer().IsZero() {
		t.Errorf("restored without the grant: got error %v, want ErrReauthorize and no token", err)
	}
}

// Work that no user asked for is not a use of the grant.
func TestBackgroundIsNotAUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.connect(joe, acme)[0].Key
	used := w.grant(joe).LastUsed
	w.clock.Advance(8 * 24 * time.Hour)
	if err := call(t.Context(), w.store().BackgroundClient(k)); err != nil {
		t.Fatal(err)
	}
	if got := w.grant(joe).LastUsed; !got.Equal(used) {
		t.Errorf("background work moved the last use to %v", got)
	}
	if err := call(t.Context(), w.store().Client(k)); err != nil {
		t.Fatal(err)
	}
	if got := w.grant(joe).LastUsed; !got.After(used) {
		t.Error("a call did not count as use")
	}
}

// One company of five answers 401 for ever. That costs no refresh, and pauses this company
// alone: for five minutes, and twice as long each time, up to a day.
func TestPause(t *testing.T) {
	t.Parallel()
	modes(t, func(w *world) {
		t := w.t
		all := w.connect(joe, acme, brick, crane, dune, elm)
		rest, k := all[1:], all[0].Key
		w.procoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", CompanyID: acme, Kind: procoretest.Status, Status: 401, Times: 1_000_000})
		begin := w.clock.Now()
		for _, minutes := range []int{5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440} {
			want := time.Duration(minutes) * time.Minute
			if w.clock.Now().Sub(begin) > 80*time.Minute { // so that each token is good when it is refused
				for _, c := range rest {
					if err := w.call(w.store(), c.Key); err != nil {
						t.Errorf("%s: %v", c.Key, err)
					}
				}
			}
			before := w.refreshes()
			err := w.call(w.store(), k)
			if e, ok := errors.AsType[*procore.Error](err); !ok || e.Status != http.StatusUnauthorized {
				t.Fatalf("got error %v, want Procore's 401", err)
			}
			if got := w.row(k).PausedUntil.Sub(w.clock.Now()); got > want || got < want-time.Second {
				t.Errorf("paused for %v, want %v", got, want)
			}
			n := w.calls("/")
			w.clock.Advance(want - time.Minute)
			if err := w.call(w.store(), k); !errors.Is(err, ErrPaused) || !strings.Contains(err.Error(), "company 501") || !strings.Contains(err.Error(), "a company admin has to check") {
				t.Errorf("while paused: got error %v, want ErrPaused, of the company, with the next step", err)
			}
			if got := w.calls("/"); got != n {
				t.Errorf("while paused Procore got %d calls, want none", got-n)
			}
			if got := w.refreshes(); got != before {
				t.Errorf("%d refreshes for a 401 to a good token, want none", got-before)
			}
			w.clock.Advance(time.Minute)
		}
		for _, c := range rest {
			if got := w.row(c.Key); !got.PausedUntil.IsZero() || w.call(w.store(), c.Key) != nil {
				t.Errorf("%s is paused until %v", c.Key, got.PausedUntil)
			}
		}
		w.procore.ClearFaults()
		if err := w.call(w.store(), k); err != nil {
			t.Errorf("after the company's trouble: %v", err)
		}
		w.clock.Advance(maxPause + time.Hour)
		if err := w.store().Pause(t.Context(), w.row(k)); err != nil {
			t.Fatal(err)
		}
		if got := w.row(k).PausedUntil.Sub(w.clock.Now()); got > minPause {
			t.Errorf("a day later a pause of %v begins, want %v", got, minPause)
		}
		if got := w.connect(joe, acme)[0].PausedUntil; !got.IsZero() {
			t.Errorf("connected again, and paused until %v", got)
		}
	})
}

// A paused connection works again in the process that paused it, when the time is over.
func TestPauseEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, k := w.store(), w.connect(joe, acme)[0].Key
	w.procoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", Kind: procoretest.Status, Status: 401})
	if err := w.call(s, k); !errors.Is(err, procore.ErrUnauthorized) {
		t.Errorf("got error %v, want Procore's", err)
	}
	if err := w.call(s, k); !errors.Is(err, ErrPaused) {
		t.Errorf("got error %v, want ErrPaused", err)
	}
	w.clock.Advance(minPause)
	if err := w.call(s, k); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// A service account's calls share one token for all companies. One that answers 401 is
// paused alone.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	companies := []int64{acme, brick, crane}
	for _, id := range companies {
		if err := s.AddServiceAccount(t.Context(), id, "A Company", WebhooksPending); err != nil {
			t.Fatal(err)
		}
	}
	first := w.row(Key{acme, tokens.App})
	if first.State != Connected || first.CompanyName != "A Company" || first.Webhooks != WebhooksPending || first.CheckAt.IsZero() {
		t.Errorf("got %+v, want a connected company with pending webhooks", first)
	}
	for range 2 {
		for _, id := range companies {
			if err := w.call(w.store(), Key{id, tokens.App}); err != nil { // each in another process
				t.Error(err)
			}
		}
	}
	if got := w.grant(tokens.App); got.Generation != 1 || len(got.Holders) != 0 {
		t.Errorf("the app's token has generation %d, holders %v; want one fetch, no holders", got.Generation, got.Holders)
	}
	w.procoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", CompanyID: acme, Kind: procoretest.Status, Status: 401, Times: 9})
	if err := w.call(w.store(), Key{acme, tokens.App}); !errors.Is(err, procore.ErrUnauthorized) {
		t.Errorf("got error %v, want Procore's", err)
	}
	if err := w.call(w.store(), Key{acme, tokens.App}); !errors.Is(err, ErrPaused) {
		t.Errorf("got error %v, want ErrPaused", err)
	}
	if err := w.call(w.store(), Key{brick, tokens.App}); err != nil || w.grant(tokens.App).Generation != 1 {
		t.Errorf("another company: %v, generation %d", err, w.grant(tokens.App).Generation)
	}
}

// The user of the service account is asked for once, and only where the service account
// is connected.
func TestServiceAccountUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	w.connect(joe, brick)
	if got, err := s.ServiceAccountUser(t.Context(), brick); got != 0 || err != nil {
		t.Errorf("a company of users: got %d, %v, want none", got, err)
	}
	if err := s.AddServiceAccount(t.Context(), acme, "A Company", WebhooksOff); err != nil {
		t.Fatal(err)
	}
	w.procoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/me", CompanyID: acme, Kind: procoretest.Status, Status: 422, Times: 1})
	if got, err := s.ServiceAccountUser(t.Context(), acme); got != 0 || !errors.Is(err, procore.ErrInvalid) {
		t.Errorf("got %d, %v, want Procore's error", got, err)
	}
	first, err := s.ServiceAccountUser(t.Context(), acme)
	if first <= 0 || err != nil {
		t.Fatalf("got %d, %v, want the service account's user", first, err)
	}
	w.storage()
	w.procoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/me", CompanyID: acme, Kind: procoretest.Status, Status: 500, Times: 9})
	if got, err := s.ServiceAccountUser(t.Context(), acme); got != first || err != nil {
		t.Errorf("again: got %d, %v, want %d from memory", got, err, first)
	}
	w.wantStorage("again")
	if err := s.End(t.Context(), Key{acme, tokens.App}, "asked for"); err != nil {
		t.Fatal(err)
	}
	if got, err := w.store().ServiceAccountUser(t.Context(), acme); got != 0 || err != nil {
		t.Errorf("an ended connection: got %d, %v, want none", got, err)
	}
}

// Adding a service account again changes a connection only if it is not connected.
func TestServiceAccountAddedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, k := w.store(), Key{acme, tokens.App}
	add := func() Connection {
		t.Helper()
		if err := s.AddServiceAccount(t.Context(), acme, "A Company", WebhooksOff); err != nil {
			t.Fatal(err)
		}
		return w.row(k)
	}
	first := add()
	w.clock.Advance(time.Hour)
	if d := diff(add(), first); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
	for what, leave := range map[string]func() error{
		"ended":        func() error { return s.End(t.Context(), k, "asked for") },
		"disconnected": func() error { return s.Disconnect(t.Context(), w.row(k)) },
	} {
		if err := leave(); err != nil {
			t.Fatal(err)
		}
		if err := w.call(s, k); !errors.Is(err, ErrEnded) && !errors.Is(err, ErrDisconnected) {
			t.Errorf("%s: got error %v", what, err)
		}
		if c := add(); c.State != Connected || !c.Renewed() {
			t.Errorf("%s, and added again: %s", what, c.State)
		}
		if err := w.call(s, k); err != nil {
			t.Error(err)
		}
	}
}

// Calls of a user count together in all companies, those of the service account for each.
func TestOwnersOfLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	all := w.connect(joe, acme, brick)
	for _, id := range []int64{acme, brick} {
		if err := s.AddServiceAccount(t.Context(), id, "A Company", WebhooksOff); err != nil {
			t.Fatal(err)
		}
	}
	for p, limited := range map[tokens.Principal]bool{joe: true, tokens.App: false} {
		w.procoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", CompanyID: acme, Kind: procoretest.Status, Status: 429, Headers: map[string]string{"Retry-After": "3000"}})
		for _, c := range all {
			err := call(t.Context(), s.Client(Key{c.CompanyID, p}, procore.WithAttempts(1), procore.WithMaxWait(0)))
			if want := c.CompanyID == acme || limited; want != errors.Is(err, procore.ErrRateLimited) {
				t.Errorf("%s in company %d: got error %v, want a limit: %t", p, c.CompanyID, err, want)
			}
		}
	}
}

// No value of the package prints a token.
func TestPrinted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	w.connect(joe, acme)
	pair := w.authorize(joe)
	c, err := s.Connect(t.Context(), newOf(Key{acme, joe}))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.call(s, c.Key); err != nil {
		t.Fatal(err)
	}
	secrettest.NotPrinted(t, c, pair.AccessToken, pair.RefreshToken)
	secrettest.NotPrinted(t, &transport{store: s, key: c.Key}, pair.AccessToken, pair.RefreshToken, "fake-client-secret")
	secrettest.NotReachable(t, c, pair.AccessToken, pair.RefreshToken)
}

// worksBy returns what WorksBy returns of a connection with its grant as it is.
func (w *world) worksBy(c Connection) error {
	w.t.Helper()
	s := w.store()
	g, err := s.Tokens.Grant(w.t.Context(), c.Principal)
	switch {
	case errors.Is(err, tokens.ErrNotFound):
		return s.WorksBy(c, nil)
	case err != nil: // it cannot be read: there is nothing to judge
		return s.Works(w.t.Context(), c)
	}
	return s.WorksBy(c, &g)
}
