package console

import (
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/webhook/inbox"
)

// bar is what was stored for a company in a period.
type bar struct {
	events      int // that webhooks reported, all those below included except for reconciled
	failing     int
	dead        int
	quarantined int
	reconciled  int
	cut         bool      // there is more
	last        time.Time // arrival
}

// stored is what was stored in a span.
type stored struct {
	bar  // all bars together
	from time.Time
	bars []bar
	each []arrival
}

// arrival is one with what became of it, if that is known to be bad.
type arrival struct {
	inbox.Arrival
	State operator.EventState
}

func newStored(a operator.Arrivals, states map[string]operator.Event) stored {
	s := stored{from: a.From, bars: make([]bar, len(a.Of))}
	for i, some := range a.Of {
		s.bars[i].cut = a.Cut[i]
		for _, one := range some {
			state := states[operator.EventKeyOf(one)].State
			s.bars[i].count(one, state)
			if !one.Quarantined {
				s.each = append(s.each, arrival{one, state})
			}
		}
		s.add(s.bars[i])
	}
	return s
}

func (b *bar) count(one inbox.Arrival, state operator.EventState) {
	if one.At.After(b.last) {
		b.last = one.At
	}
	switch {
	case one.Reconciled:
		b.reconciled++
		return
	case one.Quarantined:
		b.quarantined++
	case state == operator.EventDead:
		b.dead++
	case state == operator.EventFailing, state == operator.EventUnknown:
		b.failing++
	}
	b.events++
}

func (b *bar) add(more bar) {
	b.events, b.failing, b.dead = b.events+more.events, b.failing+more.failing, b.dead+more.dead
	b.quarantined, b.reconciled, b.cut = b.quarantined+more.quarantined, b.reconciled+more.reconciled, b.cut || more.cut
	if more.last.After(b.last) {
		b.last = more.last
	}
}

// between adds up the bars of a column.
func (s stored) between(t span, begins time.Time) (sum bar) {
	for i := begins.Sub(s.from) / t.Bar; i < begins.Add(t.Column).Sub(s.from)/t.Bar && int(i) < len(s.bars); i++ {
		sum.add(s.bars[i])
	}
	return sum
}

// single is the item of an event.
func single(one arrival, company int64) item {
	what := strings.TrimPrefix(one.Resource, strconv.FormatInt(company, 10)+"#")
	name := strings.ReplaceAll(what, "#", " ")
	e := operator.Entry{At: one.At, Lane: operator.LaneEvents, Title: "Event of " + name + " arrived"}
	if one.Reconciled {
		e.Lane, e.Title = operator.LaneReconciled, "Change of "+name+" found by reconciling"
	}
	e.Names = map[string]string{"COMPANY": strconv.FormatInt(company, 10)}
	if operator.Typable(one.ID) {
		e.Names["EVENT"] = one.ID
	}
	e.Add("event_id", one.ID)
	e.Add("resource", what)
	if one.State != "" {
		e.Add("state", string(one.State))
	}
	return item{Entry: e, Count: 1, Event: keyPath(company, what, one.ID)}
}
