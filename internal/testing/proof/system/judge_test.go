package system

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	refresher "procore-connect/functions/refresher/handler"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// trial is the evidence of a test, and what a part of the judge finds in it.
type trial struct {
	court
	at    time.Time
	found []string
}

func newTrial() *trial {
	t := &trial{at: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)}
	t.court = court{func() time.Time { return t.at }, func(format string, args ...any) { t.found = append(t.found, fmt.Sprintf(format, args...)) }}
	return t
}

// alive is a process that never dies, dead is one that has.
type alive struct{}

func (alive) Dead() bool { return false }

type dead struct{}

func (dead) Dead() bool { return true }

// row is a grant's row at a revision.
func row(rev int64, sealed, lastAttempt string) invariants.Row {
	return invariants.Row{Grant: "custom#user#2", State: "active", Rev: rev, Generation: rev, Sealed: []byte(sealed), LastAttempt: lastAttempt}
}

// disagrees judges a connection of user 2 that has no grant.
func (t *trial) disagrees(k known) {
	t.found = disagreements([]invariants.Item{connection("connected")}, nil, map[int64]*known{1: &k})
}

// Every judgment finds what breaks its rule, and nothing in what keeps it.
func TestJudgment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(t *trial)
		want string // part of the only problem; "": none
	}{
		{"R1, once", func(t *trial) { t.pairs().presented("a", clientID, &simulation.Pair{Presented: 1}) }, ""},
		{"R1, twice", func(t *trial) { t.pairs().presented("a", clientID, &simulation.Pair{Presented: 2}) }, "a second time"},
		{"R1, as another app", func(t *trial) { t.pairs().presented("a", "another", &simulation.Pair{Presented: 1}) }, "as another app"},
		{"R2, stored", func(t *trial) {
			t.receives(alive{}, func(p *pairs, next *simulation.Pair) { p.wrote(change("x"), next) })
		}, ""},
		{"R2, rescued", func(t *trial) { t.receives(alive{}, func(p *pairs, next *simulation.Pair) { p.saved(next) }) }, ""},
		{"R2, table and queue refuse", func(t *trial) {
			t.receives(alive{}, func(p *pairs, _ *simulation.Pair) {
				p.tries(alive{})
				p.gaveUp(alive{})
			})
		}, ""},
		{"R2, the queue is not tried", func(t *trial) {
			t.receives(alive{}, func(p *pairs, _ *simulation.Pair) { p.gaveUp(alive{}) })
		}, "R2"},
		{"R2, given up in silence", func(t *trial) {
			t.receives(alive{}, func(p *pairs, _ *simulation.Pair) { p.tries(alive{}) })
		}, "R2"},
		{"R2, the process died", func(t *trial) { t.receives(dead{}, func(*pairs, *simulation.Pair) {}) }, ""},
		{"R2, lost", func(t *trial) { t.receives(alive{}, func(*pairs, *simulation.Pair) {}) }, "R2"},
		{"R2, rows were lost since the claim", func(t *trial) {
			t.receives(alive{}, func(p *pairs, _ *simulation.Pair) { p.rewound = p.now().Add(-time.Second) })
		}, ""},
		{"R2, rows were lost before", func(t *trial) {
			t.receives(alive{}, func(p *pairs, _ *simulation.Pair) { p.rewound = p.now().Add(-2 * longest) })
		}, "R2"},
		{"R2, fenced", func(t *trial) {
			t.receives(alive{}, func(p *pairs, next *simulation.Pair) { p.fenced[next.Prev] = true })
		}, ""},
		{"R2, an authorization returned the pair", func(t *trial) {
			t.receives(alive{}, func(p *pairs, next *simulation.Pair) {
				p.wrote(change("x"), next.Prev)
				p.wrote(invariants.Change{Old: row(1, "x", ""), New: row(2, "y", "")}, next.Prev)
			})
		}, ""},
		{"R2, the pair that an authorization returned is claimed", func(t *trial) {
			t.receives(alive{}, func(p *pairs, next *simulation.Pair) {
				p.wrote(change("x"), next.Prev)
				p.wrote(invariants.Change{Old: row(1, "x", ""), New: row(2, "y", "")}, next.Prev)
				claimed := row(3, "y", "")
				claimed.ClaimUntil = 1
				p.wrote(invariants.Change{Old: row(2, "y", ""), New: claimed}, next.Prev)
			})
		}, "R2"},
		{"R2, a user is needed for a token that was never sent", func(t *trial) { t.gives(&simulation.Pair{Refresh: "1"}, false) }, "R2"},
		{"R2, a user is needed for a token that was sent", func(t *trial) { t.gives(&simulation.Pair{Refresh: "1", Presented: 1}, false) }, ""},
		{"R2, a user is needed for a token that was revoked", func(t *trial) { t.gives(&simulation.Pair{Refresh: "1", Ended: "by its user"}, false) }, ""},
		{"R2, a user is needed without a token", func(t *trial) { t.gives(&simulation.Pair{}, false) }, ""},
		{"R2, a user is needed after a restore", func(t *trial) { t.gives(&simulation.Pair{Refresh: "1"}, true) }, ""},
		{"R2, a sign-in is stored", func(t *trial) {
			t.exchanges(alive{}, func(s *signIns, pair *simulation.Pair) {
				s.wrote("a", inSession(session.Authorized), pair, nil)
				s.answered(alive{}, true)
			})
		}, ""},
		{"R2, another pair is stored", func(t *trial) {
			t.exchanges(alive{}, func(s *signIns, _ *simulation.Pair) {
				s.wrote("a", inSession(session.Authorized), &simulation.Pair{}, nil)
				s.answered(alive{}, true)
			})
		}, "not stored"},
		{"R2, a sign-in is not stored", func(t *trial) {
			t.exchanges(alive{}, func(s *signIns, _ *simulation.Pair) { s.answered(alive{}, true) })
		}, "not stored"},
		{"R2, the user knows", func(t *trial) {
			t.exchanges(alive{}, func(s *signIns, _ *simulation.Pair) { s.answered(alive{}, false) })
		}, ""},
		{"R2, the callback died", func(t *trial) { t.exchanges(dead{}, func(*signIns, *simulation.Pair) {}) }, ""},
		{"R2, the user waits", func(t *trial) { t.exchanges(alive{}, func(*signIns, *simulation.Pair) {}) }, "not stored"},
		{"R2, a sign-in moves to its grant", func(t *trial) { t.moves(session.Pending, live, live) }, ""},
		{"R2, a sign-in is older than its grant", func(t *trial) { t.moves(session.Pending, live, fresh) }, ""},
		{"R2, a sign-in is dropped", func(t *trial) { t.moves(session.Pending, live, nil) }, "drops"},
		{"R2, a sign-in is dropped for a spent pair", func(t *trial) { t.moves(session.Pending, live, spent) }, "drops"},
		{"R2, a sign-in that works is abandoned", func(t *trial) { t.moves(session.Abandoned, live, fresh) }, "abandons"},
		{"R2, a sign-in that does not work is abandoned", func(t *trial) { t.moves(session.Abandoned, spent, nil) }, ""},
		{"R4, stored", func(t *trial) { t.answers("1", func(s *stored, e procore.Event) { s.wrote(arrived(e)) }) }, ""},
		{"R4, not stored", func(t *trial) { t.answers("1", func(*stored, procore.Event) {}) }, "R4"},
		{"R4, quarantined", func(t *trial) {
			t.answers("3", func(s *stored, _ procore.Event) { s.wrote(stores("3#quarantine", "digest", "3")) })
		}, ""},
		{"R4, not quarantined", func(t *trial) { t.answers("3", func(*stored, procore.Event) {}) }, "not quarantined"},
		{"R4, written again", func(t *trial) {
			s := newStored(t.court)
			s.wrote(stores("1#RFIs#2", "e", "1"))
			t.at = t.at.Add(time.Second)
			again := stores("1#RFIs#2", "e", "1")
			again["received_at_ms"] = attribute("8")
			s.wrote(again)
		}, "R4"},
		{"R5, a log", func(t *trial) { (&output{t.court}).text("a log", `{"token":"fake-access-1"}`) }, "R5"},
		{"R5, the client id", func(t *trial) { (&output{t.court}).text("a page", "client_id=fake-client-id") }, ""},
		{"R5, a header", func(t *trial) {
			w := newRecorder(nil)
			w.Header().Set("Location", "/?code=fake-code-1")
			(&output{t.court}).answer("/", w)
		}, "R5"},
		{"holders, after a restore", func(t *trial) { t.disagrees(known{customer: &customer{user: 3}, asked: true}) }, "connected to [1], and there is no grant"},
		{"holders, the user is asked", func(t *trial) { t.disagrees(known{customer: &customer{user: 2}, asked: true}) }, ""},
		{"holders, the user has answered", func(t *trial) { t.disagrees(known{customer: &customer{user: 2}}) }, "connected to [1], and there is no grant"},
		{"R5, a row", func(t *trial) { (&output{t.court}).row("a", grants, invariants.Item{"x": attribute("fake-refresh-1")}) }, "R5"},
		{"R6, another company", func(t *trial) { newStored(t.court).wrote(stores("1#RFIs#2", "e", "3")) }, "R6"},
		{"R6, no credential", func(t *trial) { newStored(t.court).answered("", nil, 200) }, "R6"},
		{"R6, forged", func(t *trial) {
			s := newStored(t.court)
			e := procore.Event{ID: "e", CompanyID: 1, Resource: "RFIs", ResourceID: "2"}
			s.forge("3", e)
			s.wrote(arrived(e))
		}, "forged"},
		{"quarantine of what is forged", func(t *trial) { t.quarantines(1) }, ""},
		{"quarantine without a reason", func(t *trial) { t.quarantines(0) }, "in quarantine"},
		{"R7, in flight and three", func(t *trial) { t.burns(2, 5) }, ""},
		{"R7, one more", func(t *trial) { t.burns(2, 6) }, "R7"},
		{"R7, a run that begins slowly", func(t *trial) { t.refreshes(1, 1, 2, 3) }, ""},
		{"R7, a run that begins with two", func(t *trial) { t.refreshes(2) }, "2 refreshes in flight, not 1"},
		{"R7, a run that goes on too fast", func(t *trial) { t.refreshes(1, 3) }, "3 refreshes in flight, not 2"},
		{"R7, as many refreshes as may be in flight", func(t *trial) { t.refreshes(1, 2, 4, 8, 10) }, ""},
		{"R7, one more refresh than may be in flight", func(t *trial) { t.refreshes(1, 2, 4, 8, 11) }, "11 refreshes in flight"},
		{"R7, requests that were not served", func(t *trial) {
			p := t.runs("refresh")
			for user := range int64(2) {
				p.sends("refresher#1", &simulation.Pair{User: user})
				t.at = t.at.Add(inFlight)
			}
		}, ""},
		{"R7, a sandbox with another task", func(t *trial) {
			p := t.runs("housekeeping")
			for user := range int64(2) {
				p.sends("refresher#1", &simulation.Pair{User: user})
			}
		}, ""},
		{"R7, ten refusals", func(t *trial) { t.refuses(t.runs("refresh"), 10) }, ""},
		{"R7, more refusals", func(t *trial) { t.refuses(t.runs("refresh"), 11) }, "of 11 users"},
		{"R7, more refusals after a success", func(t *trial) {
			p := t.runs("refresh")
			p.wrote("access-token#1", invariants.Change{New: invariants.Row{Sealed: []byte("x")}})
			t.refuses(p, 11)
		}, ""},
		{"R7, more refusals long after a success", func(t *trial) {
			p := t.runs("refresh")
			p.wrote("access-token#1", invariants.Change{New: invariants.Row{Sealed: []byte("x")}})
			t.at = t.at.Add(behind + time.Second)
			p.begins("refresher#1", refresher.Input{Task: "refresh"})
			t.refuses(p, 11)
		}, "of 11 users"},
		{"R8, the pair it was spent for", func(t *trial) {
			t.replaces(func(old *simulation.Pair) *simulation.Pair { return &simulation.Pair{Prev: old} }, "b")
		}, ""},
		{"R8, another pair", func(t *trial) { t.replaces(func(*simulation.Pair) *simulation.Pair { return &simulation.Pair{} }, "b") }, "R8"},
		{"R8, an authorization", func(t *trial) {
			t.replaces(func(*simulation.Pair) *simulation.Pair { return &simulation.Pair{Authorizations: 1} }, "")
		}, ""},
		{"R8, by no one", func(t *trial) { t.replaces(func(*simulation.Pair) *simulation.Pair { return &simulation.Pair{} }, "") }, "no one authorized"},
		{"R3, a call for what no one has chosen", func(t *trial) { t.asks(newItems(t.court), "company-select#1") }, "R3"},
		{"R3, a call for no company", func(t *trial) {
			newItems(t.court).called(&simulation.Request{Actor: &simulation.Actor{Name: "company-select#1"}, Path: "/rest/v1.0/projects"})
		}, "R3"},
		{"R3, a call for what a user chooses", func(t *trial) {
			i := newItems(t.court)
			i.chosen(1)
			t.asks(i, "company-select#1")
		}, ""},
		{"R8, a call after the end", func(t *trial) { t.calls("ended") }, "R8"},
		{"R8, a call while connected", func(t *trial) { t.calls("connected") }, ""},
		{"R9, read since", func(t *trial) { t.changes(func(i *items, x item) { i.read(x, t.at) }) }, ""},
		{"R9, read before", func(t *trial) { t.changes(func(i *items, x item) { i.read(x, t.at.Add(-time.Second)) }) }, "R9"},
		{"R9, changed once more", func(t *trial) { t.changes(func(i *items, x item) { t.again(i, x) }) }, "R9"},
		{"R9, changed once more, the receiver's clock may be wrong", func(t *trial) {
			t.changes(func(i *items, x item) { i.hides = wrong; t.again(i, x) })
		}, ""},
		{"R9, changed later, the receiver's clock may be wrong", func(t *trial) {
			t.changes(func(i *items, x item) { i.hides = time.Minute; t.again(i, x) })
		}, "R9"},
		{"R9, the company left", func(t *trial) { t.changes(func(i *items, _ item) { i.wrote(connection("ended")) }) }, ""},
		{"R9, a backup without the company", func(t *trial) { t.changes(func(i *items, _ item) { i.restored(nil) }) }, ""},
		{"R9, a backup with the company", func(t *trial) {
			t.changes(func(i *items, _ item) { i.restored([]invariants.Item{connection("connected")}) })
		}, "R9"},
		{"R9, a row of the company was lost", func(t *trial) { t.changes(func(i *items, _ item) { i.lost(connection("connected")) }) }, ""},
		{"R9, the tables were reverted", func(t *trial) {
			t.changes(func(i *items, _ item) { i.reverted([]invariants.Item{connection("connected")}) })
		}, ""},
		{"R9, the grant of the company was lost", func(t *trial) {
			t.changes(func(i *items, _ item) {
				i.lost(invariants.Item{"grant": attribute("custom#user#2"), "holders": {SS: []string{"1"}}})
			})
		}, ""},
		{"R9, a row of another company was lost", func(t *trial) {
			t.changes(func(i *items, _ item) { i.lost(invariants.Item{"company": attribute("custom#7")}) })
		}, "R9"},
		{"R9, a backup in which the company had left", func(t *trial) {
			t.changes(func(i *items, _ item) { i.restored([]invariants.Item{connection("ended")}) })
		}, ""},
		{"in order", func(t *trial) { t.sends(1, 2) }, ""},
		{"out of order", func(t *trial) { t.sends(2, 1) }, "arrived later"},
		{"sent again", func(t *trial) { t.sends(1, 2, 1) }, ""},
		{"never sent", func(t *trial) { t.sends(2) }, "never sent"},
		{"costs", func(t *trial) { t.costs(perOwner + repeats) }, ""},
		{"pages of one item", func(t *trial) { t.pages(true) }, ""},
		{"pages", func(t *trial) { t.pages(false) }, "162 calls of refresher"},
		{"calls of a day", func(t *trial) { t.refresherCalls(160, 0) }, ""},
		{"too many calls of a day", func(t *trial) { t.refresherCalls(161, 0) }, "161 calls of refresher"},
		{"calls with an outage", func(t *trial) { t.refresherCalls(212, 2*time.Hour) }, ""},
		{"too many calls with an outage", func(t *trial) { t.refresherCalls(213, 2*time.Hour) }, "213 calls of refresher"},
		{"next version, kept", func(t *trial) {
			t.upgrades(func(_ *versions, row invariants.Item) { row[nextAttribute] = attribute("2") })
		}, ""},
		{"next version, dropped", func(t *trial) { t.upgrades(func(*versions, invariants.Item) {}) }, "drops what the next"},
		{"next version, another row", func(t *trial) {
			t.upgrades(func(v *versions, row invariants.Item) { v.deleted(grants, row) })
		}, ""},
		{"next version, an older row restored", func(t *trial) {
			t.upgrades(func(v *versions, row invariants.Item) { v.restored(grants, []invariants.Item{row}) })
		}, ""},
		{"next version, another table restored", func(t *trial) {
			t.upgrades(func(v *versions, row invariants.Item) { v.restored(connectionsTable, nil) })
		}, "drops what the next version stores"},
		{"writes of a ledger with two keys", func(t *trial) { t.spends(2) }, ""},
		{"too many writes of a ledger with one key", func(t *trial) { t.spends(1) }, "272 writes of spends"},
		{"a deleted hook, in time", func(t *trial) { t.unhooked(25*time.Hour, 9*time.Hour) }, ""},
		{"a deleted hook, after a day", func(t *trial) { t.unhooked(27*time.Hour, 9*time.Hour) }, "has 0 hooks"},
		{"no hook yet", func(t *trial) { t.unhooked(27*time.Hour, 50*time.Minute) }, ""},
		{"costs of an hour", func(t *trial) { t.costs(perOwner + repeats + 1) }, "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			trial := newTrial()
			tt.do(trial)
			wantOne(t, trial.found, tt.want)
		})
	}
}

func wantOne(t *testing.T, got []string, want string) {
	t.Helper()
	if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
		t.Errorf("got %q, want one with %q", got, want)
	}
}

// pairs returns that part of the judge, for which no time passes.
func (t *trial) pairs() *pairs {
	return newPairs(t.court, func(time.Duration, string, func()) {})
}

// receives lets a process receive a pair, and something happen before it is judged.
func (t *trial) receives(by process, then func(p *pairs, next *simulation.Pair)) {
	var judge func()
	p := newPairs(t.court, func(_ time.Duration, _ string, do func()) { judge = do })
	next := &simulation.Pair{Prev: &simulation.Pair{Authorizations: 1}, Authorizations: 1}
	p.received("a", by, next)
	then(p, next)
	judge()
}

// gives lets a grant be given up that has a pair.
func (t *trial) gives(pair *simulation.Pair, restored bool) {
	p := t.pairs()
	if restored {
		p.restored()
	}
	p.held["custom#user#2"] = pair
	up := row(2, "x", "")
	up.State = "reauthorize"
	p.wrote(invariants.Change{Old: row(1, "x", ""), New: up}, pair)
}

// exchanges lets a process receive a pair for a code, and something happen before it is judged.
func (t *trial) exchanges(in process, then func(s *signIns, pair *simulation.Pair)) {
	judge := func() {}
	s := newSignIns(t.court, func(_ time.Duration, _ string, do func()) { judge = do }, accepted)
	pair := &simulation.Pair{Authorizations: 1}
	s.receives("a", in, pair)
	then(s, pair)
	judge()
}

// Pairs whose refresh tokens work, and one that was spent.
var (
	live  = &simulation.Pair{Refresh: "1", Authorizations: 1}
	fresh = &simulation.Pair{Refresh: "2", Authorizations: 1}
	spent = &simulation.Pair{Refresh: "3", Authorizations: 1, Spent: true}
)

// accepted reports whether the API accepts a pair's access token, in the place of the fake Procore.
func accepted(p *simulation.Pair) bool { return p != nil && p.Live() }

// moves lets a pair leave its session, when the grant has a pair.
func (t *trial) moves(to session.Status, pair, grant *simulation.Pair) {
	s := newSignIns(t.court, func(time.Duration, string, func()) {}, accepted)
	s.wrote("a", inSession(session.Authorized), pair, nil)
	s.wrote("a", inSession(to), nil, grant)
}

func inSession(status session.Status) invariants.Item {
	return invariants.Item{"session": attribute("flow"), "status": attribute(string(status))}
}

func change(sealed string) invariants.Change {
	return invariants.Change{New: row(1, sealed, "")}
}

// replaces lets a grant's pair be replaced.
func (t *trial) replaces(by func(old *simulation.Pair) *simulation.Pair, attempt string) {
	p, old := t.pairs(), &simulation.Pair{Authorizations: 1}
	p.wrote(change("x"), old)
	p.wrote(invariants.Change{Old: row(1, "x", ""), New: row(2, "y", attempt)}, by(old))
}

// answers lets the receiver answer 200 to a delivery of company 1.
func (t *trial) answers(credential string, before func(s *stored, e procore.Event)) {
	body := []byte(`{"id":"01JGJ0000000000000000000AA","timestamp":"2026-01-01T00:00:00Z","company_id":1,"event_type":"update","resource_name":"RFIs","resource_id":2}`)
	e, err := procore.DecodeEvent(body)
	must(err)
	s := newStored(t.court)
	before(s, e)
	s.answered("Bearer k1."+credential+".0.mac", body, 200)
}

func attribute(text string) invariants.Attribute { return invariants.Attribute{S: &text} }

// stores is an item of the inbox.
func stores(resource, id, company string) invariants.Item {
	return invariants.Item{"resource": attribute(resource), "event_id": attribute(id), "company_id": attribute(company), "received_at_ms": attribute("7")}
}

func arrived(e procore.Event) invariants.Item { return stores(e.Key(), e.ID, fmt.Sprint(e.CompanyID)) }

// quarantines lets a delivery be quarantined, when so many are forged.
func (t *trial) quarantines(forged int) {
	s := newStored(t.court)
	for range forged {
		s.forge("3", procore.Event{})
	}
	s.wrote(stores("3#quarantine", "digest", "3"))
	s.settled()
}

// sends lets two events arrive, and be sent in some order.
func (t *trial) sends(numbers ...int) {
	s := newStored(t.court)
	e := procore.Event{CompanyID: 1, Resource: "RFIs", ResourceID: "2", Type: "update"}
	for _, id := range []string{"e1", "e2"} {
		s.wrote(stores(e.Key(), id, "1"))
	}
	for _, n := range numbers {
		e.ID = fmt.Sprint("e", n)
		body, err := procore.EncodeEvent(e)
		must(err)
		s.sent(simulation.Message{Body: string(body)})
	}
	s.settled()
}

// burns lets an outage spend so many refresh tokens.
func (t *trial) burns(inFlight, spent int) {
	b := &burns{court: t.court, inFlight: func() int { return inFlight }}
	b.used(&simulation.Use{Status: 400}, true, nil)
	for range spent {
		b.used(&simulation.Use{Pair: &simulation.Pair{}, Before: procoretest.Live, Status: 503}, false, alive{}.Dead)
	}
}

func connection(state string) invariants.Item {
	return invariants.Item{"company": attribute("custom#1"), "principal": attribute("user#2"), "state": attribute(state)}
}

// calls lets the consumer call for a company whose connection has a state.
func (t *trial) calls(state string) {
	i := newItems(t.court)
	i.chosen(1)
	i.wrote(connection("connected"))
	i.wrote(connection(state))
	t.at = t.at.Add(time.Hour)
	t.asks(i, "event-consumer#1")
}

// asks lets a function call for the company.
func (t *trial) asks(i *items, by string) {
	i.called(&simulation.Request{Actor: &simulation.Actor{Name: by}, Path: "/rest/v1.0/projects", Header: map[string][]string{"Procore-Company-Id": {"1"}}})
}

// changes lets something change that is covered, and something happen before it is judged.
func (t *trial) changes(then func(i *items, x item)) {
	i, x := newItems(t.court), item{1, "RFIs", "2"}
	i.wrote(connection("connected"))
	i.wrote(invariants.Item{"company": attribute("custom#1"), "principal": attribute("webhook"), "hook_id": attribute("9"), "since_ms": attribute("1")})
	i.changed(x)
	then(i, x)
	i.settled()
}

// again lets what was read change once more, after five minutes.
func (t *trial) again(i *items, x item) {
	i.read(x, t.at)
	t.at = t.at.Add(5 * time.Minute)
	i.changed(x)
}

// upgrades lets this version write a row of the next one, after something happened.
func (t *trial) upgrades(then func(v *versions, row invariants.Item)) {
	v := newVersions(t.court)
	v.wrote("refresher#1", grants, invariants.Item{"grant": attribute("custom#app"), nextAttribute: attribute("2")})
	row := invariants.Item{"grant": attribute("custom#app")}
	then(v, row)
	v.wrote("refresher#2", grants, row)
}

// pages lets the refresher read a list of many pages.
func (t *trial) pages(paged bool) {
	c := newCosts(t.court)
	c.paged = paged
	for n := range 162 {
		query := url.Values{"page": {strconv.Itoa(n + 1)}}
		c.called(&simulation.Request{
			Actor: &simulation.Actor{Name: "refresher#1"}, Path: "/rest/v2.0/companies/1/webhooks/resources", Query: query,
		}, "user 2")
	}
	c.settled(2, 0, 24*time.Hour)
}

// refresherCalls lets the refresher make so many calls in a day of two companies.
func (t *trial) refresherCalls(calls int, outage time.Duration) {
	c := newCosts(t.court)
	c.counts["calls of refresher"], c.outage = calls, outage
	c.settled(2, 0, 24*time.Hour)
}

// runs returns what judges a call of a sandbox of the refresher.
func (t *trial) runs(task string) *pace {
	p := newPace(t.court)
	p.begins("refresher#1", refresher.Input{Task: task})
	return p
}

// refreshes lets a run have so many refreshes in flight at once, time after time.
func (t *trial) refreshes(batches ...int64) {
	p := t.runs("refresh")
	for i, batch := range batches {
		first := int64(i) * 100 // each batch has its users
		for user := range batch {
			p.sends("refresher#1", &simulation.Pair{User: first + user})
		}
		for user := range batch {
			p.used(&simulation.Use{By: "refresher#1", Pair: &simulation.Pair{User: first + user}})
			p.wrote("refresher#1", invariants.Change{New: invariants.Row{Sealed: []byte("x")}})
		}
	}
}

// refuses lets Procore refuse so many tokens in a run.
func (t *trial) refuses(p *pace, n int) {
	for range n {
		p.wrote("refresher#1", invariants.Change{Old: invariants.Row{ClaimUntil: 1}, New: invariants.Row{State: "reauthorize"}})
	}
}

// unhooked judges a connected company whose hook was deleted so long ago, and which someone wants since.
func (t *trial) unhooked(ago, since time.Duration) {
	e := &evidence{grants: map[string]invariants.Item{"custom#user#2": {"state": attribute("active"), "holders": {SS: []string{"1"}}}}}
	e.works(t.court, &known{customer: &customer{id: 1}, unhooked: t.at.Add(-ago), since: t.at.Add(-since)}, nil)
}

// spends lets the ledger of a ring have as many writes in a day of two companies as one with two keys may.
func (t *trial) spends(keys int) {
	c := newCosts(t.court)
	c.counts["writes of spends"], c.keys = 272, keys
	c.settled(2, 0, 24*time.Hour)
}

// costs lets the reconciler make so many calls for a user.
func (t *trial) costs(calls int) {
	c := newCosts(t.court)
	for range calls {
		c.called(&simulation.Request{Actor: &simulation.Actor{Name: "reconciler#1"}, Path: "/rest/v1.0/projects"}, "user 2")
	}
}
