package system

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// rest checks that nothing is stuck when nothing has failed for some hours.
func (j *judge) rest(st procoretest.State) {
	e := j.evidence(st)
	for _, id := range e.companies {
		e.customer(j.court(), j.people[id])
	}
	e.system(j.court())
}

func (j *judge) court() court { return court{j.Now, j.Problem} }

// evidence is all that is stored in the end.
type evidence struct {
	state       procoretest.State
	companies   []int64
	connections map[string]invariants.Item // by company and principal
	grants      map[string]invariants.Item
	sessions    []invariants.Item
	queues      map[string]int // messages
}

// resting are the queues that are empty when all is well.
var resting = []string{simulation.EventsQueue, simulation.EventsDeadQueue, simulation.RescueQueue, simulation.RescueDeadQueue}

func (j *judge) evidence(st procoretest.State) *evidence {
	e := &evidence{state: st, connections: map[string]invariants.Item{}, grants: map[string]invariants.Item{}, queues: map[string]int{}, sessions: j.Tables.Items(sessions)}
	for id := range j.people {
		e.companies = append(e.companies, id)
	}
	slices.Sort(e.companies)
	for _, i := range j.Tables.Items(connectionsTable) {
		e.connections[text(i, "company")+" "+text(i, "principal")] = i
	}
	for _, i := range j.Tables.Items(grants) {
		e.grants[text(i, "grant")] = i
	}
	for _, q := range resting {
		e.queues[q] = len(slices.DeleteFunc(j.Queues.Messages(q), j.excused))
	}
	return e
}

// excused reports whether a message is the event of a company whose user is gone, or has just come back. It waits until
// the app learns that.
func (j *judge) excused(m simulation.Message) bool {
	e, err := procore.ParseEvent([]byte(m.Body))
	if err != nil {
		return false
	}
	k := j.people[e.CompanyID]
	return k == nil || !k.wants || j.Now().Sub(k.since) < settled
}

// customer checks that a customer has what its people want.
func (e *evidence) customer(c court, k *known) {
	company := e.state.Company(k.customer.id)
	name, key := k.customer.name, prefix+strconv.FormatInt(company.ID, 10)
	hooks := e.hooks(company.ID)
	connected := 0
	for of, i := range e.connections {
		if strings.HasPrefix(of, key+" ") && text(i, "state") == "connected" {
			connected++
		}
	}
	switch since := c.now().Sub(k.since); {
	case k.removed:
		// It cannot be asked for anything.
	case !k.wants && k.left && (since < departed || !e.active(company.ID)), !k.wants && since < ended:
		// It takes its time, and a token by which Procore can be asked.
	case !k.wants:
		if connected > 0 || len(hooks) > 0 && !k.orphaned {
			c.problem("%s left %v ago, and has %d connections and %d hooks", name, since.Round(time.Minute), connected, len(hooks))
		}
	case !company.UserInstalls || !company.Connected || !slices.Contains(company.Members, k.customer.user):
		// It cannot be connected.
	case connected == 0:
		c.problem("%s is not connected: its page said %t", name, k.sees)
	default:
		e.works(c, k, hooks)
	}
}

const (
	departed = 26 * time.Hour // until a departed user's connection has ended: a check a day
	unhooked = 26 * time.Hour // until a hook that was deleted is made again: a pass a day
	settled  = time.Hour      // until a company that connects has a hook, and its events are consumed
	ended    = 7 * time.Hour  // until a hook is deleted that could not be at first
)

// hooks returns our hooks in a company.
func (e *evidence) hooks(company int64) (all []procoretest.Hook) {
	for _, h := range e.state.Hooks {
		if h.CompanyID == company && h.Namespace == namespace {
			all = append(all, h)
		}
	}
	return all
}

// active reports whether an active grant is held for a company.
func (e *evidence) active(company int64) bool {
	for _, g := range e.grants {
		if text(g, "state") == "active" && slices.Contains(g["holders"].SS, strconv.FormatInt(company, 10)) {
			return true
		}
	}
	return false
}

// works checks that a connected company has a grant and a hook.
func (e *evidence) works(c court, k *known, hooks []procoretest.Hook) {
	name := k.customer.name
	if !e.active(k.customer.id) {
		c.problem("%s is connected, and no active grant is held for it", name)
	}
	if c.now().Sub(k.since) < settled || len(hooks) == 0 && c.now().Sub(k.unhooked) < unhooked {
		return // it is being made
	}
	if len(hooks) != 1 {
		c.problem("%s has %d hooks", name, len(hooks))
		return
	}
	if h := hooks[0]; h.Disabled || h.Paused || h.Waiting > 0 || len(h.Triggers) == 0 {
		c.problem("%s has a hook that does not deliver: disabled %t, paused %t, %d events wait, %d triggers", name, h.Disabled, h.Paused, h.Waiting, len(h.Triggers))
	}
}

// system checks what all customers share.
func (e *evidence) system(c court) {
	if b := e.grants[prefix+"breaker"]; b["open"].BOOL != nil && *b["open"].BOOL {
		c.problem("the breaker is open: %s", text(b, "reason"))
	}
	each(e.connections, func(key string, i invariants.Item) {
		if until := time.UnixMilli(number(i, "until_ms")); until.After(c.now()) {
			c.problem("the lease of %s is held until %s", key, until.Format(time.TimeOnly))
		}
	})
	each(e.grants, func(key string, i invariants.Item) {
		if number(i, "claim_until_ms") > 0 && invariants.IsGrant(i) {
			c.problem("%s is claimed", key)
		}
	})
	each(e.queues, func(name string, n int) {
		if n > 0 {
			c.problem("%d messages are in %s", n, name)
		}
	})
	for _, i := range e.sessions {
		// A session expires half an hour after its pair came, which is moved after five minutes.
		if expires := time.Unix(number(i, "expires_at"), 0); text(i, "status") == "authorized" && expires.Before(c.now().Add(20*time.Minute)) {
			c.problem("a session holds a pair, and expires at %s", expires.Format(time.TimeOnly))
		}
	}
}
