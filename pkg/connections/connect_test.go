package connections

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

func diff(got, want Connection) string {
	return cmp.Diff(got, want, cmp.AllowUnexported(Connection{}), cmp.Comparer(time.Time.Equal))
}

// What Connect returns is what is stored.
func TestConnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, k := w.store(), Key{acme, joe}
	w.authorize(joe)
	if _, err := s.Connection(t.Context(), k); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "company 501, user#1234567") {
		t.Errorf("before: got error %v, want ErrNotFound of the company", err)
	}
	c, err := s.Connect(t.Context(), New{Key: k, CompanyName: "Acme", UserName: "Joe", Webhooks: WebhooksPending})
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(c, w.row(k)); d != "" {
		t.Errorf("returned and stored (-got +want):\n%s", d)
	}
	now := s.now()
	want := Connection{
		Key: k, State: Connected, Rev: 1, CompanyName: "Acme", UserName: "Joe", ConnectedAt: now, SeenAt: toSecond(now),
		Webhooks: WebhooksPending, CheckAt: toSecond(now), Transitions: []Transition{{Connected, toSecond(now), "connected"}}, write: c.write,
	}
	if d := diff(c, want); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
	if c.Renewed() {
		t.Error("the first connection renewed something")
	}
	w.wantHolders(joe, acme)
	if err := w.call(s, k); err != nil {
		t.Error(err)
	}
	if err := s.Saw(t.Context(), k, now.Add(time.Hour)); err != nil || w.row(k).Renewed() {
		t.Errorf("another write renewed it: %v", err)
	}
}

// Connecting again renews, also in the same moment. It changes the names, and ends a pause.
func TestConnectAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	first := w.connect(joe, acme)[0]
	if err := s.Pause(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	for range maxTransitions + 1 {
		c, err := s.Connect(t.Context(), New{Key: first.Key, CompanyName: "Acme & Sons", UserName: "Joe B.", Webhooks: WebhooksPending})
		if err != nil {
			t.Fatal(err)
		}
		if !c.Renewed() || !w.row(c.Key).Renewed() {
			t.Fatal("it renewed nothing")
		}
		if !c.PausedUntil.IsZero() || c.pause != 0 || c.CompanyName != "Acme & Sons" || c.UserName != "Joe B." || c.Webhooks != WebhooksPending {
			t.Errorf("got %+v, want the new names and no pause", c)
		}
	}
	w.wantHolders(joe, acme)
	if err := s.End(t.Context(), first.Key, "asked for"); err != nil {
		t.Fatal(err)
	}
	if c := w.connect(joe, acme)[0]; !c.Renewed() || c.State != Connected || c.Reason != "" || !c.ReasonAt.IsZero() {
		t.Errorf("after its end: got %s, %q, renewed %t; want a connected one that renewed", c.State, c.Reason, c.Renewed())
	}
}

// Without an active grant no company is connected, and nothing is written.
func TestConnectNeedsAnActiveGrant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*world)
		want    error
	}{
		"none": {func(*world) {}, tokens.ErrNotFound},
		"revoked": {func(w *world) {
			w.authorize(joe)
			if err := w.store().Tokens.Revoke(t.Context(), joe, "asked for"); err != nil {
				t.Error(err)
			}
		}, tokens.ErrRevoked},
		"spent": {func(w *world) {
			w.authorize(joe)
			w.dead(joe)
		}, tokens.ErrReauthorize},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.prepare(w)
			_, err := w.store().Connect(t.Context(), newOf(Key{acme, joe}))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "company 501") {
				t.Errorf("got error %v, want %v of the company", err, tt.want)
			}
			if _, err := w.store().Connection(t.Context(), Key{acme, joe}); !errors.Is(err, ErrNotFound) {
				t.Errorf("got error %v, want no connection", err)
			}
		})
	}
}

// dead has Procore refuse the refresh token of a grant.
func (w *world) dead(p tokens.Principal) {
	w.t.Helper()
	w.clock.Advance(2 * time.Hour)
	w.procoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`})
	if _, err := w.store().Tokens.Token(w.t.Context(), p); !errors.Is(err, tokens.ErrReauthorize) {
		w.t.Fatalf("got error %v, want ErrReauthorize", err)
	}
}

func TestConnectIsForUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.store().Connect(t.Context(), newOf(Key{acme, tokens.App})); err == nil {
		t.Error("a service account was connected by a grant")
	}
}

// used is an item that takes part in one transaction, such as a session.
func (w *world) used() types.TransactWriteItem {
	return new(dynamo.Expression).Set(dynamo.Item{"status": dynamo.Text("connected")}).Absent("status").
		Update(w.names.Sessions, dynamo.Item{"session": dynamo.Text("s")})
}

// An item that joins refuses all of the transaction.
func TestConnectInATransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.authorize(joe)
	if _, err := w.store().Connect(t.Context(), newOf(Key{acme, joe}), w.used()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store().Connect(t.Context(), newOf(Key{brick, joe}), w.used()); !errors.Is(err, tokens.ErrUsed) {
		t.Errorf("got error %v, want ErrUsed", err)
	}
	if _, err := w.store().Connect(t.Context(), newOf(Key{acme, joe}), w.used()); !errors.Is(err, tokens.ErrUsed) {
		t.Errorf("again: got error %v, want ErrUsed", err)
	}
	if c := w.row(Key{acme, joe}); c.Rev != 1 {
		t.Errorf("the connection was written %d times, want once", c.Rev)
	}
	w.wantHolders(joe, acme)
}

// Two companies of a user share one grant, and one refresh serves both. Authorizing for
// the third company leaves the first two as they are.
func TestThreeCompaniesShareAGrant(t *testing.T) {
	t.Parallel()
	modes(t, func(w *world) {
		t := w.t
		all := w.connect(joe, acme, brick)
		w.wantHolders(joe, acme, brick)
		w.clock.Advance(time.Minute)
		w.authorize(joe) // for the third company, which is not chosen yet
		for _, c := range all {
			if err := w.call(w.store(), c.Key); err != nil {
				t.Errorf("during the choice: %v", err)
			}
			if d := diff(w.row(c.Key), c); d != "" {
				t.Errorf("an authorization changed %s (-got +want):\n%s", c.Key, d)
			}
		}
		all = append(all, w.connect(joe, crane)...)
		w.wantHolders(joe, acme, brick, crane)
		for round := 1; round <= 3; round++ {
			w.clock.Advance(2 * time.Hour)
			for _, c := range all {
				if err := w.call(w.store(), c.Key); err != nil { // each in another process
					t.Error(err)
				}
			}
			if got := w.refreshes(); got != round {
				t.Errorf("%d refreshes for three companies in %d lifetimes, want one each", got, round)
			}
		}
		if w.grant(joe).State != tokens.Active {
			t.Error("the grant is not active")
		}
	})
}

// A second authorization of one user is for another company. Whatever it does to the first
// pair, both companies work on, with one pair and one refresh.
func TestSamePairTwoCompanies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode       procoretest.SecondAuthorization
		same       bool  // the user receives the first pair once more
		first      bool  // Procore still accepts it
		generation int64 // of the grant's pair
		live       int   // refresh tokens that Procore accepts after the refresh
	}{
		{procoretest.Keep, false, true, 2, 2}, // the first one is dropped, never revoked
		{procoretest.Kill, false, false, 2, 1},
		{procoretest.Return, true, true, 1, 1},
	} {
		w := newWorld(t)
		w.mode(tt.mode)
		var all []Connection
		var pairs []procoretest.Pair
		for _, company := range []int64{7001, 7002} {
			if err := w.procore.AddCompany(procoretest.NewCompany(company, "A Company", procoretest.Joe)); err != nil {
				t.Fatal(err)
			}
			pairs = append(pairs, w.authorize(joe))
			c, err := w.store().Connect(t.Context(), newOf(Key{company, joe}))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		if same, first := pairs[0] == pairs[1], w.accepted(pairs[0].AccessToken); same != tt.same || first != tt.first {
			t.Errorf("%s: the fake returned the same pair: %t, and accepts the first: %t", tt.mode, same, first)
		}
		if g := w.grant(joe); g.Generation != tt.generation || g.State != tokens.Active {
			t.Errorf("%s: got generation %d, %s, want %d", tt.mode, g.Generation, g.State, tt.generation)
		}
		w.wantHolders(joe, 7001, 7002)
		for refreshes := range 2 {
			for _, c := range all { // each in another process
				if err := w.call(w.store(), c.Key); err != nil {
					t.Errorf("%s, company %d, after %d refreshes: %v", tt.mode, c.CompanyID, refreshes, err)
				}
			}
			if got := w.refreshes(); got != refreshes {
				t.Errorf("%s: got %d refreshes for both companies, want %d", tt.mode, got, refreshes)
			}
			w.clock.Advance(2 * time.Hour)
		}
		if g := w.grant(joe); g.Generation != tt.generation+1 || w.live() != tt.live {
			t.Errorf("%s: got generation %d and %d live refresh tokens", tt.mode, g.Generation, w.live())
		}
	}
}

// The end of one company leaves the others working. The end of the last one revokes both
// tokens at Procore.
func TestEnd(t *testing.T) {
	t.Parallel()
	modes(t, func(w *world) {
		t := w.t
		s := w.store()
		all := w.connect(joe, acme, brick)
		last := w.authorize(joe)
		if err := w.call(s, all[0].Key); err != nil {
			t.Fatal(err)
		}
		if err := s.End(t.Context(), all[0].Key, "asked for"); err != nil {
			t.Fatal(err)
		}
		if err := w.call(s, all[0].Key); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "company 501") || !strings.Contains(err.Error(), "asked for") {
			t.Errorf("got error %v, want ErrEnded, of the company, with the reason", err)
		}
		w.wantHolders(joe, brick)
		w.clock.Advance(2 * time.Hour)
		if err := w.call(s, all[1].Key); err != nil {
			t.Errorf("the other company: %v", err)
		}
		access, err := s.Tokens.Current(t.Context(), joe)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.End(t.Context(), all[1].Key, "asked for"); err != nil {
			t.Fatal(err)
		}
		if got := w.grant(joe); got.State != tokens.Revoked || got.Reason != "asked for" {
			t.Errorf("the grant is %s, %q; want revoked, with the reason", got.State, got.Reason)
		}
		if w.accepted(access.Bearer().Reveal()) {
			t.Error("Procore still accepts the access token")
		}
		for _, r := range w.procore.State().RefreshTokens {
			if r.State == procoretest.Live && r.Fingerprint == procoretest.Fingerprint(last.RefreshToken) {
				t.Error("Procore still accepts the refresh token")
			}
		}
		for _, c := range all {
			if got := w.row(c.Key); got.State != Ended || got.Reason != "asked for" || !got.CheckAt.IsZero() {
				t.Errorf("%s is %s, %q", c.Key, got.State, got.Reason)
			}
		}
	})
}

func TestEndOfNoConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range []tokens.Principal{joe, tokens.App} {
		if err := w.store().End(t.Context(), Key{acme, p}, "asked for"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got error %v, want ErrNotFound", p, err)
		}
	}
}

// Ending a connection a second time ends no authorization that was made since.
func TestEndTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.connect(joe, acme)[0].Key
	if err := w.store().End(t.Context(), k, "asked for"); err != nil {
		t.Fatal(err)
	}
	before := w.row(k)
	w.clock.Advance(underWay + time.Second)
	w.authorize(joe) // in another tab, where a company is being chosen
	if err := w.store().End(t.Context(), k, "asked again"); err != nil {
		t.Fatal(err)
	}
	if d := diff(w.row(k), before); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
	if got := w.grant(joe).State; got != tokens.Active {
		t.Errorf("the grant of a choice is %s, want active", got)
	}
}

// A revocation that fails is finished when the connection is ended again.
func TestFailedRevocationIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, k := w.store(), w.connect(joe, acme)[0].Key
	w.procoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Status, Status: 503, Times: 2})
	for range 2 {
		if err := s.End(t.Context(), k, "asked for"); !errors.Is(err, tokens.ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		w.clock.Advance(10 * time.Minute)
	}
	if err := s.End(t.Context(), k, "asked for"); err != nil || w.grant(joe).State != tokens.Revoked || w.live() != 0 {
		t.Errorf("got error %v, the grant is %s, %d live; want it revoked", err, w.grant(joe).State, w.live())
	}
	if got := w.row(k).Rev; got != 2 {
		t.Errorf("the connection was written %d times, want twice", got)
	}
}

// A revocation that fails is finished by housekeeping, half an hour later.
func TestFailedRevocationIsFinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, k := w.store(), w.connect(joe, acme)[0].Key
	w.procoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Status, Status: 503, Times: 9})
	err := s.End(t.Context(), k, "asked for")
	if !errors.Is(err, tokens.ErrTryAgain) || !strings.Contains(err.Error(), "company 501") || w.row(k).State != Ended {
		t.Errorf("got error %v, %s; want ErrTryAgain of the company, which has ended", err, w.row(k).State)
	}
	w.procore.ClearFaults()
	unheld := func() (all []tokens.Principal) {
		for shard := range tokens.Shards {
			for p, err := range s.Tokens.Upkeep().Unheld(t.Context(), shard) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, p)
			}
		}
		return all
	}
	if got := unheld(); len(got) != 0 {
		t.Errorf("%v are without a holder for half an hour, want none yet", got)
	}
	w.clock.Advance(tokens.UnheldFor + 2*time.Second)
	got := unheld()
	if len(got) != 1 || got[0] != joe {
		t.Fatalf("%v are without a holder, want Joe", got)
	}
	if err := s.Tokens.Revoke(t.Context(), joe, "no company"); err != nil {
		t.Fatal(err)
	}
	if got := w.grant(joe).State; got != tokens.Revoked || w.live() != 0 || len(unheld()) != 0 {
		t.Errorf("the grant is %s, %d refresh tokens are live; want revoked, none", got, w.live())
	}
}

// The last connection ends while another company is connected, in either order: the
// grant is revoked only if no company is connected.
func TestLastEndAgainstANewConnection(t *testing.T) {
	t.Parallel()
	a, b := Key{acme, joe}, Key{brick, joe}
	end := func(w *world) error { return w.store().End(w.t.Context(), a, "asked for") }
	connect := func(w *world) error { _, err := w.store().Connect(w.t.Context(), newOf(b)); return err }
	for name, tt := range map[string]struct {
		outer, inner func(*world) error
		n            int // of the outer transaction before which the inner one is made
		connected    bool
	}{
		"connected before the release":    {end, connect, 1, true},
		"connected before the revocation": {end, connect, 2, true},
		"ended before the connection":     {connect, end, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modes(t, func(w *world) {
				t := w.t
				w.connect(joe, acme)
				var inner error
				w.once(tt.n, "TransactWriteItems", func() dynamotest.Fault {
					w.faults(nil)
					inner = tt.inner(w)
					return dynamotest.Fault{}
				})
				outer := tt.outer(w)
				if tt.connected {
					if outer != nil || inner != nil {
						t.Errorf("got errors %v and %v", outer, inner)
					}
					w.wantHolders(joe, brick)
					if err := w.call(w.store(), b); err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(outer, tokens.ErrRevoked) || inner != nil || w.live() != 0 {
					t.Errorf("got errors %v and %v, %d live; want ErrRevoked, none, none", outer, inner, w.live())
				}
				if _, err := w.store().Connection(t.Context(), b); !errors.Is(err, ErrNotFound) {
					t.Errorf("got error %v, want no connection", err)
				}
			})
		})
	}
}

// Both of a user's last two companies end at once, one in the middle of the other: the
// grant is revoked.
func TestLastTwoEndAtOnce(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before the release", "after the release"} {
		w := newWorld(t)
		w.mode(procoretest.Kill)
		all := w.connect(joe, acme, brick)
		end := func() dynamotest.Fault {
			w.faults(nil)
			if err := w.store().End(t.Context(), all[1].Key, "asked for"); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			return dynamotest.Fault{}
		}
		w.once(1, "TransactWriteItems", func() dynamotest.Fault {
			if when == "before the release" {
				return end()
			}
			w.once(1, "GetItem", end)
			return dynamotest.Fault{}
		})
		if err := w.store().End(t.Context(), all[0].Key, "asked for"); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if got := w.grant(joe); got.State != tokens.Revoked || len(got.Holders) != 0 || w.live() != 0 {
			t.Errorf("%s: the grant is %s, held by %v, %d live; want revoked", when, got.State, got.Holders, w.live())
		}
	}
}

// The answer to a transaction is lost: it is not made twice, and is a success even if the
// grant was written since.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	k := Key{acme, joe}
	connect := func(w *world) error {
		c, err := w.store().Connect(w.t.Context(), newOf(k), w.used())
		if err == nil && c.Renewed() {
			w.t.Error("the connection was made twice")
		}
		return err
	}
	end := func(w *world) error { return w.store().End(w.t.Context(), k, "asked for") }
	for name, tt := range map[string]struct {
		step  func(*world) error
		since bool // the grant is written after the transaction
		want  State
	}{
		"connect": {connect, false, Connected}, "connect, and the grant is written": {connect, true, Connected},
		"end": {end, false, Ended}, "end, and the grant is written": {end, true, Ended},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connect(joe, brick)
			if tt.want == Ended {
				w.connect(joe, acme)
			}
			w.once(1, "TransactWriteItems", func() dynamotest.Fault {
				w.faults(nil)
				if tt.since {
					w.once(1, "GetItem", func() dynamotest.Fault {
						w.faults(nil)
						w.clock.Advance(2 * time.Hour)
						if _, err := w.store().Tokens.Token(t.Context(), joe); err != nil {
							t.Error(err)
						}
						return dynamotest.Fault{}
					})
				}
				return dynamotest.Fault{Drop: true, Applied: true}
			})
			if err := tt.step(w); err != nil {
				t.Errorf("got error %v", err)
			}
			if got := w.row(k).State; got != tt.want {
				t.Errorf("the connection is %s, want %s", got, tt.want)
			}
			if tt.want == Connected {
				w.wantHolders(joe, acme, brick)
			} else {
				w.wantHolders(joe, brick)
			}
		})
	}
}

// A transaction that did not reach storage, and one after which storage is down, is
// ErrTryAgain, and may be repeated.
func TestStorageIsDown(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]dynamotest.Fault{
		"not applied": {Code: "InternalServerError"}, "applied": {Code: "InternalServerError", Applied: true},
	} {
		w := newWorld(t)
		s, k := w.store(), w.connect(joe, acme, brick)[0].Key
		w.faults(func(operation, _ string) dynamotest.Fault {
			if operation == "TransactWriteItems" {
				w.faults(func(string, string) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} })
				return fault
			}
			return dynamotest.Fault{}
		})
		err := s.End(t.Context(), k, "asked for")
		w.faults(nil)
		if !errors.Is(err, tokens.ErrTryAgain) || !strings.Contains(err.Error(), "company 501") {
			t.Errorf("%s: got error %v, want ErrTryAgain of the company", name, err)
		}
		if err := s.End(t.Context(), k, "asked for"); err != nil || w.row(k).State != Ended {
			t.Errorf("%s, repeated: got error %v, %s", name, err, w.row(k).State)
		}
		w.wantHolders(joe, brick)
	}
}

// A transaction that meets another one is repeated.
func TestConflicts(t *testing.T) {
	t.Parallel()
	for _, reasons := range [][]string{{"TransactionConflict", "None"}, {"None", "TransactionConflict"}, {"ThrottlingError", "ThrottlingError"}} {
		w := newWorld(t)
		s := w.store()
		w.authorize(joe)
		w.once(1, "TransactWriteItems", func() dynamotest.Fault { return dynamotest.Fault{Reasons: reasons} })
		if c, err := s.Connect(t.Context(), newOf(Key{acme, joe})); err != nil || c.Rev != 1 {
			t.Errorf("connecting after %v: %v", reasons, err)
		}
		w.once(1, "TransactWriteItems", func() dynamotest.Fault { return dynamotest.Fault{Reasons: reasons} })
		if err := s.End(t.Context(), Key{acme, joe}, "asked for"); err != nil || w.row(Key{acme, joe}).State != Ended {
			t.Errorf("ending after %v: %v", reasons, err)
		}
	}
}

// Another process changes the connection, or the grant, in the middle of a transaction.
func TestLostRaces(t *testing.T) {
	t.Parallel()
	k := Key{acme, joe}
	for name, other := range map[string]func(*world) error{
		"the connection": func(w *world) error { return w.store().Saw(w.t.Context(), k, w.clock.Now().Add(time.Hour)) },
		"the grant": func(w *world) error {
			_, err := w.store().Connect(w.t.Context(), newOf(Key{brick, joe}))
			return err
		},
	} {
		w := newWorld(t)
		w.connect(joe, acme)
		w.once(1, "TransactWriteItems", func() dynamotest.Fault {
			w.faults(nil)
			if err := other(w); err != nil {
				t.Error(err)
			}
			return dynamotest.Fault{}
		})
		if c, err := w.store().Connect(t.Context(), newOf(k)); err != nil || c.Rev < 2 || w.row(k).Rev != c.Rev {
			t.Errorf("%s changes: got revision %d, %v", name, c.Rev, err)
		}
	}
	w := newWorld(t)
	w.connect(joe, acme)
	w.faults(func(operation, _ string) dynamotest.Fault {
		if operation == "TransactWriteItems" {
			if err := w.store().Saw(context.Background(), k, w.row(k).SeenAt.Add(time.Second)); err != nil {
				t.Error(err)
			}
		}
		return dynamotest.Fault{}
	})
	if _, err := w.store().Connect(t.Context(), newOf(k)); !errors.Is(err, tokens.ErrTryAgain) || !strings.Contains(err.Error(), "keeps changing") || strings.Contains(err.Error(), "%!") {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
}

// EndSeen ends the connection that was seen, and none that was made again since, whenever that happens.
func TestEndSeen(t *testing.T) {
	t.Parallel()
	k := Key{acme, joe}
	by := func(origin string) New {
		n := newOf(k)
		n.Origin = origin
		return n
	}
	for name, tt := range map[string]struct {
		between func(*world) // the reading and the end
		race    bool         // it happens during the end
		state   State
	}{
		"as it was seen":            {func(*world) {}, false, Ended},
		"changed otherwise":         {func(w *world) { _ = w.store().Saw(w.t.Context(), k, w.clock.Now().Add(time.Hour)) }, true, Ended},
		"disconnected since":        {func(w *world) { _ = w.store().Disconnect(w.t.Context(), w.row(k)) }, true, Ended},
		"ended since":               {func(w *world) { _ = w.store().End(w.t.Context(), k, "asked for") }, true, Ended},
		"made again":                {func(w *world) { w.again(by("two")) }, false, Connected},
		"made again during the end": {func(w *world) { w.again(by("two")) }, true, Connected},
		"ended and made again": {func(w *world) {
			_ = w.store().End(w.t.Context(), k, "asked for")
			w.clock.Advance(underWay + time.Second)
			w.again(by("two"))
		}, false, Connected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.again(by("one"))
			seen := w.row(k)
			if seen.Origin != "one" {
				t.Fatalf("its origin is %q", seen.Origin)
			}
			if tt.race {
				w.once(1, "TransactWriteItems", func() dynamotest.Fault {
					w.faults(nil)
					tt.between(w)
					return dynamotest.Fault{}
				})
			} else {
				tt.between(w)
			}
			if err := w.store().EndSeen(t.Context(), seen, "its user did"); err != nil {
				t.Fatal(err)
			}
			want := tokens.Active
			if tt.state == Ended {
				want = tokens.Revoked
			}
			if c, g := w.row(k), w.grant(joe); c.State != tt.state || g.State != want {
				t.Errorf("it is %s, and its grant %s; want %s and %s", c.State, g.State, tt.state, want)
			}
		})
	}
}

// again authorizes and connects.
func (w *world) again(n New) {
	w.t.Helper()
	w.clock.Advance(time.Second)
	w.authorize(n.Principal)
	if _, err := w.store().Connect(w.t.Context(), n); err != nil {
		w.t.Fatal(err)
	}
}
