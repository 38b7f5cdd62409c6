package system

import (
	"slices"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
)

// lateStore is how long after its receipt a pair is stored at the latest: a refresh has half
// a minute, and a sandbox may be frozen in that time.
const lateStore = 15 * time.Minute

// pairs judges what becomes of pairs: R1, R2 and R8.
type pairs struct {
	court
	after func(d time.Duration, name string, do func())

	held   map[string]*simulation.Pair // by a grant's key
	safe   map[*simulation.Pair]bool   // stored, or rescued
	stored map[*simulation.Pair]bool
	fenced map[*simulation.Pair]bool // their rows have moved on without their successors
	tried  map[process]time.Time     // when one called the rescue queue
	gave   map[process]time.Time     // when one reported then that it could keep a pair nowhere

	unkept map[process][]func() // checks of the pairs that one has received

	rewound time.Time // when rows were last lost, or restored
}

func newPairs(c court, after func(time.Duration, string, func())) *pairs {
	p := &pairs{court: c, after: after, unkept: map[process][]func(){}}
	p.forget()
	return p
}

// restored learns that rows are not what they were. Pairs that came before may be lost with them.
func (p *pairs) restored() {
	p.forget()
	p.rewound = p.now()
}

func (p *pairs) forget() {
	p.held, p.safe, p.stored = map[string]*simulation.Pair{}, map[*simulation.Pair]bool{}, map[*simulation.Pair]bool{}
	p.fenced = map[*simulation.Pair]bool{}
	p.tried, p.gave = map[process]time.Time{}, map[process]time.Time{}
}

// presented checks that no refresh token is sent twice, or by another app than the one that it was issued to: R1.
func (p *pairs) presented(by, client string, pair *simulation.Pair) {
	if pair.Presented > 1 {
		p.problem("R1: %s sends a refresh token a second time", by)
	}
	if client != clientID {
		p.problem("R1: %s sends a refresh token as another app, %q", by, client)
	}
}

// process is one that received a pair.
type process interface{ Dead() bool }

// received checks later that the pair of a refresh was not lost: R2. A claim of before a loss of rows may be gone.
func (p *pairs) received(by string, in process, pair *simulation.Pair) {
	at := p.now()
	check := func() {
		lost := p.rewound.Before(at.Add(-longest)) && !p.safe[pair] && !p.fenced[pair.Prev] && pair.Ended == ""
		if lost && !in.Dead() && (p.gave[in].Before(at) || p.tried[in].Before(at)) {
			p.problem("R2: a pair that %s received at %s was neither stored nor rescued", by, at.Format(time.TimeOnly))
		}
	}
	p.unkept[in] = append(p.unkept[in], check)
	p.after(lateStore, "R2 of "+by, func() {
		check()
		delete(p.unkept, in)
	})
}

// answered checks the pairs that a process has received, when it answers: it may die afterwards.
func (p *pairs) answered(in process) {
	for _, check := range p.unkept[in] {
		check()
	}
	delete(p.unkept, in)
}

// tries learns that a process calls the rescue queue, which may refuse.
func (p *pairs) tries(by process) { p.tried[by] = p.now() }

// gaveUp learns that a process could neither store nor rescue a pair.
func (p *pairs) gaveUp(by process) { p.gave[by] = p.now() }

// saved learns of a pair in the rescue queue.
func (p *pairs) saved(pair *simulation.Pair) {
	if pair != nil {
		p.safe[pair] = true
	}
}

// isSafe reports whether a pair is in a table, or waits in the queue.
func (p *pairs) isSafe(pair *simulation.Pair) bool { return p.safe[pair] }

// leaves checks that a pair leaves the rescue queue only if its grant has it, or has moved on.
func (p *pairs) leaves(of string, pair *simulation.Pair) {
	if pair != nil && p.rewound.IsZero() && !p.stored[pair] && !p.fenced[pair.Prev] && pair.Ended == "" {
		p.problem("R2: the rescued pair of %s is dropped, although its grant waits for it", of)
	}
}

// wrote checks what a write of a grant did to its pair: R8. A pair is replaced by the one
// that it was spent for, or by an authorization.
func (p *pairs) wrote(c invariants.Change, pair *simulation.Pair) {
	key := c.New.Key()
	old := p.held[key]
	if c.Old.State == "active" && c.New.State == "reauthorize" && p.rewound.IsZero() && old != nil && old.Live() && old.Presented == 0 {
		p.problem("R2: %s needs its user, although its refresh token was never sent", key)
	}
	if c.New.Claimed() && !c.Old.Claimed() {
		delete(p.fenced, pair) // its successor is awaited
	}
	switch {
	case pair == nil:
		p.fenced[old] = true
	case slices.Equal(c.Old.Sealed, c.New.Sealed):
	case pair == old: // sealed again, for an authorization to which Procore returned it
		p.fenced[old] = true
	case c.New.LastAttempt != "" && c.New.LastAttempt != c.Old.LastAttempt:
		if old != nil && pair.Prev != old {
			p.problem("R8: %s has a pair that its last one was not spent for", key)
		}
	default:
		if pair.Authorizations == 0 {
			p.problem("R8: %s has a pair that no one authorized", key)
		}
		p.fenced[old] = true
	}
	if c.New.Revoking() {
		p.fenced[old] = true
	}
	if pair != nil {
		p.held[key], p.safe[pair], p.stored[pair] = pair, true, true
	}
}

// burns judges what an outage of the token endpoint costs: R7. A refresh that fails there
// spends its token for nothing.
type burns struct {
	court
	inFlight func() int // refreshes that hold a claim
	blind    int        // times that the breaker could not be told

	lost    []func() bool // reports of each burnt token whether its process died before it could tell
	allowed int
}

// used learns of each use of a refresh token, and of each probe that finds the endpoint well.
func (b *burns) used(u *simulation.Use, well bool, died func() bool) {
	switch {
	case well, u.Next != nil && u.Fault == simulation.Fine:
		b.lost, b.blind = nil, 0 // it is over
		return
	case u.Pair == nil, u.Next != nil, u.Before != "" && u.Before != procoretest.Live, u.Fault == simulation.Crash, u.Fault == simulation.CrashAfter:
		return // no outage spends it
	case len(b.lost) == 0:
		b.allowed = b.inFlight() + 3
	}
	b.lost = append(b.lost, died)
	cost := -b.blind
	for _, died := range b.lost {
		if !died() {
			cost++
		}
	}
	if cost > b.allowed {
		b.problem("R7: an outage has cost %d refresh tokens, not %d", cost, b.allowed)
	}
}
