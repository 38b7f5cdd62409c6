package system

import (
	"slices"
	"strings"
	"sync"
)

// rare is a state that a run seldom reaches, and in which much may go wrong. The seeds of
// TestSystem reach each of them, so that a change after which one is reached no longer is
// found.
type rare struct {
	name string
	// message is that of a line of production code's log, and with a part of the line.
	message, with string
	// events are what the world or the judge counts; each of them is the state.
	events []string
}

// rares lists the states.
var rares = []rare{
	// Grants.
	{name: "a late store", events: []string{"late UpdateItem", "late PutItem", "late TransactWriteItems"}},
	{name: "a lost answer of a store", events: []string{"fault lost"}},
	{name: "a new pair in the rescue queue", message: "new pair queued for rescue"},
	{name: "a rescued pair is stored", message: "rescued pairs stored"},
	{name: "a refresh arrives though it was not sent whole", events: []string{"fault torn"}},
	{name: "a fenced refresh", message: "refresh superseded"},
	{name: "an uncertain grant", message: "grant changed", with: `"to":"uncertain"`},
	{name: "an uncertain grant is active again", message: "grant changed", with: `"from":"uncertain","to":"active"`},
	{name: "a grant needs its user", message: "grant changed", with: `"to":"reauthorize"`},
	{name: "a key is rotated during a claim", events: []string{"key rotated during a claim"}},
	{name: "a grant is revoked while its new pair waits", events: []string{"revoked while a pair waits"}},
	{name: "the breaker opens", message: "breaker opened"},
	{name: "the breaker closes", message: "breaker closed"},
	{name: "an authorization is abandoned", message: "authorization abandoned"},

	// Hooks and deliveries.
	{name: "a bulk call is done in part", events: []string{"fault 207"}},
	{name: "a hook is reactivated", message: "hook reactivated"},
	{name: "a lease is not released", message: "lease not released"},
	{name: "discarded deliveries are recovered", message: "discarded deliveries recovered"},
	{name: "a company disconnects the app", message: "company disconnected the app"},

	// Events.
	{name: "changes are reconciled", message: "changes reconciled"},
	{name: "a reconciled change meets its late delivery", events: []string{"late delivery of a reconciled change"}},
	{name: "an event is stale when it is consumed", message: "handled", with: `"outcome":"stale"`},
	{name: "an event of a company without a connection", message: "handled", with: `"outcome":"not_connected"`},
	{name: "events wait for the queue", message: "events not sent, will be repeated"},
	{name: "a message is received again", events: []string{"redelivered"}},
	{name: "a batch is redelivered", events: []string{"redelivered batch"}},
	{name: "a delivery arrives twice", events: []string{"fault twice"}},

	// People and operators.
	{name: "a user disconnects by the page", events: []string{"disconnected by the page"}},
	{name: "a departed user's connection ends", message: "departed user's connection ended"},
	{name: "a secret cannot be read again", message: "secret not read again"},
	{name: "another app's secret is stored", events: []string{"another app's secret is stored"}},
	{name: "a rollback", events: []string{"rolled back"}},
	{name: "people import things", events: []string{"import"}},
	{name: "a program gets a token", events: []string{"access token served"}},
	{name: "a sandbox is cut off from storage", events: []string{"cut off"}},
	{name: "a sandbox freezes", events: []string{"froze"}},
	{name: "a clock steps", events: []string{"clock stepped"}},
}

// reached counts what the logs of a run have.
type reached struct {
	mu       sync.Mutex // lines may be written at once
	messages map[string]int
	lines    map[string]int // of each rare state
}

func newReached() *reached { return &reached{messages: map[string]int{}, lines: map[string]int{}} }

// logged learns of a line of a log.
func (r *reached) logged(line string) {
	_, rest, _ := strings.Cut(line, `"msg":"`)
	message, rest, _ := strings.Cut(rest, `"`)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages[message]++
	for _, one := range rares {
		if one.message != "" && one.message == message && strings.Contains(rest, one.with) {
			r.lines[one.name]++
		}
	}
}

// count returns how often each rare state was reached.
func (r *reached) count(events map[string]int) map[string]int {
	all := map[string]int{}
	for _, one := range rares {
		n := r.lines[one.name]
		for _, e := range one.events {
			n += events[e]
		}
		if n > 0 {
			all[one.name] = n
		}
	}
	return all
}

// missed names the rare states that were not reached.
func missed(reached map[string]int) (names []string) {
	for _, one := range rares {
		if reached[one.name] == 0 {
			names = append(names, one.name)
		}
	}
	slices.Sort(names)
	return names
}
