package procore

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

const (
	defaultAttempts = 3
	firstBackoff    = 500 * time.Millisecond
	longestWait     = time.Minute // longer is for the caller to plan
)

// waitToRetry waits before the attempt after this one and reports whether to
// make it: not when the wait would outlive ctx or the client's patience. What
// Procore asks for, in Retry-After or X-Rate-Limit-Reset, is the least; jitter
// comes on top, since everybody else was told the same moment.
func (a *api) waitToRetry(ctx context.Context, attempt int, err error) bool {
	var asked time.Duration
	if e, ok := errors.AsType[*Error](err); ok {
		asked = e.RetryAfter
	}
	if asked > a.patience {
		return false
	}
	backoff := firstBackoff << min(attempt-1, 10)
	wait := asked + backoff/2 + time.Duration(rand.Int64N(int64(backoff)))
	if d, ok := ctx.Deadline(); ok && time.Until(d) <= wait {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A progress is how far one attempt came: whether it had asked for a connection
// to the API, and had got one. Before that no byte can have been written. Without
// the first, the error is the token source's in the Transport, which has its own
// idea of repeating.
type progress struct {
	mu         sync.Mutex
	asked, got bool
	broken     bool // it ended without a whole answer
}

// trace watches the attempt. Connections that the Transport got for itself, as for
// a token, come before and do not count.
func (p *progress) trace(ctx context.Context, base string) context.Context {
	host := ""
	if u, err := url.Parse(base); err == nil {
		host = address(u)
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(hostPort string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.asked = p.asked || hostPort == host
		},
		GotConn: func(httptrace.GotConnInfo) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.got = p.got || p.asked
		},
	})
}

// sent says that bytes of the call may have been written.
func (p *progress) sent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got
}

// failed says that the attempt ended without a whole answer.
func (p *progress) failed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
}

// repeatable says that another attempt does no harm and may succeed. GET, PUT and
// DELETE are idempotent (RFC 9110, section 9.2.2). The others are repeated where
// nothing can have been done: after a 429, and when no connection came about.
//
// https://procore.github.io/documentation/error-reference
func (p *progress) repeatable(method string, err error) bool {
	idempotent := method == http.MethodGet || method == http.MethodPut || method == http.MethodDelete
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status == http.StatusTooManyRequests || idempotent && transient(e.Status)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || !p.broken || !p.asked || errors.Is(err, errTooLarge) {
		return false
	}
	return idempotent || !p.got
}

// transient lists the statuses that Procore's documents tell to repeat.
//
// https://procore.github.io/documentation/error-reference
func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable:
		return true
	}
	return false
}
