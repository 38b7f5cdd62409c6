package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing/iotest"
	"time"

	"procore-connect/pkg/procoretest"
)

// deliveryTimeout is how long Procore waits for the answer to a delivery.
const deliveryTimeout = 5 * time.Second

// errDelivery is why a delivery has no answer.
var errDelivery = errors.New("connection reset by peer")

// dispatch starts the courier of a hook that has something to deliver. The fake calls it
// in the turn of the actor that changes something.
func (p *FakeProcore) dispatch(hook int64) {
	if p.couriers[hook] {
		return
	}
	p.couriers[hook] = true
	p.world.Spawn(p.process, Step{fmt.Sprintf("delivers for hook %d", hook), func(ctx context.Context, a *Actor) { p.courier(ctx, a, hook) }})
}

// courier delivers what waits in a hook, one event after the other, and waits as long as
// Procore does after a failure.
func (p *FakeProcore) courier(ctx context.Context, a *Actor, hook int64) {
	for {
		attempt, wait := p.Next(hook)
		switch {
		case attempt != nil:
			p.deliver(attempt, a)
			if Gate(ctx, "continues") == Crash {
				return // the run is over
			}
		case wait > 0:
			a.Sleep(wait + a.apart())
			if Gate(ctx, fmt.Sprintf("tries hook %d again", hook)) == Crash {
				return
			}
		default:
			delete(p.couriers, hook)
			return
		}
	}
}

// deliver makes one attempt. The delivery is an actor, which the courier awaits no longer
// than Procore does; it may arrive all the same.
func (p *FakeProcore) deliver(attempt *procoretest.Attempt, courier *Actor) {
	d := p.letter(attempt)
	answer := make(chan *http.Response, 1)
	p.world.Spawn(p.process, Step{d.name, func(ctx context.Context, _ *Actor) { d.travel(ctx, answer) }})
	timer := time.NewTimer(deliveryTimeout + courier.apart())
	defer timer.Stop()
	select {
	case r := <-answer:
		if r == nil {
			attempt.Failed(errDelivery)
			return
		}
		attempt.Answered(r)
	case <-timer.C:
		attempt.Failed(context.DeadlineExceeded)
	}
}

// letter is a delivery on its way.
type letter struct {
	procore *FakeProcore
	name    string
	request *http.Request
	body    []byte
}

func (p *FakeProcore) letter(a *procoretest.Attempt) *letter {
	body, err := io.ReadAll(a.Request.Body)
	if err != nil {
		panic(err) // it is in memory
	}
	return &letter{p, fmt.Sprintf("delivery %d of hook %d", a.DeliveryID, a.HookID), a.Request, body}
}

// travel takes the delivery to the receiver, and its answer back.
func (l *letter) travel(ctx context.Context, answer chan<- *http.Response) {
	switch Gate(ctx, "arrives", Vanish, Twice, Late, Delayed) {
	case Vanish, Crash:
		answer <- nil
		return
	case Twice:
		l.again(1)
	case Late:
		l.again(1)
		return // the courier's time ends
	case Delayed:
		l.again(delayed)
		answer <- &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: l.request, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
		return
	}
	r := l.arrive(ctx) //nolint:bodyclose // the attempt closes it
	switch f := Gate(ctx, "is answered", Lost, Hang, Cut); {
	case f == Hang:
	case f == Lost || r == nil:
		answer <- nil
	case f == Cut:
		r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
		answer <- r
	default:
		answer <- r
	}
}

// Delayed is a delivery that something on its way accepts in the receiver's place, and passes on some hours later.
const Delayed Fault = "delayed"

// delayed makes hours of minutes.
const delayed = 300

// again lets the delivery arrive at any later moment, so many times as late as usual. Its answer reaches no one.
func (l *letter) again(times int) {
	w := l.procore.world
	late := time.Duration(times) * w.lateness(l.name)
	w.Spawn(l.procore.process, Step{l.name + ", again,", func(ctx context.Context, a *Actor) {
		if late > 0 {
			a.Sleep(late)
		}
		if r := l.arrive(ctx); r != nil {
			_ = r.Body.Close()
		}
	}})
}

func (l *letter) arrive(ctx context.Context) *http.Response {
	if l.procore.Receive == nil {
		return nil
	}
	r := l.request.Clone(ctx)
	r.Body = io.NopCloser(bytes.NewReader(l.body))
	return l.procore.Receive(ctx, r)
}

// probes sends what is no delivery: the request by which a quirk checks a destination. The
// receiver answers it at once.
type probes struct{ procore *FakeProcore }

// RoundTrip implements [http.RoundTripper].
func (p probes) RoundTrip(r *http.Request) (*http.Response, error) {
	letter := letter{procore: p.procore, request: r}
	if answer := letter.arrive(p.procore.world.Context()); answer != nil {
		return answer, nil
	}
	return nil, errDelivery
}
