package simulation

import (
	"context"
	"slices"
	"time"
)

// What may happen to the sandboxes of a long run's functions, besides that they crash.

// Freeze stops a process for a while. Nothing of it is done until then, and what it sent
// before takes effect as always.
func (p *Process) Freeze(d time.Duration) {
	p.frozen = time.Now().Add(d)
	p.disturbed = p.world.Now().Add(d)
	p.world.Happened("froze")
}

// CutOff lets a process not reach storage for a while: it gets no answer. What it writes is done at once, later or never.
func (p *Process) CutOff(d time.Duration) {
	p.cutOff = p.world.Now().Add(d)
	p.world.Happened("cut off")
}

// severed draws what becomes of an operation of a process that is cut off.
func (t *Tables) severed(a *Actor, possible []Fault) Fault {
	if a == nil || !t.world.Now().Before(a.Process.cutOff) {
		return Fine
	}
	ways := []Fault{Refused}
	if slices.Contains(possible, Late) {
		ways = []Fault{Refused, Lost, Late}
	}
	return ways[t.world.Next("cut off", a.Name)%uint64(len(ways))]
}

// Step sets the clock of a process ahead, or back.
func (p *Process) Step(by time.Duration) {
	p.skew += by
	p.disturbed = p.world.Now()
	p.world.Happened("clock stepped")
}

// Disturbed returns when the process was last frozen until, or its clock stepped.
func (p *Process) Disturbed() time.Time { return p.disturbed }

// Processes returns those of the function's sandboxes, that used last first.
func (f *Function) Processes() (all []*Process) {
	for _, s := range f.sandboxes {
		all = append(all, s.process)
	}
	return all
}

// Idle reports whether the process waits for its next call.
func (p *Process) Idle() bool { return p.idle }

// Recycle ends the sandboxes that are not busy, as AWS does now and then.
func (f *Function) Recycle() {
	for _, s := range append([]*sandbox(nil), f.sandboxes...) {
		if !s.busy {
			s.ends("recycled")
		}
	}
}

// Session lets a person's own process do something, and waits for its end. It reports
// whether the process lived until then.
func (w *World) Session(name string, do func(ctx context.Context, p *Process)) bool {
	p := w.Process(0)
	done := make(chan struct{})
	w.Spawn(p, Step{name, func(ctx context.Context, _ *Actor) {
		defer close(done)
		do(ctx, p)
	}})
	select {
	case <-done:
	case <-w.root.Done():
		return false
	}
	alive := !p.Dead()
	p.dies()
	return alive
}
