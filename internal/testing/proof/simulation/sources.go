package simulation

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/testing/fake/dynamotest"
)

// Go starts an actor whose process never ends, as AWS's own services and people have it.
func (w *World) Go(name string, do func(ctx context.Context)) {
	a := w.newActor(w.long.outside, name)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				w.Problem("%s: panic: %v\n%s", name, r, debug.Stack())
			}
		}()
		do(a.ctx)
	}()
}

// newActor makes an actor of a long run.
func (w *World) newActor(p *Process, name string) *Actor {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.long.actors++
	a := &Actor{id: w.long.actors, Process: p, Name: name}
	a.ctx = context.WithValue(p.ctx, actorKey{}, a)
	return a
}

// Sleep lets an actor sleep. It reports whether the run goes on.
func (w *World) Sleep(ctx context.Context, d time.Duration) bool {
	if a := ActorOf(ctx); a != nil {
		d += time.Duration(a.id%1000+1) * time.Microsecond // no two wake at the same time
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.root.Done():
		return false
	}
	w.barrier()
	return !w.over.Load()
}

// Every calls a function by a schedule, as EventBridge Scheduler does: a call may come late,
// or twice, or not at all. in makes the input from the time for which the call is scheduled.
func (w *World) Every(period, offset time.Duration, name string, f *Function, in func(at time.Time) any) {
	w.Go("schedule "+name, func(ctx context.Context) {
		at := w.Now().Truncate(period).Add(offset)
		for n := uint64(0); ; n++ {
			at = at.Add(period)
			if !w.Sleep(ctx, at.Sub(w.Now())) {
				return
			}
			scheduled := at
			for i := range w.times(name, n) {
				late := time.Duration(0)
				if !w.calm.Load() && w.Swarm().Has("late schedules") {
					late = time.Duration(w.Next("late schedule", name) % uint64(time.Minute))
				}
				w.Go(fmt.Sprintf("%s %d.%d", name, n, i), func(ctx context.Context) {
					w.Sleep(ctx, late)
					if _, err := f.Call(ctx, in(scheduled)); err != nil {
						w.Failed(name, err)
					}
				})
			}
		}
	})
}

// times draws how often a call of a schedule is made.
func (w *World) times(name string, n uint64) int {
	if w.calm.Load() {
		return 1
	}
	switch d := w.Draw("schedule", name, n) % 100; {
	case d < 2 && w.Swarm().Has("lost schedules"):
		return 0
	case d >= 98 && w.Swarm().Has("double schedules"):
		return 2
	}
	return 1
}

// Failed counts a call that failed, and notes it.
func (w *World) Failed(what string, err error) {
	w.Happened("failed " + what)
	w.Note("%s failed: %v", what, err)
}

// Stream is an event source mapping of a table's stream: it passes changes to a function in
// batches, in order, and repeats what the function reports until it is done or too old.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
type Stream struct {
	Table    string
	Function *Function
	Batch    int
	MaxAge   time.Duration
	// Wants reports whether the mapping's filters let a change pass.
	Wants func(dynamotest.Change) bool
	// Event makes the function's input.
	Event func([]dynamotest.Change) any
	// Failed returns the sequence numbers that the function's answer reports; nil: all are
	// done.
	Failed func(answer any) []string
	// Dead is the queue that learns of what was too old.
	Dead string
}

// Stream starts an event source mapping.
func (w *World) Stream(s Stream) {
	w.Go("stream "+s.Table, func(ctx context.Context) {
		after, tries, most := uint64(0), 0, s.Batch
		for {
			changes := w.changes(ctx, &s, &after, most)
			if changes == nil {
				return
			}
			answer, err := s.Function.Call(ctx, s.Event(changes))
			if w.Over() {
				return
			}
			done := len(changes)
			switch failed := s.failed(answer, err); {
			case err != nil:
				w.Failed(s.Function.Name, err)
				done = 0
			case len(failed) > 0:
				done = first(changes, failed)
			}
			if done > 0 {
				tries, most = 0, s.Batch
			}
			if done == len(changes) && w.repeats(s.Table) {
				continue
			}
			if done == len(changes) {
				after = changes[done-1].Sequence
				w.Tables.dynamo.Trim(s.Table, after)
				continue
			}
			if done > 0 {
				after = changes[done-1].Sequence
			} else if err != nil {
				most = max(1, len(changes)/2) // BisectBatchOnFunctionError
			}
			if oldest := changes[done]; w.Now().Sub(oldest.At) > s.MaxAge {
				w.Happened("too old for the stream of " + s.Table)
				w.Queues.Send(s.Dead, Message{Body: fmt.Sprintf(`{"sequence":%d}`, oldest.Sequence)})
				after = oldest.Sequence
			}
			tries++
			if !w.Sleep(ctx, min(time.Second<<min(tries, 6), time.Minute)) {
				return
			}
		}
	})
}

// repeats draws whether an event source forgets that a batch is done, and passes it again.
func (w *World) repeats(table string) bool {
	if w.calm.Load() || !w.Swarm().Has("redelivered batches") || w.Next("forgets", table)%20 > 0 {
		return false
	}
	w.Happened("redelivered batch")
	w.Note("the stream of %s forgets its last batch", table)
	return true
}

func (s *Stream) failed(answer any, err error) []string {
	if err != nil {
		return nil
	}
	return s.Failed(answer)
}

// first returns the place of the first change that an answer reports.
func first(changes []dynamotest.Change, failed []string) int {
	for i, c := range changes {
		if slices.Contains(failed, SequenceNumber(c.Sequence)) {
			return i
		}
	}
	return 0 // as AWS does with a number that it does not know
}

// changes waits for changes that the function wants, and passes over others. nil: the run is
// over.
func (w *World) changes(ctx context.Context, s *Stream, after *uint64, most int) []dynamotest.Change {
	for {
		changed := w.Tables.dynamo.Changed(s.Table)
		all, err := w.Tables.dynamo.Changes(s.Table, *after, 10*s.Batch)
		if err != nil {
			panic(err)
		}
		if wanted := s.wanted(all, most); len(wanted) > 0 {
			return wanted
		}
		if n := len(all); n > 0 {
			*after = all[n-1].Sequence
			w.Tables.dynamo.Trim(s.Table, *after)
			continue
		}
		select {
		case <-changed:
		case <-w.root.Done():
			return nil
		}
		if Gate(ctx, "reads the stream of "+s.Table) == Crash || w.Over() {
			return nil
		}
	}
}

// wanted returns the first changes that the function wants.
func (s *Stream) wanted(all []dynamotest.Change, most int) (wanted []dynamotest.Change) {
	for _, c := range all {
		if len(wanted) < most && s.Wants(c) {
			wanted = append(wanted, c)
		}
	}
	return wanted
}

// Consume is an event source mapping of a queue, of which several calls may be in progress.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func (w *World) Consume(queue string, f *Function, atOnce int, failed func(answer any) []string) {
	w.Go("queue "+queue, func(ctx context.Context) {
		free := make(chan struct{}, atOnce) // has each call that has ended
		for calls, ended := 0, 0; ; {
			if Gate(ctx, "receives from "+queue) == Crash || w.Over() {
				return
			}
			for ; len(free) > 0; ended++ {
				<-free
			}
			for calls-ended < atOnce {
				batch := w.Queues.Receive(queue, 1)
				if len(batch.Records) == 0 {
					break
				}
				calls++
				w.Go(fmt.Sprintf("queue %s %d", queue, calls), func(ctx context.Context) {
					w.handle(ctx, queue, f, batch, failed)
					free <- struct{}{}
				})
			}
			ended += w.await(ctx, queue, free, calls-ended == atOnce)
		}
	})
}

// handle calls a function with messages, and deletes the first one if it is done.
func (w *World) handle(ctx context.Context, queue string, f *Function, batch events.SQSEvent, failed func(answer any) []string) {
	answer, err := f.Call(ctx, batch)
	switch {
	case w.Over():
	case err != nil:
		w.Failed(f.Name, err)
	case len(failed(answer)) == 0:
		if Gate(ctx, "deletes a message of "+queue, Lost) == Fine {
			_ = w.Queues.Delete(batch.Records[0].ReceiptHandle) // it may be visible again
		}
	}
}

// never is later than the end of any run.
const never = 10_000 * time.Hour

// await waits until a queue may have a message, or a call has ended. It returns how many have that it took note of. If all
// work, it waits for that alone.
func (w *World) await(ctx context.Context, queue string, free <-chan struct{}, full bool) (ended int) {
	changed := w.Queues.Changed(queue)
	at, ok := w.Queues.Next(queue)
	if !ok {
		at = w.Now().Add(never)
	}
	timer := time.NewTimer(at.Sub(w.Now()) + ActorOf(ctx).apart())
	defer timer.Stop()
	if full {
		changed = nil
		timer.Stop()
	}
	select {
	case <-free:
		return 1
	case <-changed:
	case <-timer.C:
	case <-w.root.Done():
	}
	return 0
}
