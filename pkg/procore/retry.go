package procore

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
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
	wait := asked + backoff/2 + a.random.Jitter(backoff)
	if left, ok := TimeLeft(ctx); ok && left <= wait {
		return false
	}
	return a.clock.Sleep(ctx, wait) == nil
}

// A progress is how far one attempt came, as net/http tells it.
type progress struct {
	mu sync.Mutex
	// asked: a connection was asked for, and if it came about, was not used for
	// another host. Without that the error is the token source's in the Transport,
	// which has its own idea of repeating.
	asked    bool
	sent     bool // bytes of the call may have been written
	http2    bool // the latest header is the call's, written behind HTTP/2
	answered bool // since then
	broken   bool // it ended without a whole answer
}

// errReset ends an attempt that net/http would send again.
var errReset = errors.New("the server reset the HTTP/2 stream or closed its connection")

// trace watches the attempt, and ends it rather than let net/http repeat it: behind
// HTTP/2 that one sends a request again, whatever its method, when the peer resets
// the stream by PROTOCOL_ERROR or REFUSED_STREAM or says GOAWAY, at worst without
// end (net/http's http2canRetryError). Whether to repeat is for [progress.repeatable].
// Behind HTTP/1.1 net/http repeats a POST or PATCH only when it has written nothing.
//
// A request is known by its host's header, since the GetConn of a proxied one names
// the proxy: the Transport makes connections for itself, as for a token. Behind HTTP/2
// the header has a name of its own, and is told just before the frame is written.
func (p *progress) trace(ctx context.Context, base string) (context.Context, context.CancelCauseFunc) {
	_, host, _ := strings.Cut(base, "://")
	ctx, cancel := context.WithCancelCause(ctx)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { p.set(func() { p.asked = true }) },
		GotConn: func(httptrace.GotConnInfo) {
			p.set(func() {
				if p.http2 && !p.answered {
					cancel(errReset) // before anything is written
				}
			})
		},
		WroteHeaderField: func(name string, value []string) {
			if name == "Host" || name == ":authority" {
				mine := strings.EqualFold(value[0], host)
				p.set(func() {
					p.asked, p.sent, p.http2, p.answered = mine, p.sent || mine, mine && name == ":authority", false
				})
			}
		},
		GotFirstResponseByte: func() { p.set(func() { p.answered = true }) },
		// The first byte is told once, so the answer after a 103 is not seen: a Transport
		// can't repeat such a call after a 401.
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			p.set(func() { p.answered = false })
			return nil
		},
	}), cancel
}

func (p *progress) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// failed says that the attempt ended without a whole answer.
func (p *progress) failed() { p.set(func() { p.broken = true }) }

// wasSent says that bytes of the call may have been written.
func (p *progress) wasSent() (sent bool) {
	p.set(func() { sent = p.sent })
	return sent
}

// undone says that the attempt certainly did nothing: after a 429, and when nothing
// was written.
func (p *progress) undone(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status == http.StatusTooManyRequests
	}
	return !p.wasSent()
}

// repeatable says that another attempt does no harm and may succeed. GET, PUT and
// DELETE are idempotent (RFC 9110, section 9.2.2). The others are repeated where
// nothing can have been done.
//
// https://procore.github.io/documentation/error-reference
func (p *progress) repeatable(method string, err error) bool {
	harmless := p.undone(err) || method == http.MethodGet || method == http.MethodPut || method == http.MethodDelete
	if e, ok := errors.AsType[*Error](err); ok {
		return harmless && (e.Status == http.StatusTooManyRequests || transient(e.Status))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || !p.broken || !p.asked || errors.Is(err, errTooLarge) {
		return false
	}
	return harmless
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
