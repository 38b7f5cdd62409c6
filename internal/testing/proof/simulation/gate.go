package simulation

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Fault is how an operation ends. A scenario's server may have more of them.
type Fault string

// The faults that the world knows.
const (
	Fine        Fault = ""            // none
	Refused     Fault = "refused"     // not done, an error
	Conflict    Fault = "conflict"    // not done, TransactionConflict
	Throttled   Fault = "throttled"   // not done, throttled
	Lost        Fault = "lost"        // done, but the answer is lost
	Late        Fault = "late"        // the answer is lost, and it is done later
	Crash       Fault = "crash"       // the process dies before it is done
	CrashAfter  Fault = "crashAfter"  // the process dies after it was done
	Vanish      Fault = "vanish"      // sent, but never seen by the server
	Unreachable Fault = "unreachable" // no connection
	Closes      Fault = "closes"      // the server closes the connection before the request
	Torn        Fault = "torn"        // served, but the connection breaks before the sender knows that it has sent all
	Hang        Fault = "hang"        // no answer until the deadline
)

// An arrival waits at a gate.
type arrival struct {
	actor   *Actor
	name    string
	subject func() string // what the operation is about, if its name does not say that
	full    string        // the name with the subject; empty until it is needed
	faults  []Fault
	resume  chan Fault

	// In a long run:
	at     time.Time // when it is decided
	turn   uint64    // its number among the actor's
	after  uint64    // the goroutine's operation before
	number uint64    // among all that were decided
}

// fullName returns the name with the subject. An actor's operations that wait at the same time have different ones.
func (a *arrival) fullName() string {
	if a.full == "" {
		a.full = a.name
		if a.subject != nil {
			a.full += " " + a.subject()
		}
	}
	return a.full
}

// Gate waits for the decision how an operation ends. It does not return if the process
// crashes before, except in a [Long] run: there it returns [Crash], and the caller an
// error, so that all that the process had begun unwinds. Without an actor, as after the
// schedule, all is fine.
func Gate(ctx context.Context, name string, faults ...Fault) Fault {
	return gateOf(ctx, name, nil, faults)
}

// gateOf is Gate for an operation on a subject.
func gateOf(ctx context.Context, name string, subject func() string, faults []Fault) Fault {
	f := gate(ctx, &arrival{name: name, subject: subject, faults: faults})
	if f == Crash && worldOf(ctx).long == nil {
		runtime.Goexit()
	}
	return f
}

// gate is Gate on a goroutine that must not end: it returns Crash.
func gate(ctx context.Context, at *arrival) Fault {
	w, a := worldOf(ctx), ActorOf(ctx)
	if a == nil {
		return Fine
	}
	if a.Process.Dead() {
		return Crash
	}
	at.actor, at.resume = a, make(chan Fault)
	if w.long != nil {
		at.after = lastOperation()
	}
	w.mu.Lock()
	w.pending = append(w.pending, at)
	w.mu.Unlock()
	w.arrives()
	f := <-at.resume
	if w.long != nil {
		passed(at.number)
	}
	if a.Process.Dead() {
		return Crash
	}
	return f
}

// kill ends the process of the context's actor.
func kill(ctx context.Context) {
	if a := ActorOf(ctx); a != nil {
		a.Process.dies()
	}
}

// die is kill, and ends the goroutine, except in a long run.
func die(ctx context.Context) {
	if ActorOf(ctx) != nil {
		kill(ctx)
		if worldOf(ctx).long == nil {
			runtime.Goexit()
		}
	}
}

// option is one possible decision.
type option struct {
	name    string
	weight  int
	primary bool // tried by the systematic search
	do      func()
}

// Weights of a random choice. An operation that ends well has wellWeight.
const (
	wellWeight  = 1000
	faultWeight = 20
)

// options lists what may happen next. The first is what happens by default.
func (w *World) options() []option {
	slices.SortStableFunc(w.pending, func(a, b *arrival) int {
		if a.actor != b.actor {
			return a.actor.id - b.actor.id
		}
		return strings.Compare(a.fullName(), b.fullName())
	})
	first := max(0, slices.IndexFunc(w.pending, func(a *arrival) bool { return a.actor == w.last }))
	var all []option
	if len(w.pending) > 0 {
		all = append(all, w.ends(w.pending[first], true)...)
	}
	for i, a := range w.pending {
		if i != first {
			all = append(all, w.ends(a, false)...)
		}
	}
	if !w.calm.Load() {
		all = append(all, w.others()...)
	}
	idle := len(w.pending) == 0
	weight := 40
	if idle || w.Slow {
		weight = wellWeight
	}
	pass := option{"2s", weight, !idle, func() { sleep(2 * time.Second) }}
	if idle {
		if d := w.asleep(); d > 0 {
			pass = option{"until the next wakes", weight, false, func() { sleep(d) }}
		}
		return append([]option{pass}, all...)
	}
	return append(all, pass)
}

// asleep returns how long all actors that are not done will sleep, or 0.
func (w *World) asleep() time.Duration {
	var next time.Time
	for _, a := range w.actors {
		var until time.Time
		a.set(func() { until = a.until })
		switch {
		case a.done:
		case until.IsZero():
			return 0
		case next.IsZero() || until.Before(next):
			next = until
		}
	}
	if next.IsZero() {
		return 0
	}
	return time.Until(next)
}

// ends lists how the operation at a gate may end.
func (w *World) ends(a *arrival, current bool) []option {
	faults := []Fault{Fine}
	if !w.calm.Load() && !w.Orderly {
		faults = append(faults, a.faults...)
	}
	all := make([]option, len(faults))
	for i, f := range faults {
		name := a.actor.Name + " " + a.name
		if w.tracing {
			name = a.actor.Name + " " + a.fullName()
		}
		weight := wellWeight
		if f != Fine {
			name += " " + string(f)
			weight = faultWeight
		}
		all[i] = option{name, weight, current || f == Fine, func() { w.let(a, f) }}
	}
	return all
}

// others lists what may happen besides the operations. In a frozen time no timer runs.
func (w *World) others() []option {
	passes := func(d time.Duration) func() { return func() { w.Happened("long"); sleep(d) } }
	freezes := func(d time.Duration) func() { return func() { w.Happened("long"); w.Freeze(d) } }
	all := []option{}
	if !w.Orderly {
		all = []option{
			{"30s", 10, true, passes(30 * time.Second)},
			{"2h", 2, false, passes(2 * time.Hour)},
			{"frozen 30s", 8, true, freezes(30 * time.Second)},
			{"frozen 2h", 1, false, freezes(2 * time.Hour)},
		}
	}
	for i := range w.late {
		all = append(all, option{"arrives late: " + w.late[i].name, 60, true, func() { w.arrive(i) }})
	}
	for _, a := range w.actions {
		if a.left > 0 {
			all = append(all, option{a.name, 40, true, func() { a.left--; w.Happened(a.name); a.do() }})
		}
	}
	return all
}

// let ends the operation of an arrival.
func (w *World) let(a *arrival, f Fault) {
	w.last = a.actor
	w.pending = slices.DeleteFunc(w.pending, func(b *arrival) bool { return a == b })
	if f != Fine {
		w.Happened("fault " + string(f))
	}
	if f == Crash {
		p := a.actor.Process
		p.dead.Store(true)
		for _, b := range w.pending {
			if b.actor.Process == p {
				b.resume <- Crash
			}
		}
		w.pending = slices.DeleteFunc(w.pending, func(b *arrival) bool { return b.actor.Process == p })
	}
	a.resume <- f
}

// arrive lets a late operation take effect.
func (w *World) arrive(i int) {
	do := w.late[i].do
	w.late = slices.Delete(w.late, i, i+1)
	do()
}
