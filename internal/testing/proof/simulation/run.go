package simulation

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Long is a run of a world for days of virtual time. Its seed decides everything: how long
// each operation takes, and so whose is done next, which fail, and how. Unlike a schedule
// of an [Exploration] it has no list of decisions; the same seed makes the same run.
//
// Each operation that arrives at a gate is done after a time that is drawn for it. When
// nothing is left to do at this moment, time passes until the next operation is due or a
// timer wakes an actor.
type Long struct {
	Seed   uint64
	Swarm  Swarm
	Tables []*dynamodb.CreateTableInput
	Faulty time.Duration // how long things may fail
	Settle time.Duration // how long all goes well after that, before the judge looks
	// Setup makes processes and actors, and the judge.
	Setup func(w *World)
	// Trace gets each line; nil: only the last ones are kept.
	Trace func(line string)
	// Report is called after the judge; nil: it is not called.
	Report func(w *World)
}

// long is the state of a long run.
type long struct {
	Long
	arrived chan struct{} // something waits at a gate, or is due
	due     dues
	turns   map[string]uint64 // of each actor, how many operations it had
	stop    context.CancelFunc
	sum     hash.Hash64 // of the trace
	last    []string    // lines of the trace, as a ring
	lines   int
	faults  int      // that happened
	harms   []string // the faults, as actor/turn
	calls   int      // operations
	drawn   map[string]uint64
	outside *Process // that of the actors who are not sandboxes

	actors, processes int                   // that there were
	live              map[*Process]struct{} // processes
}

// kept is how many lines of a trace are kept.
const kept = 200

// epilogue is how long what ends with the run may take to end.
const epilogue = time.Hour

// Run makes the run.
func (l Long) Run(t *testing.T) (w *World) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w = &World{events: map[string]int{}, reached: map[string]int{}}
		root, stop := context.WithCancel(context.WithValue(context.Background(), worldKey{}, w))
		w.root = root
		w.long = &long{Long: l, arrived: make(chan struct{}, 1), turns: map[string]uint64{}, stop: stop, sum: fnv.New64a(),
			drawn: map[string]uint64{}, live: map[*Process]struct{}{}}
		w.long.outside = &Process{world: w, id: -1, ctx: root}
		w.Tables = newTables(w, quickClient(), l.Tables)
		w.Services = newServices(w)
		l.Setup(w)
		w.live()
	})
	return w
}

// arrives tells a long run that it has something to decide.
func (w *World) arrives() {
	if w.long == nil {
		return
	}
	select {
	case w.long.arrived <- struct{}{}:
	default: // it knows
	}
}

// live lets the run's time pass, and calls the judge.
func (w *World) live() {
	w.elapse(w.long.Faulty)
	w.calm.Store(true)
	w.Tables.Outage(false)
	w.Queues.Outage(false)
	w.Secrets.Outage(false)
	w.Note("calm")
	w.elapse(w.long.Settle)
	if w.Judge != nil {
		w.Judge(w.Context())
	}
	if w.long.Report != nil {
		w.long.Report(w)
	}
	w.close()
}

// close ends everything that still runs.
func (w *World) close() {
	w.over.Store(true)
	w.long.stop()
	for p := range w.long.live {
		p.dies()
	}
	w.closeAll()
	w.elapse(epilogue)
}

// elapse decides what is due, for a while.
func (w *World) elapse(d time.Duration) {
	end := time.Now().Add(d)
	for {
		synctest.Wait()
		w.hangUp()
		w.queue()
		next, ok := w.next(end)
		if ok {
			w.decide(next)
			continue
		}
		if !time.Now().Before(end) {
			return
		}
		timer := time.NewTimer(time.Until(next.at))
		select {
		case <-w.long.arrived:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// queue draws for what arrived since the last decision when it is done. What several
// goroutines did at once came in any order, so their operations' names decide about it,
// and then what each goroutine did before.
func (w *World) queue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.pending, func(a, b *arrival) int {
		if a.actor != b.actor {
			return a.actor.id - b.actor.id
		}
		return cmp.Or(strings.Compare(a.fullName(), b.fullName()), cmp.Compare(a.after, b.after))
	})
	for _, a := range w.pending {
		w.long.turns[a.actor.Name]++
		a.turn = w.long.turns[a.actor.Name]
		d := w.long.Swarm.takes(w.draw(a, "takes"), w.calm.Load())
		if w.Delay != nil {
			d += w.Delay(a.actor.Name, a.name, a.turn)
		}
		a.at = time.Now().Add(d)
		if thaw := a.actor.Process.frozen; thaw.After(a.at) {
			a.at = thaw
		}
		heap.Push(&w.long.due, &due{at: a.at, arrival: a})
	}
	w.pending = w.pending[:0]
}

// draw is a number that the seed determines for an operation.
func (w *World) draw(a *arrival, what string) uint64 { return w.Draw(what, a.actor.Name, a.turn) }

// Draw is a number that the seed determines for what, whose and which one.
func (w *World) Draw(what, whose string, which uint64) uint64 {
	h := fnv.New64a()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], w.long.Seed)
	binary.LittleEndian.PutUint64(b[8:], which)
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(what))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(whose))
	return mix(h.Sum64())
}

// mix is the finalizer of SplitMix64: FNV alone leaves neighbours alike.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Next is Draw for the next one of its kind. An actor calls it when it has just passed a
// gate or slept, before it starts another goroutine: those that run at once draw in no
// fixed order.
func (w *World) Next(what, whose string) uint64 {
	w.mu.Lock()
	w.long.drawn[what+"\x00"+whose]++
	n := w.long.drawn[what+"\x00"+whose]
	w.mu.Unlock()
	return w.Draw(what, whose, n)
}

// next takes what is due now. Otherwise it returns when something will be, the end at the
// latest.
func (w *World) next(end time.Time) (*due, bool) {
	q := &w.long.due
	if q.Len() > 0 && !(*q)[0].at.After(time.Now()) {
		return heap.Pop(q).(*due), true //nolint:forcetypeassert // the heap has nothing else
	}
	if q.Len() > 0 && (*q)[0].at.Before(end) {
		return (*q)[0], false
	}
	return &due{at: end}, false
}

// decide lets happen what is due.
func (w *World) decide(d *due) {
	if d.arrival == nil {
		d.do()
		return
	}
	a := d.arrival
	p := a.actor.Process
	switch {
	case p.Dead():
		a.resume <- Crash
		return
	case p.idle:
		p.held = append(p.held, a)
		return
	case p.frozen.After(time.Now()):
		a.at = p.frozen
		heap.Push(&w.long.due, &due{at: a.at, arrival: a})
		return
	}
	if !w.over.Load() { // what ends with the run ends in any order
		w.long.calls++
	}
	a.number = uint64(w.long.calls)
	f := w.long.fault(w, a)
	if f == Fine {
		w.Note("%s %s", a.actor.Name, a.fullName())
	} else {
		w.long.faults++
		w.long.harms = append(w.long.harms, a.harm())
		w.Happened("fault " + string(f))
		w.Note("%s %s %s (fault %d)", a.actor.Name, a.fullName(), f, w.long.faults)
	}
	if f == Crash {
		p.dies()
	}
	a.resume <- f
}

// fault decides how an operation ends.
func (l *long) fault(w *World, a *arrival) Fault {
	if w.calm.Load() || w.over.Load() || len(a.faults) == 0 {
		return Fine
	}
	f := l.Swarm.fault(a.faults, w.draw(a, "fault"))
	if f != Fine && !l.Swarm.allows(a.harm()) {
		return Fine
	}
	return f
}

// harm names the fault of an operation in a [Swarm].
func (a *arrival) harm() string { return fmt.Sprintf("%s/%d", a.actor.Name, a.turn) }

// After lets something happen later, once.
func (w *World) After(d time.Duration, name string, do func()) {
	w.mu.Lock()
	heap.Push(&w.long.due, &due{at: time.Now().Add(d), name: name, do: do})
	w.mu.Unlock()
	w.arrives()
}

// Root is done when the run ends. The goroutines of actors end then.
func (w *World) Root() context.Context { return w.root }

// Over reports whether the run is over. What happens since is not judged.
func (w *World) Over() bool { return w.over.Load() }

// Seed returns the run's seed.
func (w *World) Seed() uint64 { return w.long.Seed }

// Swarm returns what may go wrong in the run.
func (w *World) Swarm() *Swarm { return &w.long.Swarm }

// Calm reports whether nothing fails any longer.
func (w *World) Calm() bool { return w.calm.Load() }

// Counts returns how many operations there were, and how many faults.
func (w *World) Counts() (calls, faults int) { return w.long.calls, w.long.faults }

// Faults returns the faults that happened, as actor/turn.
func (w *World) Faults() []string { return w.long.harms }

// Sum identifies the run's trace.
func (w *World) Sum() string { return fmt.Sprintf("%016x", w.long.sum.Sum64()) }

// Last returns the last lines of the trace.
func (w *World) Last() (lines []string) {
	l := w.long
	for i := max(0, l.lines-kept); i < l.lines; i++ {
		lines = append(lines, l.last[i%kept])
	}
	return lines
}

// line adds a line to the trace of a long run.
func (l *long) line(text string) {
	if len(l.last) < kept {
		l.last = append(l.last, text)
	} else {
		l.last[l.lines%kept] = text
	}
	l.lines++
	_, _ = l.sum.Write([]byte(text))
	_, _ = l.sum.Write([]byte{'\n'})
	if l.Trace != nil {
		l.Trace(text)
	}
}

// due is something that happens at a time.
type due struct {
	at      time.Time
	arrival *arrival
	name    string
	do      func()
}

// dues is a heap, the earliest first.
type dues []*due

// Len implements heap.Interface.
func (q dues) Len() int { return len(q) }

// Less implements heap.Interface. Operations that are due at the same moment are ordered
// by their actors.
func (q dues) Less(i, j int) bool {
	a, b := q[i], q[j]
	switch {
	case !a.at.Equal(b.at):
		return a.at.Before(b.at)
	case a.arrival == nil || b.arrival == nil:
		return a.arrival == nil && (b.arrival != nil || a.name < b.name)
	}
	return cmp.Or(a.arrival.actor.id-b.arrival.actor.id, cmp.Compare(a.arrival.turn, b.arrival.turn)) < 0
}

// Swap implements heap.Interface.
func (q dues) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *dues) Push(x any) { *q = append(*q, x.(*due)) } //nolint:forcetypeassert // the heap has nothing else

// Pop implements heap.Interface.
func (q *dues) Pop() any {
	last := len(*q) - 1
	d := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return d
}
