package tokens

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"
)

const (
	breakerRows      = 14
	breakerConsumers = 6
	// breakerSeeds are tried in each way to be down.
	breakerSeeds = 250
)

// breakers are the scenarios of R7: consumers refresh one connection after the
// other when the token endpoint goes down. The schedule decides the order of
// all steps and the moment; nothing else fails.
func breakers() []scenario {
	var all []scenario
	for _, how := range []outcome{status503, vanish, badClient} {
		all = append(all, scenario{name: "down by " + string(how), setup: func(x *run) { x.consumers(how) }, check: (*run).checkBreaker})
	}
	return all
}

// consumers sets a breaker's scenario up.
func (x *run) consumers(how outcome) {
	x.orderly = true
	var keys []Key
	for i := range int64(breakerRows) {
		k := Key{i + 1, User(i + 1)}
		if len(x.procs) == 0 {
			x.process(0)
		}
		if _, _, err := x.procs[0].store.Connect(x.context(), x.authorization(k, x.procore.authorize(i+1))); err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	time.Sleep(2 * time.Hour)
	consume := op{"consume", func(ctx context.Context, x *run, w *worker) { x.consume(ctx, w, &keys) }}
	if x.pick("when it goes down", "consumers are at work", "one is, and the others come later") == 1 {
		x.procore.down = how
		one := keys[:1]
		keys = keys[1:]
		x.worker(x.process(0), op{"consume one", func(ctx context.Context, x *run, w *worker) { x.consume(ctx, w, &one) }})
		for range breakerConsumers {
			x.worker(x.process(0), sleeping(time.Minute), consume)
		}
		return
	}
	for range breakerConsumers {
		x.worker(x.process(0), consume)
	}
	x.actions = append(x.actions, &action{"the endpoint goes down", 1, func() { x.procore.down = how }})
}

// suspects is called when the breaker is written. An outage begins, as far as
// anybody can know, when its first failure is on record.
func (x *run) suspects() {
	if x.procore.down == "" || x.inFlight > 0 {
		return
	}
	for _, w := range x.workers {
		w.set(func() {
			if w.busy {
				x.inFlight++
			}
		})
	}
	x.note("  the first failure is on record; %d refreshes are in flight", x.inFlight)
}

// consume refreshes what is due.
func (x *run) consume(ctx context.Context, w *worker, keys *[]Key) {
	for gate(ctx, "takes the next"); len(*keys) > 0; gate(ctx, "takes the next") {
		key := (*keys)[0]
		*keys = (*keys)[1:]
		w.set(func() { w.busy = true })
		_, err := w.proc.store.Refresh(ctx, key, 10*time.Minute)
		w.set(func() { w.busy = false })
		if err != nil && !errors.Is(err, ErrTryAgain) && !errors.Is(err, ErrReauthorize) {
			x.problem("%s: %v", w.name, err)
		}
	}
}

// checkBreaker is R7.
func (x *run) checkBreaker() {
	if cost := x.procore.since; cost > x.inFlight+tripAfter {
		x.problem("R7: the outage cost %d refreshes; %d were in flight when it became known", cost, x.inFlight)
	}
}

func TestExploreBreaker(t *testing.T) {
	t.Parallel()
	y := newTally(patience / 4)
	for _, s := range breakers() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			e := newExploration(true)
			if !e.deviate(t, y, s, map[int]int{}, 0, 1) {
				return
			}
			most := 0
			for seed := range uint64(breakerSeeds) {
				if y.late() {
					break
				}
				x, goOn := e.try(t, y, s, guess(seed))
				if !goOn {
					return
				}
				most = max(most, x.procore.since-x.inFlight)
			}
			t.Log("at most " + strconv.Itoa(most) + " more than were in flight")
		})
	}
	t.Cleanup(func() { t.Logf("%d schedules, %d of them distinct", y.runs, len(y.seen)) })
}
