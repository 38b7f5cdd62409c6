package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"procore-connect/pkg/procore"
)

// Scenario describes who does what. The schedule decides when, and what fails.
type Scenario struct {
	Name string
	// Setup makes processes and actors, and what the judge needs.
	Setup func(w *World)
	// Weight is how often the scenario is tried by seeds, compared with the others; 0: 1.
	Weight int
	// Depth is how many deviations the systematic search combines; 0: 1, and -1: none.
	Depth int
}

// World is one schedule of a scenario.
type World struct {
	Tables   *Tables // storage
	Server   Server  // answers what is sent over the world's connections
	Services         // AWS's besides the tables

	// Delay is by how much longer an operation of an actor takes in a long run, with its number among the actor's. It draws
	// by [World.Draw] alone. nil: no operation takes longer.
	Delay func(actor, operation string, turn uint64) time.Duration
	// Connected is called when an actor has opened a connection by [World.Dial] or [World.DialTransport], with the request for
	// which it was opened if that is known. nil: it is not called.
	Connected func(a *Actor, about string)

	Orderly bool // no operation fails
	Slow    bool // time passes at most steps

	// Judge checks what the schedule led to. It is called after the actors are done, when
	// nothing fails any longer and operations that were late have arrived.
	Judge func(ctx context.Context)

	chooser chooser
	wall    atomic.Int64 // of the clocks on the wall, ahead of the timers
	ids     atomic.Uint64
	calm    atomic.Bool // no decision is left: everything succeeds
	long    *long
	root    context.Context // of a long run
	over    atomic.Bool     // a long run is over
	reached map[string]int  // how often each rare state was
	actions []*action
	procs   []*Process
	actors  []*Actor
	made    int         // actors, ever
	playing bool        // the actors run
	late    []operation // that take effect later
	conns   []*conn     // that are open
	closing []*conn     // that the server closes

	mu       sync.Mutex // guards pending and what the actors' goroutines note
	pending  []*arrival
	last     *Actor
	steps    int
	tracing  bool
	trace    []string
	problems []string
	found    time.Duration // from the beginning to the first problem
	events   map[string]int
}

// Process is one process. All of its actors end when it crashes.
type Process struct {
	// Busy reports whether the process works although none of its actors waits, as for
	// work that outlives its caller. nil: it does not.
	Busy func() bool

	world *World
	id    int
	skew  time.Duration
	dead  atomic.Bool

	// In a long run:
	Version int             // of the code
	ctx     context.Context // done when the process is dead
	end     context.CancelFunc
	idle    bool       // frozen until it is called again
	held    []*arrival // that wait for that
	frozen  time.Time  // until when nothing of it is done

	cutOff    time.Time // until when it does not reach storage
	disturbed time.Time // when it was last frozen until, or its clock stepped

	drawing sync.Mutex
	drawn   map[uint64]uint64 // how much randomness each operation was followed by
}

// Actor is one caller in a process.
type Actor struct {
	Process *Process
	Name    string

	id     int
	script []Step
	ctx    context.Context
	doing  string
	done   bool
	extra  bool // by Spawn
	waits  int

	mu     sync.Mutex // guards all below
	checks []func()
	began  time.Time // the step
	until  time.Time // it sleeps
}

// Step is one call of an actor.
type Step struct {
	Name string
	Do   func(ctx context.Context, a *Actor)
}

// action is something that happens when it is chosen.
type action struct {
	name string
	left int
	do   func()
}

// operation is one that takes effect later.
type operation struct {
	name string
	do   func()
}

type (
	worldKey struct{}
	actorKey struct{}
)

func worldOf(ctx context.Context) *World {
	w, _ := ctx.Value(worldKey{}).(*World)
	return w
}

// ActorOf returns the actor whose call the context belongs to, nil for the world's own.
func ActorOf(ctx context.Context) *Actor {
	a, _ := ctx.Value(actorKey{}).(*Actor)
	return a
}

// Context returns the context of the world's own calls, as those of the setup and of the
// judge. They wait at no gate.
func (w *World) Context() context.Context {
	return context.WithValue(context.Background(), worldKey{}, w)
}

// Process starts a process, whose clock is ahead by skew.
func (w *World) Process(skew time.Duration) *Process {
	p := &Process{world: w, id: len(w.procs), skew: skew, drawn: map[uint64]uint64{}}
	if w.long != nil {
		p.ctx, p.end = context.WithCancel(w.root)
		p.id = w.long.processes
		w.long.processes++
		w.long.live[p] = struct{}{}
		return p
	}
	w.procs = append(w.procs, p)
	return p
}

// dies ends the process. In a long run all that it had begun fails and unwinds, and
// reaches nothing any more.
func (p *Process) dies() {
	if p.dead.Swap(true) || p.end == nil {
		return
	}
	p.end()
	delete(p.world.long.live, p)
	for _, a := range p.held {
		a.resume <- Crash
	}
	p.held = nil
}

// ID returns the number of the process, from 0 on.
func (p *Process) ID() int { return p.id }

// Dead reports whether the process has crashed.
func (p *Process) Dead() bool { return p.dead.Load() }

// Skew is how far the clock of the process is ahead.
func (p *Process) Skew() time.Duration { return p.skew }

// Clock returns the clock of the process. Waiting takes twice the duration, plus a little
// that differs for each wait, so that no two actors ever wake at the same time: whichever
// of them ran first would be no decision of the schedule. A wait of more than some
// minutes is [Actor.Sleep]'s.
func (p *Process) Clock() procore.Clock {
	c := procore.Clock{Time: func() time.Time { return p.world.Now().Add(p.skew) }, Wait: wait}
	if p.world.long != nil {
		c.Yield = yield
	}
	return c
}

// yield lets a long run decide when a goroutine goes on that another one has woken.
func yield(ctx context.Context) { Gate(ctx, "goes on") }

func wait(ctx context.Context, d time.Duration) error {
	if w := worldOf(ctx); w == nil || w.long == nil {
		d *= 2
	}
	if a := ActorOf(ctx); a != nil {
		d += a.apart()
	}
	err := procore.Clock{}.Sleep(ctx, d)
	if w := worldOf(ctx); err != nil && w != nil && w.long != nil {
		yield(ctx)
	}
	return err
}

// apart is what keeps a wait of the actor from ending together with another one.
func (a *Actor) apart() time.Duration {
	a.waits++
	return time.Duration(a.id*7919 + a.waits%89*101)
}

// WithTimeout is context.WithTimeout for an actor's call. It adds a little that differs
// for each actor, for the reason that [Process.Clock] names.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if a := ActorOf(ctx); a != nil {
		d += time.Duration(a.id+1) * time.Microsecond
	}
	return context.WithTimeout(ctx, d)
}

// Random returns the randomness of all processes: no jitter, and other ids each time. The
// first eight bytes are zero, and the rest is a number of five bits a byte.
func (w *World) Random() procore.Random {
	return procore.Random{Read: func(p []byte) {
		clear(p)
		n := w.ids.Add(1)
		for i := 8; i < len(p); i++ {
			p[i] = byte(n & 31)
			n >>= 5
		}
	}}
}

// Random returns the randomness of a process in a long run: its own, which differs each time. Goroutines that draw at once
// have passed gates for different operations before.
func (p *Process) Random() procore.Random {
	return procore.Random{Read: func(b []byte) {
		after := lastOperation()
		p.drawing.Lock()
		p.drawn[after]++
		n := after<<16 + p.drawn[after]
		p.drawing.Unlock()
		for i := range b {
			if i%8 == 0 {
				n = mix(n + 0x9e3779b97f4a7c15*uint64(p.id+1) + p.world.Seed())
			}
			b[i] = byte(n >> (8 * (i % 8)))
		}
	}}
}

// Actor adds a caller to a process. It makes its steps one after the other.
func (w *World) Actor(p *Process, script ...Step) *Actor {
	a := &Actor{id: w.made, Process: p, Name: fmt.Sprintf("a%d/p%d", w.made, p.id), script: script}
	w.made++
	a.ctx = context.WithValue(w.Context(), actorKey{}, a)
	w.actors = append(w.actors, a)
	return a
}

// Spawn is Actor while the schedule runs: the actor begins at once.
func (w *World) Spawn(p *Process, script ...Step) *Actor {
	if w.long != nil {
		a := w.newActor(p, script[0].Name)
		a.script = script
		go w.act(a)
		return a
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.actors = slices.DeleteFunc(slices.Clone(w.actors), func(a *Actor) bool { return a.extra && a.done })
	a := w.Actor(p, script...)
	a.extra = true
	if w.playing {
		go w.act(a)
	}
	return a
}

// Action lets something happen once, at any moment.
func (w *World) Action(name string, do func()) {
	w.actions = append(w.actions, &action{name, 1, do})
}

// Pick is a decision of the scenario.
func (w *World) Pick(what string, names ...string) int {
	all := make([]option, len(names))
	for i, name := range names {
		all[i] = option{what + ": " + name, wellWeight, true, nil}
	}
	n := w.chooser.choose(all)
	w.Note("%s", all[n].name)
	return n
}

// Steps returns how many decisions were made since the actors began.
func (w *World) Steps() int { return w.steps }

// Actors returns the actors.
func (w *World) Actors() []*Actor { return w.actors }

// Happened counts an event, for a judge that knows excuses. Faults and actions are
// counted under their names: "fault lost", "storage goes away".
func (w *World) Happened(event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[event]++
}

// lateness draws in a long run how late something is.
func (w *World) lateness(what string) time.Duration {
	if w.long == nil {
		return 0
	}
	return time.Duration(w.Next("late", what) % uint64(2*time.Minute))
}

// later lets an operation take effect later.
func (w *World) later(name, by string, do func()) {
	if w.long == nil {
		w.late = append(w.late, operationOf(name, by, do))
		return
	}
	d := w.lateness(by)
	w.After(d, name+by, func() {
		w.Note("arrives late: %s of %s", name, by)
		operation, _, _ := strings.Cut(name, " ")
		w.Happened("late " + operation)
		do()
	})
}

// Events returns how often each event happened.
func (w *World) Events() map[string]int { return w.events }

// epoch is when a synctest bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Now returns the time of a clock on the wall.
func (w *World) Now() time.Time { return time.Now().Round(0).Add(time.Duration(w.wall.Load())) }

// Advance lets time pass. It is for a setup and a judge, not for an actor.
func (w *World) Advance(d time.Duration) { sleep(d) }

// Freeze lets time pass on the clocks on the wall alone, as for processes that are all
// frozen. No timer runs.
func (w *World) Freeze(d time.Duration) { w.wall.Add(int64(d)) }

// sleep is virtual in the bubble.
func sleep(d time.Duration) { <-time.After(d) }

// Sleep is a wait of the actor that no other one has to end.
func (a *Actor) Sleep(d time.Duration) {
	if w := a.Process.world; w.long != nil {
		w.Sleep(a.ctx, d)
		return
	}
	a.set(func() { a.until = time.Now().Add(d) })
	sleep(d)
	a.Process.world.barrier()
	a.set(func() { a.until = time.Time{} })
}

// Check calls f when all actors wait again, in the order of the actors.
func (a *Actor) Check(f func()) { a.set(func() { a.checks = append(a.checks, f) }) }

// Began returns when the actor began its step, by the clock on the wall.
func (a *Actor) Began() (began time.Time) {
	a.set(func() { began = a.began })
	return began
}

// set changes what other goroutines read while the actor may run.
func (a *Actor) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

const (
	maxSteps = 300  // before all is calm
	maxCalm  = 2000 // steps after which calm should have ended everything
)

// play makes decisions until every actor is done, and calls the judge.
func (w *World) play() {
	w.playing = true
	for _, a := range w.actors {
		go w.act(a)
	}
	for w.step() {
	}
	w.calm.Store(true)
	w.Tables.Outage(false)
	for len(w.late) > 0 {
		w.arrive(0)
	}
	if w.Judge != nil {
		w.Judge(w.Context())
	}
	w.closeAll()
}

// barrier lets what was done happen before what those do who wake next, also for the race
// detector.
func (w *World) barrier() {
	w.mu.Lock()
	defer w.mu.Unlock()
}

// step makes one decision, unless nothing is left to decide.
func (w *World) step() bool {
	synctest.Wait()
	w.barrier()
	sleep(time.Nanosecond) // so that waits which begin at different steps end at different times
	synctest.Wait()
	w.hangUp()
	w.check()
	w.mu.Lock()
	over := len(w.pending) == 0 && w.quiet()
	w.mu.Unlock()
	if over {
		return false
	}
	if w.steps++; w.steps > maxSteps {
		w.calm.Store(true)
		w.Tables.Outage(false)
	}
	if w.steps > maxSteps+maxCalm {
		w.Problem("the schedule does not end: %s", w.waiting())
		w.abandon()
		return false
	}
	w.mu.Lock()
	all := w.options()
	w.mu.Unlock()
	n := 0
	if !w.calm.Load() {
		n = w.chooser.choose(all)
	}
	w.Note("%s", all[n].name)
	all[n].do()
	return true
}

// quiet reports whether no actor and no process works.
func (w *World) quiet() bool {
	for _, a := range w.actors {
		if !a.done {
			return false
		}
	}
	for _, p := range w.procs {
		if p.Busy != nil && p.Busy() {
			return false
		}
	}
	return true
}

func (w *World) waiting() string {
	var s []string
	for _, a := range w.actors {
		if !a.done {
			s = append(s, a.Name+" in "+a.doing)
		}
	}
	return strings.Join(s, ", ")
}

// abandon ends every process.
func (w *World) abandon() {
	for _, p := range w.procs {
		p.dead.Store(true)
	}
	for {
		synctest.Wait()
		w.mu.Lock()
		pending := w.pending
		w.pending = nil
		over := len(pending) == 0 && w.quiet()
		w.mu.Unlock()
		if over {
			return
		}
		for _, a := range pending {
			a.resume <- Crash
		}
		sleep(time.Minute)
	}
}

// act makes the actor's steps.
func (w *World) act(a *Actor) {
	defer func() {
		if r := recover(); r != nil {
			w.Problem("%s in %s: panic: %v", a.Name, a.doing, r)
		}
		w.mu.Lock()
		a.done = true
		w.mu.Unlock()
	}()
	for _, s := range a.script {
		a.doing = s.Name
		Gate(a.ctx, "begins "+s.Name)
		a.set(func() { a.began = w.Now() })
		s.Do(a.ctx, a)
		if a.Process.Dead() {
			return
		}
	}
}

// check makes the checks that actors asked for.
func (w *World) check() {
	for _, a := range w.actors {
		var checks []func()
		a.set(func() { checks, a.checks = a.checks, nil })
		for _, f := range checks {
			f()
		}
	}
}

// Note adds a line to the trace of the schedule. It names the fakes' tokens without the
// word by which the search for secrets in tests' output finds them.
func (w *World) Note(format string, args ...any) {
	if w.long != nil {
		if !w.over.Load() {
			w.long.line(fmt.Sprintf("%s  ", w.Now().Format("02 15:04:05.000000000")) + strings.ReplaceAll(fmt.Sprintf(format, args...), "fake-", ""))
		}
		return
	}
	if !w.tracing {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%3d %8s  ", w.steps, (time.Since(epoch)+time.Duration(w.wall.Load())).Truncate(time.Millisecond))+
		strings.ReplaceAll(fmt.Sprintf(format, args...), "fake-", ""))
}

// Problem records that a rule was broken. The schedule fails.
func (w *World) Problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := fmt.Sprintf(format, args...)
	if slices.Contains(w.problems, p) {
		return
	}
	if len(w.problems) == 0 {
		w.found = time.Since(epoch)
	}
	w.problems = append(w.problems, p)
	if w.long != nil {
		w.long.line("PROBLEM " + p)
		return
	}
	w.trace = append(w.trace, "    PROBLEM "+p)
}

// Problems returns what was recorded.
func (w *World) Problems() []string { return w.problems }

// Found returns how long a run had lasted when it had its first problem.
func (w *World) Found() time.Duration { return w.found }

// Trace returns the schedule in words.
func (w *World) Trace() string { return strings.Join(w.trace, "\n") }
