package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Function is a Lambda function of a long run's world. It runs in sandboxes, each of which
// is a process: it starts when no other one is free, serves one call at a time, is frozen
// between two of them, and ends when it crashes, when a call takes too long, or when it was
// not used for a while.
type Function struct {
	Name    string
	Timeout time.Duration
	// Start is the code before the first call. It returns what serves the calls.
	Start func(p *Process) (Handler, error)

	world     *World
	sandboxes []*sandbox // that live, the last used first
	started   int
	version   int
}

// Handler serves the calls of one sandbox.
type Handler func(ctx context.Context, in any) (any, error)

// Errors of a call that has no result.
var (
	ErrCrashed  = errors.New("the sandbox crashed")
	ErrTimedOut = errors.New("the call took too long")
)

// unused is after how long a sandbox that is not called ends at the latest.
const unused = time.Hour

// sandbox is one process of a function.
type sandbox struct {
	function *Function
	process  *Process
	actor    *Actor
	handler  Handler
	busy     bool
	used     int // calls
}

// Function adds a function to the world.
func (w *World) Function(f *Function) *Function {
	f.world = w
	return f
}

// Version returns the version of the code that new sandboxes run.
func (f *Function) Version() int { return f.version }

// Deploy lets new sandboxes run another version, and ends those that are not busy.
func (f *Function) Deploy(version int) {
	f.version = version
	for _, s := range append([]*sandbox(nil), f.sandboxes...) {
		if !s.busy {
			s.ends("deployed")
		}
	}
}

// Call calls the function for an actor outside it. An error means that no answer arrived, or
// is that of the code.
func (f *Function) Call(ctx context.Context, in any) (any, error) {
	if Gate(ctx, "calls "+f.Name) == Crash {
		return nil, ErrCrashed
	}
	s, err := f.free(ctx)
	if err != nil {
		return nil, err
	}
	return s.call(ctx, in)
}

// free takes a sandbox for one call.
func (f *Function) free(ctx context.Context) (*sandbox, error) {
	for _, s := range f.sandboxes {
		if !s.busy {
			s.busy = true
			s.thaw()
			return s, nil
		}
	}
	return f.start(ctx)
}

// start starts a sandbox.
func (f *Function) start(ctx context.Context) (*sandbox, error) {
	w := f.world
	f.started++
	name := fmt.Sprintf("%s#%d", f.Name, f.started)
	skew := time.Duration(0)
	if w.Swarm().Has("skew") {
		skew = time.Duration(w.Draw("skew", name, 0)%uint64(4*time.Second)) - 2*time.Second
	}
	s := &sandbox{function: f, process: w.Process(skew), busy: true}
	s.process.Version = f.version
	s.actor = w.newActor(s.process, name)
	s.process.ctx = s.actor.ctx
	f.sandboxes = append([]*sandbox{s}, f.sandboxes...)
	started := make(chan error, 1)
	go func() {
		var err error
		s.handler, err = f.Start(s.process)
		started <- err
	}()
	err := <-started
	if err == nil && s.process.Dead() {
		err = ErrCrashed
	}
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		s.ends("not started")
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Context returns the context of the process's own work, as when it starts.
func (p *Process) Context() context.Context { return p.ctx }

// call makes one call, for an actor whose context is caller.
func (s *sandbox) call(caller context.Context, in any) (any, error) {
	w := s.function.world
	s.used++
	ctx, cancel := context.WithTimeout(s.actor.ctx, s.function.Timeout)
	defer cancel()
	type result struct {
		out any
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				w.Problem("%s: panic: %v", s.actor.Name, r)
				s.process.dies()
				done <- result{err: ErrCrashed}
			}
		}()
		out, err := s.handler(ctx, in)
		done <- result{out, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-s.process.ctx.Done():
	case <-ctx.Done():
		// AWS ends the sandbox. The code has known its deadline, and may just be done.
		select {
		case r = <-done:
		case <-time.After(time.Millisecond):
			Gate(caller, "ends "+s.actor.Name) // nothing else runs when it dies
			s.process.dies()
			r.err = ErrTimedOut
		}
	}
	if s.process.Dead() {
		s.ends("died")
		if r.err == nil || !errors.Is(r.err, ErrTimedOut) {
			r.err = ErrCrashed
		}
		return nil, fmt.Errorf("%s: %w", s.actor.Name, r.err)
	}
	s.rest()
	return r.out, r.err
}

// thaw lets the sandbox continue.
func (s *sandbox) thaw() {
	p := s.process
	p.idle = false
	held := p.held
	p.held = nil
	w := p.world
	w.mu.Lock()
	w.pending = append(w.pending, held...)
	w.mu.Unlock()
	w.arrives()
}

// rest freezes the sandbox until its next call.
func (s *sandbox) rest() {
	s.busy = false
	s.process.idle = true
	s.process.frozen = time.Time{}
	used, w := s.used, s.function.world
	w.After(unused, "unused "+s.actor.Name, func() {
		if !s.busy && s.used == used {
			s.ends("unused")
		}
	})
}

// ends ends the sandbox.
func (s *sandbox) ends(string) {
	s.process.dies()
	f := s.function
	for i, other := range f.sandboxes {
		if other == s {
			f.sandboxes = append(f.sandboxes[:i], f.sandboxes[i+1:]...)
			return
		}
	}
}
