package procore

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// firstAnswerWait is how long the next call waits for the first answer of a window.
	firstAnswerWait = time.Second
	// crowdedFor is how long a refusal shows that other processes make calls as well.
	crowdedFor  = time.Minute
	spikeWindow = 10 * time.Second
	hourWindow  = time.Hour
)

// A pacer decides when each call of one owner is sent, in order of arrival.
type pacer struct {
	mu            sync.Mutex
	queue         []*waiter // the first one is the next to be sent
	inFlight      int
	lastSent      time.Time
	reportedUntil time.Time // the end of the last reported window
	crowdedUntil  time.Time
	blocked       window // by Retry-After
	spike, hour   window
}

// A waiter is a call in the queue. wake ends its sleep.
type waiter struct{ wake context.CancelFunc }

// enter waits until a call may be sent. The caller passes the answer to leave.
func (p *pacer) enter(ctx context.Context, maxWait time.Duration, clock Clock) error {
	w := new(waiter)
	defer p.dequeue(w)
	for at := clock.Now(); ; {
		if left, ok := TimeLeft(ctx); ok {
			maxWait = min(maxWait, left-1)
		}
		sleep, wake := context.WithCancel(ctx)
		until, err := p.admit(w, wake, maxWait, at)
		if err != nil || !at.Before(until) {
			wake()
			return err
		}
		interrupted := clock.Sleep(sleep, until.Sub(at))
		wake()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if at = clock.Now(); interrupted == nil && at.Before(until) {
			at = until // the clock was set back
		}
	}
}

// admit counts a call as sent, or returns until when it waits unless it is woken. It
// fails if the next window is further away than maxWait.
func (p *pacer) admit(w *waiter, wake context.CancelFunc, maxWait time.Duration, at time.Time) (until time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.wake == nil {
		p.queue = append(p.queue, w)
	}
	w.wake = wake
	if end, limit := p.next(0); at.Before(end) && end.Sub(at) > maxWait {
		answer := &Error{Status: http.StatusTooManyRequests, Message: "not called: the rate limit is used up", RetryAfter: end.Sub(at)}
		return until, &RateLimitError{Answer: answer, Limit: limit, Reset: end}
	}
	if p.queue[0] != w {
		return at.Add(hourWindow), nil // or until it is the first one
	}
	inFlight := p.inFlight
	if at.Before(p.crowdedUntil) {
		inFlight *= 4 // as if three other processes had as many
	}
	until, _ = p.next(inFlight)
	if first := p.lastSent.Add(firstAnswerWait); p.inFlight > 0 && !at.Before(p.reportedUntil) && until.Before(first) {
		until = first
	}
	if !at.Before(until) {
		p.inFlight++
		p.lastSent = at
	}
	return until, nil
}

// next returns when a window begins in which more than n calls are left, and the limit
// that is the reason. A time in the past means now. The caller holds mu.
func (p *pacer) next(n int) (begin time.Time, limit int) {
	for _, w := range []window{p.blocked, p.spike, p.hour} {
		if w.limit-w.used <= n && begin.Before(w.end) {
			begin, limit = w.end, w.limit
		}
	}
	return begin, limit
}

// spare returns how many calls may be in flight for what could be read one after another: half
// of what is left, and none while other processes make calls as well.
func (p *pacer) spare(now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.crowdedUntil) {
		return 0
	}
	left := maxLimit
	for _, w := range []window{p.blocked, p.spike, p.hour} {
		if now.Before(w.end) {
			left = min(left, w.limit-w.used)
		}
	}
	return int64(left / 2)
}

// dequeue removes a call from the queue.
func (p *pacer) dequeue(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = slices.DeleteFunc(p.queue, func(o *waiter) bool { return o == w })
	if len(p.queue) > 0 {
		p.queue[0].wake()
	}
}

// leave takes the answer to a call that was sent, or nil without one. sent reports
// whether Procore may have received the call, and so may have counted it.
func (p *pacer) leave(resp *http.Response, sent bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if resp != nil || sent {
		p.spike.used++
		p.hour.used++
	}
	if resp != nil {
		p.learn(resp, now)
	}
	next, _ := p.next(0)
	for i, w := range p.queue {
		if i == 0 || now.Before(next) { // which may be too late for any of them
			w.wake()
		}
	}
}

// learn reads what an answer reports. The caller holds mu.
func (p *pacer) learn(resp *http.Response, now time.Time) {
	if resp.StatusCode == http.StatusTooManyRequests {
		p.crowdedUntil = now.Add(crowdedFor)
		if end := now.Add(min(retryAfter(resp.Header, now), hourWindow)); p.blocked.end.Before(end) {
			p.blocked.end = end
		}
	}
	w, ok := windowOf(resp, now)
	if !ok {
		if resp.StatusCode < http.StatusTooManyRequests && !now.Before(p.reportedUntil) {
			p.reportedUntil = now.Add(spikeWindow) // Procore reports no limits
		}
		return
	}
	known := &p.hour
	if w.end.Sub(now) <= spikeWindow+2*time.Second && (w.limit != p.hour.limit || !w.sameAs(p.hour)) {
		known = &p.spike
	}
	known.used-- // w counts the call
	if known.merge(w, now) {
		p.reportedUntil = known.end
	}
}

// idle reports whether nothing is known that still matters.
func (p *pacer) idle(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	end, _ := p.next(maxLimit)
	return p.inFlight == 0 && !now.Before(end)
}
