package tokens

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/proof/invariants"
	"procore-connect/pkg/procore"
)

// A run is one schedule of a scenario: the real Store in several processes,
// which reach storage and the token endpoint through gates. At each step one
// decision is made: whose operation is done next and how it ends, or that time
// passes, or what else happens. Everything else follows from the decisions, so
// a schedule is its decisions.
//
// It lives in a synctest bubble. Between two decisions everything blocks, and
// just one goroutine goes on after each, but for those that time wakes: they
// run to their next gate.
type run struct {
	explored *exploration
	chooser  chooser
	dynamo   *dynamotest.Server // or
	quick    quickTables
	procore  *endpoint
	wall     atomic.Int64 // of the clocks on the wall, ahead of the timers
	outage   atomic.Bool  // storage refuses everything
	ids      atomic.Uint64
	calm     bool       // no more decisions: everything succeeds
	rings    sync.Mutex // guards the rings of the processes and
	newest   *Keys      // the ring as published
	actions  []*action
	procs    []*proc
	workers  []*worker
	queue    [][]byte // of rescued pairs
	late     []func() // operations that take effect later
	lateName []string

	mu       sync.Mutex // guards pending and what the workers' goroutines note
	pending  []*arrival
	last     *worker
	steps    int
	tracing  bool
	trace    []string
	problems []string

	feed      uint64
	rows      map[string]invariants.Row // as last written
	writes    invariants.Trace
	confirmed map[string]bool // process and attempt
	backup    map[Key]row
	asked     map[int64]bool // the generations to be disconnected
	orderly   bool           // nothing fails by itself
	slow      bool           // time passes at most steps
	inFlight  int            // refreshes when the endpoint went down
	restoring bool           // a backup is being put back
	events    map[string]int // what happened, for the checks that know excuses
}

// proc is one process.
type proc struct {
	id    int
	store *Store
	ring  *Keys
	skew  time.Duration
	dead  atomic.Bool
}

// worker is one caller in a process.
type worker struct {
	id     int
	proc   *proc
	name   string
	script []op
	ctx    context.Context
	doing  string
	done   bool
	waits  int

	mu      sync.Mutex // guards all below
	answers []func()   // to be checked
	began   time.Time  // the operation
	until   time.Time  // it sleeps by itself
	busy    bool       // with a refresh
}

// op is one call of a worker.
type op struct {
	name string
	do   func(ctx context.Context, x *run, w *worker)
}

// action is something that happens once, when it is chosen.
type action struct {
	name string
	left int
	do   func()
}

// An arrival waits at a gate.
type arrival struct {
	worker   *worker
	name     string
	outcomes []outcome
	resume   chan outcome
}

// outcome is how an operation ends.
type outcome string

const (
	fine        outcome = ""
	refused_    outcome = "refused"     // not done, an error
	conflict    outcome = "conflict"    // not done, TransactionConflict
	throttled   outcome = "throttled"   // not done, throttled
	lost_       outcome = "lost"        // done, but the answer is lost
	late        outcome = "late"        // the answer is lost; done later
	crash       outcome = "crash"       // the process dies before it is done
	crashAfter  outcome = "crashAfter"  // the process dies after it was done
	vanish      outcome = "vanish"      // sent, but never seen by the server
	unreachable outcome = "unreachable" // dial failure
	status503   outcome = "503"
	status429   outcome = "429"
	badClient   outcome = "invalid_client"
	noRefresh   outcome = "noRefresh" // 200 without a refresh token
	hang        outcome = "hang"      // no answer until the deadline
)

type (
	runKey    struct{}
	workerKey struct{}
)

// gate waits for the decision how the operation ends; it does not return if the
// process dies before. Without a worker, as after the schedule, all is fine.
func gate(ctx context.Context, name string, outcomes ...outcome) outcome {
	x, _ := ctx.Value(runKey{}).(*run)
	w, _ := ctx.Value(workerKey{}).(*worker)
	if w == nil {
		return fine
	}
	if w.proc.dead.Load() {
		runtime.Goexit()
	}
	a := &arrival{worker: w, name: name, outcomes: outcomes, resume: make(chan outcome)}
	x.mu.Lock()
	x.pending = append(x.pending, a)
	x.mu.Unlock()
	o := <-a.resume
	if w.proc.dead.Load() || o == crash {
		runtime.Goexit()
	}
	return o
}

// die ends the process of ctx's worker, after what was done.
func die(ctx context.Context) {
	if w, _ := ctx.Value(workerKey{}).(*worker); w != nil {
		w.proc.dead.Store(true)
		runtime.Goexit()
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

// options lists what may happen next; the first is what happens by default.
func (x *run) options() []option {
	slices.SortStableFunc(x.pending, func(a, b *arrival) int {
		if a.worker != b.worker {
			return a.worker.id - b.worker.id
		}
		return strings.Compare(a.name, b.name)
	})
	first := max(0, slices.IndexFunc(x.pending, func(a *arrival) bool { return a.worker == x.last }))
	var all []option
	if len(x.pending) > 0 {
		all = append(all, x.ends(x.pending[first], true)...)
	}
	for i, a := range x.pending {
		if i != first {
			all = append(all, x.ends(a, false)...)
		}
	}
	if !x.calm {
		all = append(all, x.others()...)
	}
	idle := len(x.pending) == 0
	weight := 40
	if idle || x.slow {
		weight = wellWeight
	}
	pass := option{"2s", weight, !idle, func() { x.pass(2 * time.Second) }}
	if idle {
		if d := x.sleep(); d > 0 {
			pass = option{"until the next wakes", weight, false, func() { x.pass(d) }}
		}
		return append([]option{pass}, all...)
	}
	return append(all, pass)
}

// sleep is how long all that are not done will sleep, or 0.
func (x *run) sleep() time.Duration {
	var next time.Time
	for _, w := range x.workers {
		var until time.Time
		w.set(func() { until = w.until })
		switch {
		case w.done:
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

// set changes what others read while the worker may run.
func (w *worker) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// rest is a worker's sleep.
func (w *worker) rest(d time.Duration) {
	w.set(func() { w.until = time.Now().Add(d) })
	time.Sleep(d)
	w.set(func() { w.until = time.Time{} })
}

// ends lists how the operation at a gate may end.
func (x *run) ends(a *arrival, current bool) []option {
	outcomes := []outcome{fine}
	if !x.calm && !x.orderly {
		outcomes = append(outcomes, a.outcomes...)
	}
	all := make([]option, len(outcomes))
	for i, o := range outcomes {
		name := a.worker.name + " " + a.name
		weight := wellWeight
		if o != fine {
			name += " " + string(o)
			weight = faultWeight
		}
		all[i] = option{name, weight, current || o == fine, func() { x.let(a, o) }}
	}
	return all
}

// others lists what may happen besides the operations.
func (x *run) others() []option {
	long := func() {
		x.events["long"]++
	}
	all := []option{}
	if !x.orderly {
		all = []option{
			{"30s", 10, true, func() { long(); x.pass(30 * time.Second) }},
			{"2h", 2, false, func() { long(); x.pass(2 * time.Hour) }},
			{"frozen 30s", 8, true, func() { long(); x.wall.Add(int64(30 * time.Second)) }},
			{"frozen 2h", 1, false, func() { long(); x.wall.Add(int64(2 * time.Hour)) }},
		}
	}
	for i := range x.late {
		all = append(all, option{"arrives late: " + x.lateName[i], 60, true, func() { x.arrive(i) }})
	}
	for _, a := range x.actions {
		if a.left > 0 {
			all = append(all, option{a.name, 40, true, func() { a.left--; x.events[a.name]++; a.do() }})
		}
	}
	return all
}

// let ends the operation of an arrival.
func (x *run) let(a *arrival, o outcome) {
	x.last = a.worker
	x.pending = slices.DeleteFunc(x.pending, func(b *arrival) bool { return a == b })
	if o != fine {
		x.events["fault "+string(o)]++
	}
	if o == crash {
		a.worker.proc.dead.Store(true)
		for _, b := range x.pending {
			if b.worker.proc.dead.Load() {
				b.resume <- crash
			}
		}
		x.pending = slices.DeleteFunc(x.pending, func(b *arrival) bool { return b.worker.proc.dead.Load() })
	}
	a.resume <- o
}

// pass lets time pass, for timers too.
func (x *run) pass(d time.Duration) { time.Sleep(d) }

// arrive lets a late operation take effect.
func (x *run) arrive(i int) {
	do := x.late[i]
	x.late, x.lateName = slices.Delete(x.late, i, i+1), slices.Delete(x.lateName, i, i+1)
	do()
}

const (
	maxSteps = 300  // before calm comes
	maxCalm  = 2000 // steps after which calm should have ended everything
)

// play makes decisions until every worker is done.
func (x *run) play() {
	for _, w := range x.workers {
		go x.work(w)
	}
	for {
		synctest.Wait()
		x.flush()
		x.mu.Lock()
		over := len(x.pending) == 0 && x.quiet()
		x.mu.Unlock()
		if over {
			return
		}
		if x.steps++; x.steps > maxSteps {
			x.calm = true
			x.outage.Store(false)
		}
		if x.steps > maxSteps+maxCalm {
			x.problem("the schedule does not end: %s", x.standing())
			x.abandon()
			return
		}
		x.mu.Lock()
		all := x.options()
		x.mu.Unlock()
		n := 0
		if !x.calm {
			n = x.chooser.choose(all)
		}
		x.note("%s", all[n].name)
		all[n].do()
	}
}

// quiet says that nobody works any more.
func (x *run) quiet() bool {
	for _, w := range x.workers {
		if !w.done {
			return false
		}
	}
	for _, p := range x.procs {
		if p.store == nil {
			continue
		}
		p.store.flights.mu.Lock()
		open := len(p.store.flights.open)
		p.store.flights.mu.Unlock()
		if open > 0 {
			return false
		}
	}
	return true
}

func (x *run) standing() string {
	var s []string
	for _, w := range x.workers {
		if !w.done {
			s = append(s, w.name+" in "+w.doing)
		}
	}
	return strings.Join(s, ", ")
}

// abandon ends every process.
func (x *run) abandon() {
	for _, p := range x.procs {
		p.dead.Store(true)
	}
	for {
		synctest.Wait()
		x.mu.Lock()
		pending := x.pending
		x.pending = nil
		over := len(pending) == 0 && x.quiet()
		x.mu.Unlock()
		if over {
			return
		}
		for _, a := range pending {
			a.resume <- crash
		}
		time.Sleep(time.Minute)
	}
}

// work is a worker's life.
func (x *run) work(w *worker) {
	defer func() {
		if r := recover(); r != nil {
			x.problem("%s in %s: panic: %v", w.name, w.doing, r)
		}
		x.mu.Lock()
		w.done = true
		x.mu.Unlock()
	}()
	for _, op := range w.script {
		w.doing = op.name
		gate(w.ctx, "begins "+op.name)
		w.set(func() { w.began = x.now() })
		op.do(w.ctx, x, w)
		if w.proc.dead.Load() {
			return
		}
	}
}

// flush checks the answers that workers got, in the order of the workers.
func (x *run) flush() {
	for _, w := range x.workers {
		var answers []func()
		w.set(func() { answers, w.answers = w.answers, nil })
		for _, check := range answers {
			check()
		}
	}
}

// note adds to the trace.
// note adds a line to the trace. It names the fakes' tokens without the word by which
// the search for secrets in tests' output finds them.
func (x *run) note(format string, args ...any) {
	if !x.tracing {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trace = append(x.trace, fmt.Sprintf("%3d %8s  ", x.steps, time.Since(epoch)+time.Duration(x.wall.Load()))+strings.ReplaceAll(fmt.Sprintf(format, args...), "fake-", ""))
}

func (x *run) problem(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := fmt.Sprintf(format, args...)
	if slices.Contains(x.problems, p) {
		return
	}
	x.problems = append(x.problems, p)
	x.trace = append(x.trace, "    PROBLEM "+p)
}

// epoch is when a synctest bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// now is the clock on the wall.
func (x *run) now() time.Time { return time.Now().Round(0).Add(time.Duration(x.wall.Load())) }

// wait is a worker's waiting. Its own jitter takes the place of the Store's, which
// is zero here, so that no two workers ever wake at the same time.
func wait(ctx context.Context, d time.Duration) error {
	d *= 2
	if w, ok := ctx.Value(workerKey{}).(*worker); ok {
		w.waits++
		d += time.Duration(w.id*7919 + w.waits%89*101)
	}
	return procore.Clock{}.Sleep(ctx, d)
}

// random is no jitter, and other ids each time: the first eight bytes are zero, and
// the rest is a number of five bits a byte.
func (x *run) random(p []byte) {
	clear(p)
	n := x.ids.Add(1)
	for i := 8; i < len(p); i++ {
		p[i] = byte(n & 31)
		n >>= 5
	}
}
