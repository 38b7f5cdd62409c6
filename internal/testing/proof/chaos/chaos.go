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

const places = 8 // processes that run at once, beside those that are stopped

// chaos lets everything happen at once for a while, and then waits until what
// runs has ended.
func (w *world) chaos(ctx context.Context, length time.Duration) {
	w.began = time.Now()
	w.calm.Store(false)
	calmer := time.AfterFunc(length, func() {
		w.calm.Store(true)
		w.provider.fake.ClearFaults()
		w.end()
	})
	defer calmer.Stop()
	var all sync.WaitGroup
	for place := range places {
		function := "refresher"
		if place%4 >= 2 {
			function = "event-consumer"
		}
		all.Go(func() { w.occupy(ctx, place, function) })
	}
	all.Go(w.throwFaults)
	all.Go(w.strike)
	all.Go(func() { w.live(ctx) })
	all.Wait()
	w.calm.Store(true)
	w.background.Wait()
	w.ended = time.Now()
}

// occupy keeps one place filled with a process that works: a stopped one is
// replaced, as Lambda would start another, and ends what it did when it wakes.
func (w *world) occupy(ctx context.Context, place int, function string) {
	for life := 1; w.ctx.Err() == nil; life++ {
		p, err := w.start(ctx, place, life, function)
		if err != nil {
			if w.ctx.Err() == nil {
				w.fault("%s does not start: %v", function, err)
				w.wait(w.ctx, time.Second)
			}
			continue
		}
		w.work(ctx, p, function)
	}
}

// work calls the function again and again until its process is gone or halted.
func (w *world) work(ctx context.Context, p *process, function string) {
	for w.ctx.Err() == nil {
		what, payload := w.payload(function)
		done := make(chan error, 1)
		w.background.Go(func() { done <- p.invoke(ctx, payload) })
		look := time.NewTicker(300 * time.Millisecond)
		var err error
		for waiting := true; waiting; {
			select {
			case err = <-done:
				waiting = false
			case <-look.C:
				if p.halted() {
					w.background.Go(func() { <-done; p.close() })
					return
				}
			}
		}
		look.Stop()
		w.calls.add(what)
		if e, ok := errors.AsType[*lambdatest.FunctionError](err); ok && (e.Type == "Runtime.ExitError" || e.Type == "Sandbox.Timedout") {
			break
		}
		w.wait(w.ctx, w.dice.between(50*time.Millisecond, 500*time.Millisecond))
		if p.halted() || p.killed() {
			break
		}
	}
	w.background.Go(func() {
		w.wait(w.ctx, claimLife) // a process that was stopped between two calls wakes to no work
		p.close()
	})
}

func (p *process) halted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asleep
}

func (p *process) killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.killedAt.IsZero()
}

// payload is work for the function.
func (w *world) payload(function string) (what string, payload []byte) {
	if function == "event-consumer" {
		return "events", w.batch()
	}
	task := "refresh"
	if w.dice.one(5) {
		task = "housekeeping"
	}
	return task, fmt.Appendf(nil, `{"task":%q}`, task)
}

// batch is a few events of companies, as the queue hands them over.
func (w *world) batch() []byte {
	var e events.SQSEvent
	for n := range 2 + w.dice.n(5) {
		p := pick(w.dice, w.people)
		body, err := procore.EncodeEvent(procore.Event{
			ID: strconv.Itoa(n + 1), CompanyID: p.key.CompanyID, ProjectID: p.project, Resource: "Projects", ResourceID: p.project,
			Type: "update", Timestamp: time.Now(), PayloadVersion: "v4.0",
		})
		if err != nil {
			panic(err) // it has no data that could be wrong
		}
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: strconv.Itoa(n), Body: string(body), EventSource: "aws:sqs",
			Attributes: map[string]string{"MessageGroupId": strconv.Itoa(n)},
		})
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings alone
	}
	return text
}

// throwFaults makes the fake fail now and then, and changes how long tokens live.
func (w *world) throwFaults() {
	for w.ctx.Err() == nil {
		w.wait(w.ctx, w.dice.between(300*time.Millisecond, 3500*time.Millisecond))
		if w.ctx.Err() != nil {
			return
		}
		w.provider.throw()
		if w.dice.one(10) {
			w.lifetime(time.Duration(8+w.dice.n(38)) * time.Second)
		}
	}
}

// strike hits processes at any time.
func (w *world) strike() {
	for w.ctx.Err() == nil {
		w.wait(w.ctx, w.dice.between(500*time.Millisecond, 3*time.Second))
		w.mu.Lock()
		recent := w.processes[max(0, len(w.processes)-places):]
		w.mu.Unlock()
		if len(recent) > 0 && w.ctx.Err() == nil {
			w.hit(pick(w.dice, recent), "at any time")
		}
	}
}

// moment may hit a process at a moment of the protocol. The process is dead or
// halted when it returns.
func (w *world) moment(p *process, when string) {
	if p != nil && !w.calm.Load() && w.dice.one(50*w.rare) {
		w.hit(p, p.kind()+" when "+when)
	}
}

func (w *world) hit(p *process, why string) {
	switch n := w.dice.n(20); {
	case n < 6, w.onlyKills:
		p.kill(why)
	case n < 14:
		p.stop(why, w.dice.between(claimLife+time.Second, claimLife+8*time.Second))
	case n < 17:
		p.stop(why, w.dice.between(200*time.Millisecond, 8*time.Second))
	case n < 19:
		p.cut(w.dice.between(19*time.Second, 24*time.Second), false)
	default:
		p.cut(w.dice.between(19*time.Second, 24*time.Second), true)
	}
}
