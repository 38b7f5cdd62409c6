// Package lambdatest runs the binary of a Lambda function as Lambda does. The binary
// runs in its own process, which asks the Lambda Runtime API for work and has only the
// environment that Lambda sets. It handles one invocation at a time and is killed when
// an invocation takes too long.
//
//	f := lambdatest.New(lambdatest.Options{Name: "webhook-receiver", Binary: "build/webhook-receiver"})
//	defer f.Close()
//	answer, err := f.Invoke(ctx, []byte(`{"task":"refresh"}`))
//
// A process starts with the first invocation that needs one, or by [Function.Warm].
// After it has ended the next invocation starts another. Unlike Lambda, this package
// does not freeze a process between invocations.
package lambdatest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// MaxPayload bounds an invocation's payload and its answer, in bytes.
//
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxPayload = 6 << 20

// Options describe a function. Name and Binary are required.
type Options struct {
	Name   string
	Binary string            // path of the executable
	Env    map[string]string // the function's own variables, beside those that Lambda sets

	Timeout     time.Duration // of one invocation; 0: 3 s, as in Lambda
	InitTimeout time.Duration // until the process asks for work; 0: 10 s, as in Lambda
	MemoryMB    int           // the size in the environment; 0: 128
	Concurrency int           // the most processes at once; 0: 1. Further invocations wait.

	// Stdout and Stderr receive the processes' output, one complete line of at most
	// 256 KB in each Write. Nil discards it. Both may be called at once.
	Stdout, Stderr io.Writer

	// Polled receives the id of each new process when it asks for work the first time.
	// The process gets no work before Polled returns. Polled may be nil.
	Polled func(pid int)
}

// Function is a function and its processes. Its methods may be called at once.
type Function struct {
	o     Options
	slots chan struct{} // holds an element for each running invocation

	mu      sync.Mutex
	version int // counts the binaries
	idle    []*process
	all     map[*process]bool
	closed  bool
	running sync.WaitGroup
}

// New returns a function without a process. Close it to end those that it starts.
func New(o Options) *Function {
	o.Timeout = cmp.Or(o.Timeout, 3*time.Second)
	o.InitTimeout = cmp.Or(o.InitTimeout, 10*time.Second)
	o.MemoryMB = cmp.Or(o.MemoryMB, 128)
	o.Concurrency = cmp.Or(o.Concurrency, 1)
	o.Stdout = cmp.Or[io.Writer](o.Stdout, io.Discard)
	o.Stderr = cmp.Or[io.Writer](o.Stderr, io.Discard)
	if o.Polled == nil {
		o.Polled = func(int) {}
	}
	return &Function{o: o, slots: make(chan struct{}, o.Concurrency), all: make(map[*process]bool)}
}

// Name returns the function's name.
func (f *Function) Name() string { return f.o.Name }

// Invoke calls the function with payload and returns its answer. For a failure of the
// function the error is a [*FunctionError], for a payload that is too large it is
// [ErrTooLarge].
//
// When ctx ends, Invoke returns at once. The invocation continues to its end or
// timeout, as in Lambda.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, ErrTooLarge
	}
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	err := f.slot(ctx, func() {
		answer, err := f.invoke(payload)
		done <- result{answer, err}
	})
	if err != nil {
		return nil, err
	}
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("function %s: %w", f.o.Name, context.Cause(ctx))
	}
}

// Warm starts a process, unless there is one, and waits until it asks for work. If the
// process ends before that, the error is a [*FunctionError] with its last log lines.
func (f *Function) Warm(ctx context.Context) error {
	done := make(chan error, 1)
	err := f.slot(ctx, func() {
		p, _, err := f.process()
		if err == nil {
			err = p.ready(f.o.InitTimeout)
		}
		if err == nil {
			f.putBack(p)
		}
		done <- err
	})
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("function %s: %w", f.o.Name, context.Cause(ctx))
	}
}

// slot runs work in the background when fewer than Concurrency others run.
func (f *Function) slot(ctx context.Context, work func()) error {
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("function %s: %w", f.o.Name, context.Cause(ctx))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		<-f.slots
		return errClosed
	}
	f.running.Go(func() {
		defer func() { <-f.slots }()
		work()
	})
	return nil
}

func (f *Function) invoke(payload []byte) ([]byte, error) {
	for {
		p, fresh, err := f.process()
		if err != nil {
			return nil, err
		}
		inv := newInvocation(payload)
		err = p.deliver(inv, f.o.InitTimeout)
		if err != nil && !fresh && p.gone() {
			continue // it ended while it was idle, not because of this invocation
		}
		if err != nil {
			return nil, err
		}
		answer, err := p.wait(inv, f.o.Timeout)
		f.putBack(p)
		return answer, err
	}
}

// process takes an idle process or starts one.
func (f *Function) process() (p *process, fresh bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, false, errClosed
	}
	for n := len(f.idle); n > 0; n = len(f.idle) {
		p, f.idle = f.idle[n-1], f.idle[:n-1]
		if !p.gone() {
			return p, false, nil
		}
	}
	p, err = f.start(f.o, f.version)
	return p, true, err
}

// start starts a process of a version of the binary. f.mu is held.
func (f *Function) start(o Options, version int) (*process, error) {
	p, err := start(o)
	if err != nil {
		return nil, err
	}
	p.version = version
	f.all[p] = true
	go func() {
		<-p.exited
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.all, p)
	}()
	return p, nil
}

// putBack makes a process idle, or ends it if another binary took its place.
func (f *Function) putBack(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case p.gone():
	case p.version != f.version:
		p.kill()
	default:
		f.idle = append(f.idle, p)
	}
}

// Drain refuses new invocations, and waits until those that run have ended or ctx has.
func (f *Function) Drain(ctx context.Context) {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		f.running.Wait() // Close ends it at the latest
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// Close kills the processes and waits for their end. Running invocations fail.
func (f *Function) Close() error {
	f.mu.Lock()
	f.closed = true
	var all []*process
	for p := range f.all {
		all = append(all, p)
	}
	f.mu.Unlock()
	for _, p := range all {
		p.kill()
		<-p.exited
	}
	f.running.Wait()
	return nil
}
