package procore

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// slow is the part of a window that is spread over its time, and the part of what
	// is left that may be in flight.
	slow = 4
	// probeFor is how long the others wait for the first answer of a window.
	probeFor    = time.Second
	spikeWindow = 10 * time.Second
	hourWindow  = time.Hour
)

// A limit lets the calls of one owner pass.
type limit struct {
	turn chan struct{} // of the call that is next; channels are fair

	mu       sync.Mutex
	inFlight int
	answered chan struct{} // closed and replaced by each answer
	last     time.Time     // when the latest call was let pass
	known    time.Time     // the end of the window reported last
	silent   bool          // Procore reports no limits
	until    time.Time     // what Retry-After asked for
	spike    window
	hour     window
}

func newLimit() *limit {
	return &limit{turn: make(chan struct{}, 1), answered: make(chan struct{})}
}

// A slowdown is how far a call may be slowed down while calls are left: until soft,
// and not at all if its turn is after the end, where it would never be sent.
type slowdown struct{ soft, end time.Time }

// slowdownOf is that of a call which begins now. It takes at most half of what is
// left of the context, as others may be before it.
func slowdownOf(ctx context.Context, patience time.Duration, now time.Time) slowdown {
	left, ok := TimeLeft(ctx)
	if !ok {
		return slowdown{soft: now.Add(patience), end: now.Add(patience).Add(2 * hourWindow)} // no turn is after that
	}
	return slowdown{soft: now.Add(min(patience, left/2)), end: now.Add(left)}
}

// of is until when a call waits that would wait until slower.
func (s slowdown) of(slower, now time.Time) time.Time {
	switch {
	case s.end.Before(slower):
		return now
	case s.soft.Before(slower):
		return s.soft
	}
	return slower
}

// enter waits until a call may be sent. The caller gives the answer to leave. A call
// that has been slowed down for long enough goes past those before it.
func (l *limit) enter(ctx context.Context, patience time.Duration, clock Clock) error {
	at := clock.Now()
	s := slowdownOf(ctx, patience, at)
	for {
		if err := l.refused(ctx, patience, at); err != nil {
			return err
		}
		again := s.soft.Sub(at)
		if again <= 0 {
			if _, answered := l.pass(at, s); answered == nil {
				return nil
			}
			again = time.Second
		}
		next, err := l.inLine(ctx, again, clock)
		switch {
		case err != nil:
			return err
		case next:
			defer func() { <-l.turn }()
			return l.atTurn(ctx, patience, s, clock)
		}
		if at = clock.Now(); at.Before(s.soft) {
			at = s.soft
		}
	}
}

// inLine waits until the call is next, at most for d, and reports whether it is.
func (l *limit) inLine(ctx context.Context, d time.Duration, clock Clock) (next bool, err error) {
	select {
	case l.turn <- struct{}{}: // no call waits before
		return true, nil
	default:
	}
	over, stop := clock.after(ctx, d)
	defer stop()
	select {
	case l.turn <- struct{}{}:
		return true, nil
	case <-over:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// atTurn waits as the call that is next.
func (l *limit) atTurn(ctx context.Context, patience time.Duration, s slowdown, clock Clock) error {
	for at := clock.Now(); ; {
		if err := l.refused(ctx, patience, at); err != nil {
			return err
		}
		until, answered := l.pass(at, s)
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

// pass lets a call pass, or gives until when it has to wait and what ends when
// another is answered.
func (l *limit) pass(at time.Time, s slowdown) (until time.Time, answered <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hold(at)
	until = s.of(h.slower, at)
	if until.Before(h.until) {
		until = h.until
	}
	if at.Before(until) {
		return until, l.answered
	}
	l.inFlight++
	l.last = at
	return time.Time{}, nil
}

// refused is the error of a call for which nothing is left and that will not
// wait that long.
func (l *limit) refused(ctx context.Context, patience time.Duration, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hold(now)
	if !h.usedUp || !now.Before(h.until) {
		return nil
	}
	wait := h.until.Sub(now)
	if left, ok := TimeLeft(ctx); wait <= patience && (!ok || wait < left) {
		return nil
	}
	answer := &Error{Status: http.StatusTooManyRequests, Message: "not called: the rate limit is used up", RetryAfter: wait}
	return &RateLimitError{Answer: answer, Limit: h.limit, Reset: h.until}
}

// A hold is until when a call waits; the zero hold lets it pass.
type hold struct {
	until  time.Time // at most: nothing is left, or an answer will tell
	usedUp bool      // nothing is left
	limit  int
	slower time.Time // until when it waits for the rest of the window's sake
}

// and is the longer of two holds.
func (h hold) and(o hold) hold {
	if h.slower.Before(o.slower) {
		h.slower = o.slower
	}
	if h.until.Before(o.until) {
		h.until, h.usedUp, h.limit = o.until, o.usedUp, o.limit
	}
	return h
}

// hold looks at everything that is known. The caller holds mu.
func (l *limit) hold(now time.Time) hold {
	if now.Before(l.until) {
		return hold{until: l.until, usedUp: true}
	}
	if !now.Before(l.known) && !l.silent && l.inFlight > 0 {
		return hold{until: l.last.Add(probeFor)}
	}
	var h hold
	for _, w := range []window{l.spike, l.hour} {
		if now.Before(w.end) {
			h = h.and(w.hold(l.inFlight, l.last))
		}
	}
	return h
}

// leave takes the answer to a call that was let pass, or nil without one; sent is
// whether Procore may have seen it.
func (l *limit) leave(resp *http.Response, sent bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	close(l.answered)
	l.answered = make(chan struct{})
	if resp == nil {
		if sent { // and counted, perhaps
			l.spike.count()
			l.hour.count()
		}
		return
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		if wait := min(retryAfter(resp.Header, now), hourWindow); wait > 0 && l.until.Before(now.Add(wait)) {
			l.until = now.Add(wait)
		}
	}
	l.report(resp, now)
}

// report takes what the answer says into the window that it speaks of, and
// counts the call in the other. The caller holds mu.
func (l *limit) report(resp *http.Response, now time.Time) {
	w, ok := reported(resp, now)
	if !ok {
		l.spike.count()
		l.hour.count()
		l.silent = l.silent || resp.StatusCode < 500 && !now.Before(l.known)
		return
	}
	mine, other := &l.hour, &l.spike
	if w.same(l.spike) || !w.same(l.hour) && w.end.Sub(now) <= spikeWindow+2*time.Second {
		mine, other = other, mine
	}
	other.count()
	if !mine.merge(w, now) {
		return // of a window that is over
	}
	l.silent, l.known = false, mine.end
}

func (l *limit) idle(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight == 0 && !now.Before(l.spike.end) && !now.Before(l.hour.end) && !now.Before(l.until)
}
