package hooks

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// pace keeps calls under Procore's rate limits, which it counts for each user:
// an answer that says that none is left holds up the user's next call, so that it
// is not refused. The zero pace lets all calls pass that were not told to wait.
//
// https://procore.github.io/documentation/rate-limiting
type pace struct {
	mu    sync.Mutex
	until map[tokens.Principal]time.Time
}

// transport paces the calls of one principal.
type transport struct {
	keeper    *Keeper
	principal tokens.Principal
	base      http.RoundTripper
}

// RoundTrip waits, if the wait is short, or fails as Procore would.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	p, now := &t.keeper.pace, t.keeper.now()
	until := p.take(t.principal, now)
	if wait := until.Sub(now); wait > t.keeper.Patience {
		p.hold(t.principal, until)
		answer := &procore.Error{Status: http.StatusTooManyRequests, Message: "not called: the rate limit is used up",
			Method: r.Method, Path: r.URL.Path, RetryAfter: wait}
		return nil, closed(r, &procore.RateLimitError{Answer: answer, Reset: until})
	} else if wait > 0 {
		if err := sleep(r.Context(), wait); err != nil {
			return nil, closed(r, err)
		}
	}
	resp, err := t.base.RoundTrip(r)
	if err == nil && resp.Header.Get("X-Rate-Limit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(resp.Header.Get("X-Rate-Limit-Reset"), 10, 64); err == nil {
			p.hold(t.principal, time.Unix(reset, 0))
		}
	}
	return resp, err
}

// take gives until when the principal has to wait, zero if not at all, and
// forgets it: whoever waits that long may call.
func (p *pace) take(who tokens.Principal, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.until[who]
	delete(p.until, who)
	if !until.After(now) {
		return time.Time{}
	}
	return until
}

func (p *pace) hold(who tokens.Principal, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[tokens.Principal]time.Time{}
	}
	p.until[who] = until
}

// closed closes the body of a request that is not sent, as a RoundTripper must.
func closed(r *http.Request, err error) error {
	if r.Body != nil {
		r.Body.Close()
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
