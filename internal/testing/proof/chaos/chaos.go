//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/testing/fake/lambdatest"
	"procore-connect/pkg/procore"
)

const (
	slots     = 8 // processes that run at once, not counting stopped ones
	operators = 3 // who type commands at once
)

// chaos runs everything at once for a while, and then waits until all of it has ended.
func (w *world) chaos(ctx context.Context, length time.Duration) {
	w.beganAt = time.Now()
	w.calm.Store(false)
	calmer := time.AfterFunc(length, func() {
		w.calm.Store(true)
		w.provider.fake.ClearFaults()
		w.cancel()
	})
	defer calmer.Stop()
	var all sync.WaitGroup
	for slot := range slots {
		function := "refresher"
		if slot%4 >= 2 {
			function = "event-consumer"
		}
		all.Go(func() { w.fillSlot(ctx, slot, function) })
	}
	all.Go(w.injectFaults)
	all.Go(w.hitProcesses)
	all.Go(func() { w.act(ctx) })
	for range operators {
		all.Go(func() { w.operate(ctx, w.refreshVerbs) })
	}
	all.Wait()
	w.calm.Store(true)
	w.background.Wait()
	w.endedAt = time.Now()
}

// fillSlot keeps a working process in one slot. It replaces a stopped process, as
// Lambda would start another; the stopped one finishes its work when it continues.
func (w *world) fillSlot(ctx context.Context, slot int, function string) {
	for nth := 1; w.ctx.Err() == nil; nth++ {
		p, err := w.start(ctx, slot, nth, function)
		if err != nil {
			if w.ctx.Err() == nil {
				w.violation("%s does not start: %v", function, err)
				w.wait(w.ctx, time.Second)
			}
			continue
		}
		w.work(ctx, p, function)
	}
}

// work calls the function again and again until its process is killed or stopped.
func (w *world) work(ctx context.Context, p *process, function string) {
	for w.ctx.Err() == nil {
		what, payload := w.payload(function)
		done := make(chan error, 1)
		w.background.Go(func() { done <- p.invoke(ctx, payload) })
		ticker := time.NewTicker(300 * time.Millisecond)
		var err error
		for waiting := true; waiting; {
			select {
			case err = <-done:
				waiting = false
			case <-ticker.C:
				if p.isStopped() {
					w.background.Go(func() { <-done; p.close() })
					return
				}
			}
		}
		ticker.Stop()
		w.calls.add(what)
		if e, ok := errors.AsType[*lambdatest.FunctionError](err); ok && (e.Type == "Runtime.ExitError" || e.Type == "Sandbox.Timedout") {
			break
		}
		w.wait(w.ctx, w.dice.between(50*time.Millisecond, 500*time.Millisecond))
		if p.isStopped() || p.isKilled() {
			break
		}
	}
	w.background.Go(func() {
		w.wait(w.ctx, maxClaim) // a process that was stopped between two calls gets no more work
		p.close()
	})
}

func (p *process) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

func (p *process) isKilled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.killedAt.IsZero()
}

// payload returns work for the function.
func (w *world) payload(function string) (what string, payload []byte) {
	if function == "event-consumer" {
		return "events", w.batch()
	}
	task := "refresh"
	if w.dice.oneIn(5) {
		task = "housekeeping"
	}
	return task, fmt.Appendf(nil, `{"task":%q}`, task)
}

// batch returns a few events of companies, as the queue delivers them.
func (w *world) batch() []byte {
	var e events.SQSEvent
	for n := range 2 + w.dice.n(5) {
		c := pick(w.dice, pick(w.dice, w.people).companies)
		body, err := procore.EncodeEvent(procore.Event{
			ID: strconv.Itoa(n + 1), CompanyID: c.id, ProjectID: c.project, Resource: "Projects", ResourceID: procore.NewID(c.project),
			Type: "update", Timestamp: time.Now(), PayloadVersion: "v4.0",
		})
		if err != nil {
			panic(err) // it has no data that could be invalid
		}
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: strconv.Itoa(n), Body: string(body), EventSource: "aws:sqs",
			Attributes: map[string]string{"MessageGroupId": strconv.Itoa(n)},
		})
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // it has only strings
	}
	return text
}

// injectFaults makes the fake fail now and then, and changes the tokens' lifetime.
func (w *world) injectFaults() {
	for w.ctx.Err() == nil {
		w.wait(w.ctx, w.dice.between(300*time.Millisecond, 3500*time.Millisecond))
		if w.ctx.Err() != nil {
			return
		}
		w.provider.injectFault()
		if w.dice.oneIn(10) {
			w.setTokenLifetime(time.Duration(8+w.dice.n(38)) * time.Second)
		}
	}
}

// hitProcesses kills, stops or cuts off processes at any time.
func (w *world) hitProcesses() {
	for w.ctx.Err() == nil {
		w.wait(w.ctx, w.dice.between(500*time.Millisecond, 3*time.Second))
		w.mu.Lock()
		recent := w.processes[max(0, len(w.processes)-slots):]
		if w.typing != nil && w.dice.oneIn(4) {
			recent = []*process{w.typing}
		}
		w.mu.Unlock()
		if len(recent) > 0 && w.ctx.Err() == nil {
			w.hit(pick(w.dice, recent), "at any time")
		}
	}
}

// maybeHit may hit a process at this moment of the protocol. The process is killed or
// stopped when maybeHit returns.
func (w *world) maybeHit(p *process, when string) {
	if p != nil && !w.calm.Load() && w.dice.oneIn(50*w.rare) {
		w.hit(p, p.kind()+" when "+when)
	}
}

func (w *world) hit(p *process, why string) {
	switch n := w.dice.n(20); {
	case n < 6, w.onlyKills:
		p.kill(why)
	case n < 14:
		p.stop(why, w.dice.between(maxClaim+time.Second, maxClaim+8*time.Second))
	case n < 17:
		p.stop(why, w.dice.between(200*time.Millisecond, 8*time.Second))
	case n < 19:
		p.cut(w.dice.between(19*time.Second, 24*time.Second), false)
	default:
		p.cut(w.dice.between(19*time.Second, 24*time.Second), true)
	}
}
