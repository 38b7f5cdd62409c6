package tokens

import (
	"context"
	"errors"
	"testing"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
)

const (
	breakerRows      = 14
	breakerConsumers = 6
	// breakerSeeds are tried.
	breakerSeeds = 750
)

// breakers are the scenarios of R7: consumers refresh one grant after the other when the
// token endpoint fails. The schedule decides the order of all steps and the moment.
// Nothing else fails.
func breakers() []simulation.Scenario {
	var all []simulation.Scenario
	depth := 1
	if racing {
		depth = -1
	}
	for _, how := range []simulation.Fault{simulation.Status503, simulation.Vanish, simulation.InvalidClient} {
		all = append(all, simulation.Scenario{Name: "down by " + string(how), Depth: depth, Setup: func(w *simulation.World) {
			x := newRun(w, &transitions{all: invariants.Transitions{}})
			w.Judge = func(context.Context) { x.checkBreaker() }
			x.consumers(how)
		}})
	}
	return all
}

// consumers prepares a breaker's scenario.
func (x *run) consumers(how simulation.Fault) {
	x.Orderly = true
	x.holders = []string{"1"}
	var due []Principal
	for i := range int64(breakerRows) {
		x.connect(i + 1)
		due = append(due, User(i+1))
	}
	x.Advance(2 * time.Hour)
	consume := func(due *[]Principal) simulation.Step {
		return x.step("consume", func(ctx context.Context, s *Store, a *simulation.Actor) { x.consume(ctx, s, a, due) })
	}
	if x.Pick("when it fails", "consumers are at work", "one is, and the others come later") == 1 {
		x.procore.Down = how
		one := due[:1]
		due = due[1:]
		x.Actor(x.process(0), consume(&one))
		for range breakerConsumers {
			x.Actor(x.process(0), sleeping(time.Minute)(x), consume(&due))
		}
		return
	}
	for range breakerConsumers {
		x.Actor(x.process(0), consume(&due))
	}
	x.Action("the endpoint goes down", func() { x.procore.Down = how })
}

// suspects is called when the breaker is written. An outage begins, as far as any process
// can know, when its first failure is on record.
func (x *run) suspects() {
	if x.procore.Down == simulation.Fine || x.inFlight > 0 {
		return
	}
	x.mu.Lock()
	x.inFlight = x.busy
	x.mu.Unlock()
	x.Note("  the first failure is on record; %d refreshes are in flight", x.inFlight)
}

// consume refreshes what is due.
func (x *run) consume(ctx context.Context, s *Store, a *simulation.Actor, due *[]Principal) {
	for simulation.Gate(ctx, "takes the next"); len(*due) > 0; simulation.Gate(ctx, "takes the next") {
		p := (*due)[0]
		*due = (*due)[1:]
		x.works(1)
		_, err := s.Upkeep().Refresh(ctx, p, within)
		x.works(-1)
		if err != nil && !errors.Is(err, ErrTryAgain) && !errors.Is(err, ErrReauthorize) {
			x.Problem("%s: %v", a.Name, err)
		}
	}
}

func (x *run) works(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.busy += n
}

// checkBreaker is R7.
func (x *run) checkBreaker() {
	if cost := x.procore.Cost; cost > x.inFlight+tripAfter {
		x.Problem("R7: the outage cost %d refreshes; %d were in flight when it became known", cost, x.inFlight)
	}
}

func TestExploreBreaker(t *testing.T) {
	t.Parallel()
	e := exploration(breakers())
	e.Seeds, e.Shards, e.MaxTime = breakerSeeds, shards, maxTime/4
	e.Run(t)
}
