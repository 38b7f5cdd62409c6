package procore

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// A quarter of a window is spread over its time, and a quarter of what is left may be
	// in flight.
	quarter = 4
	// firstAnswerWait is how long other calls wait for the first answer of a window.
	firstAnswerWait = time.Second
	spikeWindow     = 10 * time.Second
	hourWindow      = time.Hour
)

// A pacer decides when each call of one owner is sent.
type pacer struct {
	turn chan struct{} // held by the call that is next; channels are fair

	mu            sync.Mutex
	inFlight      int
	answered      chan struct{} // closed and replaced by each answer
	lastSent      time.Time     // when the latest call was sent
	reportedUntil time.Time     // the end of the last reported window
	unreported    bool          // Procore reports no limits
	blockedUntil  time.Time     // by Retry-After
	spike         window
	hour          window
}

func newPacer() *pacer {
	return &pacer{turn: make(chan struct{}, 1), answered: make(chan struct{})}
}

// A slowdown limits how long a call is slowed down while calls are left: until soft. If
// its turn comes after end, when its context is over, it is not slowed down.
type slowdown struct{ soft, end time.Time }

// newSlowdown returns the slowdown of a call that begins now. It uses at most half of
// the time left in the context, because other calls may be first.
func newSlowdown(ctx context.Context, maxWait time.Duration, now time.Time) slowdown {
	left, ok := TimeLeft(ctx)
	if !ok {
		return slowdown{soft: now.Add(maxWait), end: now.Add(maxWait).Add(2 * hourWindow)} // no turn comes after that
	}
	return slowdown{soft: now.Add(min(maxWait, left/2)), end: now.Add(left)}
}

// until limits the wait of a call that would be slowed down until slower.
func (s slowdown) until(slower, now time.Time) time.Time {
	switch {
	case s.end.Before(slower):
		return now
	case s.soft.Before(slower):
		return s.soft
	}
	return slower
}

// enter waits until a call may be sent. The caller passes the answer to leave. A call
// that was slowed down for long enough overtakes those before it.
func (p *pacer) enter(ctx context.Context, maxWait time.Duration, clock Clock) error {
	at := clock.Now()
	s := newSlowdown(ctx, maxWait, at)
	for {
		if err := p.refusal(ctx, maxWait, at); err != nil {
			return err
		}
		again := s.soft.Sub(at)
		if again <= 0 {
			if _, answered := p.pass(at, s); answered == nil {
				return nil
			}
			again = time.Second
		}
		next, err := p.awaitTurn(ctx, again, clock)
		switch {
		case err != nil:
			return err
		case next:
			defer func() { <-p.turn }()
			return p.passAtTurn(ctx, maxWait, s, clock)
		}
		if at = clock.Now(); at.Before(s.soft) {
			at = s.soft
		}
	}
}

// awaitTurn waits until the call is next, at most for d, and reports whether it is.
func (p *pacer) awaitTurn(ctx context.Context, d time.Duration, clock Clock) (next bool, err error) {
	select {
	case p.turn <- struct{}{}: // no call waits before
		return true, nil
	default:
	}
	over, stop := clock.after(ctx, d)
	defer stop()
	select {
	case p.turn <- struct{}{}:
		return true, nil
	case <-over:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// passAtTurn waits until the call that is next may be sent.
func (p *pacer) passAtTurn(ctx context.Context, maxWait time.Duration, s slowdown, clock Clock) error {
	for at := clock.Now(); ; {
		if err := p.refusal(ctx, maxWait, at); err != nil {
			return err
		}
		until, answered := p.pass(at, s)
		if answered == nil {
			return nil
		}
		over, stop := clock.after(ctx, until.Sub(at))
		select {
		case <-over:
			if at = clock.Now(); at.Before(until) {
				at = until
			}
		case <-answered:
			at = clock.Now()
		case <-ctx.Done():
		}
		stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// pass lets a call be sent. If the call has to wait, pass returns until when, and a
// channel that is closed when another call is answered.
func (p *pacer) pass(at time.Time, s slowdown) (until time.Time, answered <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hold(at)
	until = s.until(h.slower, at)
	if until.Before(h.until) {
		until = h.until
	}
	if at.Before(until) {
		return until, p.answered
	}
	p.inFlight++
	p.lastSent = at
	return time.Time{}, nil
}

// refusal returns the error of a call for which nothing is left, if the call cannot wait
// for the next window.
func (p *pacer) refusal(ctx context.Context, maxWait time.Duration, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hold(now)
	if !h.usedUp || !now.Before(h.until) {
		return nil
	}
	wait := h.until.Sub(now)
	if left, ok := TimeLeft(ctx); wait <= maxWait && (!ok || wait < left) {
		return nil
	}
	answer := &Error{Status: http.StatusTooManyRequests, Message: "not called: the rate limit is used up", RetryAfter: wait}
	return &RateLimitError{Answer: answer, Limit: h.limit, Reset: h.until}
}

// A hold is how long a call has to wait. The zero hold lets it be sent.
type hold struct {
	until  time.Time // at most: nothing is left, or an answer will report what is left
	usedUp bool      // nothing is left
	limit  int
	slower time.Time // until when it waits to save the rest of the window
}

// longer combines two holds into the longer one.
func (h hold) longer(o hold) hold {
	if h.slower.Before(o.slower) {
		h.slower = o.slower
	}
	if h.until.Before(o.until) {
		h.until, h.usedUp, h.limit = o.until, o.usedUp, o.limit
	}
	return h
}

// hold returns how long a call has to wait, by everything that is known. The caller
// has locked mu.
func (p *pacer) hold(now time.Time) hold {
	if now.Before(p.blockedUntil) {
		return hold{until: p.blockedUntil, usedUp: true}
	}
	if !now.Before(p.reportedUntil) && !p.unreported && p.inFlight > 0 {
		return hold{until: p.lastSent.Add(firstAnswerWait)}
	}
	var h hold
	for _, w := range []window{p.spike, p.hour} {
		if now.Before(w.end) {
			h = h.longer(w.hold(p.inFlight, p.lastSent))
		}
	}
	return h
}

// leave records the answer to a call that was let pass, or nil if it has none. sent
// reports whether Procore may have received the call.
func (p *pacer) leave(resp *http.Response, sent bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	close(p.answered)
	p.answered = make(chan struct{})
	if resp == nil {
		if sent { // Procore may have counted it
			p.spike.count()
			p.hour.count()
		}
		return
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		if wait := min(retryAfter(resp.Header, now), hourWindow); wait > 0 && p.blockedUntil.Before(now.Add(wait)) {
			p.blockedUntil = now.Add(wait)
		}
	}
	p.record(resp, now)
}

// record merges the answer's report into the window that it describes, and counts the
// call in the other window. The caller has locked mu.
func (p *pacer) record(resp *http.Response, now time.Time) {
	w, ok := windowOf(resp, now)
	if !ok {
		p.spike.count()
		p.hour.count()
		p.unreported = p.unreported || resp.StatusCode < 500 && !now.Before(p.reportedUntil)
		return
	}
	mine, other := &p.hour, &p.spike
	if w.sameAs(p.spike) || !w.sameAs(p.hour) && w.end.Sub(now) <= spikeWindow+2*time.Second {
		mine, other = other, mine
	}
	other.count()
	if !mine.merge(w, now) {
		return // it describes a window that is over
	}
	p.unreported, p.reportedUntil = false, mine.end
}

func (p *pacer) idle(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inFlight == 0 && !now.Before(p.spike.end) && !now.Before(p.hour.end) && !now.Before(p.blockedUntil)
}
