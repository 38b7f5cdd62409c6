// Package lambdatest runs the binary of a Lambda function as Lambda does: in
// a process of its own that asks the Lambda Runtime API for work, with the
// environment that Lambda gives and no other, one invocation at a time, and
// killed when an invocation takes too long.
//
//	f := lambdatest.New(lambdatest.Options{Name: "webhook-receiver", Binary: "build/webhook-receiver"})
//	defer f.Close()
//	answer, err := f.Invoke(ctx, []byte(`{"task":"refresh"}`))
//
// A process starts with the first invocation that needs one, or by
// [Function.Warm], and is replaced by the next invocation after it ended. What
// Lambda does between invocations, freezing the process, is left out.
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

// Options describe a function. Name and Binary are needed.
type Options struct {
	Name   string
	Binary string            // path of the executable
	Env    map[string]string // the function's own variables, beside those that Lambda sets

	Timeout     time.Duration // of one invocation; 0: 3 s, as Lambda has it
	InitTimeout time.Duration // until the process asks for work; 0: 10 s, as Lambda has it
	MemoryMB    int           // what the function is told; 0: 128
	Concurrency int           // how many processes at most; 0: 1. Further invocations wait.

	// Stdout and Stderr get the processes' output, one whole line in each
	// Write, at most 256 KB long. Nil discards it. Both may be called at once.
	Stdout, Stderr io.Writer

	// Polled is told the id of each new process when that asks for work the
	// first time, and gets none before Polled returns. Nil: nobody is told.
	Polled func(pid int)
}

// Function is a function and its processes. Its methods may be called at once.
type Function struct {
	o     Options
	slots chan struct{} // holds an element per invocation that runs

	mu      sync.Mutex
	idle    []*process
	all     map[*process]bool
	closed  bool
	running sync.WaitGroup
}

// New gives a function without a process. Close it to end those it will have.
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

// Name is the function's name.
func (f *Function) Name() string { return f.o.Name }

// Invoke hands payload to the function and gives its answer. A failure of the
// function is a [*FunctionError]; a payload that is too large is [ErrTooLarge].
//
// When ctx ends, Invoke returns at once while the invocation goes on to its
// own end or timeout, as it would in Lambda.
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

// Warm starts a process, unless there is one, and waits until it asks for
// work. A process that ends before is a [*FunctionError] with its last log lines.
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
		return ErrClosed
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
			continue // it ended while it was idle: not this invocation's fault
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
		return nil, false, ErrClosed
	}
	for n := len(f.idle); n > 0; n = len(f.idle) {
		p, f.idle = f.idle[n-1], f.idle[:n-1]
		if !p.gone() {
			return p, false, nil
		}
	}
	p, err = start(f.o)
	if err != nil {
		return nil, false, err
	}
	f.all[p] = true
	go func() {
		<-p.exited
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.all, p)
	}()
	return p, true, nil
}

func (f *Function) putBack(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !p.gone() {
		f.idle = append(f.idle, p)
	}
}

// Close kills the processes and waits for their end. Invocations that run fail.
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
