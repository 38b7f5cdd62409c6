package system

import (
	"slices"
	"time"

	refresher "procore-connect/functions/refresher/handler"
	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
)

// What a run of the refresher may do: R7.
const (
	mostInFlight = 10              // refreshes at once
	mostRefused  = 10              // tokens, if none is accepted
	inFlight     = 5 * time.Second // a request that was not served since has no result to wait for
	behind       = 5 * time.Minute // a grant may have been refreshed so long before a run that found it due
)

// pace judges runs of the refresher. Each begins slowly, because an outage costs what is in flight, and stops when Procore
// refuses one token after the other.
type pace struct {
	court
	of      map[string]*run // by sandbox
	renewed []time.Time     // when a grant got another pair
}

// run is what is seen of a run.
type run struct {
	began   time.Time
	sent    map[int64]time.Time // by user, of requests that Procore has not served yet
	refused int                 // requests after which a grant needs its user
}

func newPace(c court) *pace { return &pace{court: c, of: map[string]*run{}} }

// begins learns that a sandbox is called.
func (p *pace) begins(by string, in any) {
	delete(p.of, by)
	if i, ok := in.(refresher.Input); ok && i.Task == "refresh" {
		p.of[by] = &run{began: p.now(), sent: map[int64]time.Time{}}
	}
}

// successes returns how many grants a run may have found fresh at most: another process may have refreshed them.
func (p *pace) successes(r *run) (n int) {
	for _, at := range slices.Backward(p.renewed) {
		if at.Before(r.began.Add(-behind)) {
			break
		}
		n++
	}
	return n
}

// sends learns that a refresh token is on its way.
func (p *pace) sends(by string, pair *simulation.Pair) {
	r := p.of[by]
	if r == nil {
		return
	}
	r.sent[pair.User] = p.now()
	n := 0
	for _, at := range r.sent {
		if p.now().Sub(at) < inFlight {
			n++
		}
	}
	if may := min(1+p.successes(r), mostInFlight); n > may {
		p.problem("R7: a run of %s has %d refreshes in flight, not %d", by, n, may)
	}
}

// used learns that Procore has served a refresh.
func (p *pace) used(u *simulation.Use) {
	if r := p.of[u.By]; r != nil && u.Pair != nil {
		delete(r.sent, u.Pair.User)
	}
}

// wrote learns of a write of a grant.
func (p *pace) wrote(by string, c invariants.Change) {
	if len(c.New.Sealed) > 0 && !slices.Equal(c.Old.Sealed, c.New.Sealed) {
		p.renewed = append(p.renewed, p.now())
	}
	r := p.of[by]
	if r == nil || !c.Old.Claimed() || c.New.State != "reauthorize" {
		return
	}
	if r.refused++; r.refused > mostRefused && p.successes(r) == 0 {
		p.problem("R7: Procore refuses the tokens of %d users in a run of %s, and accepts none", r.refused, by)
	}
}
