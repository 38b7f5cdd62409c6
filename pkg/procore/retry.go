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
	defaultMaxWait  = time.Minute // the caller plans a longer one
)

// WithMaxWait sets how long one call waits for the rate limit's next window, or for a
// repetition as Procore asks; the default is a minute. A call that would have to wait
// longer, or beyond its context, is not sent and fails at once with a
// [*RateLimitError], so that the caller can plan. Behind other calls it may wait for
// several windows, each no longer than that. While calls are left, no call waits for a
// window.
func WithMaxWait(d time.Duration) Option { return func(a *api) { a.maxWait = max(d, 0) } }

// waitToRetry waits before the next attempt and reports whether to make it. It does not
// wait beyond ctx or the client's maxWait. Procore asks for the minimum, in Retry-After
// or X-Rate-Limit-Reset. Jitter comes on top of it, because all clients receive the
// same time.
func (a *api) waitToRetry(ctx context.Context, attempt int, err error) bool {
	var asked time.Duration
	if e, ok := errors.AsType[*Error](err); ok {
		asked = e.RetryAfter
	}
	if asked > a.maxWait {
		return false
	}
	backoff := firstBackoff << min(attempt-1, 10)
	wait := asked + backoff/2 + a.random.Jitter(backoff)
	if left, ok := TimeLeft(ctx); ok && left <= wait {
		return false
	}
	return a.clock.Sleep(ctx, wait) == nil
}

// A progress is how far one attempt got, as net/http reports it.
type progress struct {
	mu sync.Mutex
	// asked: a connection was requested and not used for another host. Without one the
	// error comes from the token source in the Transport, which decides itself what it
	// repeats.
	asked    bool
	sent     bool // bytes of the call may have been written
	http2    bool // the latest header is the call's, written over HTTP/2
	answered bool // after that header
	broken   bool // it ended without a complete answer
}

// errReset ends an attempt that net/http would repeat.
var errReset = errors.New("the server reset the HTTP/2 stream or closed its connection")

// trace watches the attempt, and ends it before net/http can repeat it. Over HTTP/2
// net/http repeats a request of any method, possibly without end, when the peer resets
// the stream with PROTOCOL_ERROR or REFUSED_STREAM, or sends GOAWAY (net/http's
// http2canRetryError). Here [progress.repeatable] decides. Over HTTP/1.1 net/http
// repeats a POST or PATCH only if it has written nothing.
//
// The host's header identifies the call, because the Transport also opens connections
// for its own requests, as for a token, and GetConn names the proxy of a proxied
// request. Over HTTP/2 that header has another name and is reported just before the
// frame is written.
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
		// net/http reports only the first byte, so the answer after a 103 is not seen: a
		// Transport can't repeat such a call after a 401.
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

// failed records that the attempt ended without a complete answer.
func (p *progress) failed() { p.set(func() { p.broken = true }) }

// wasSent reports whether bytes of the call may have been written.
func (p *progress) wasSent() (sent bool) {
	p.set(func() { sent = p.sent })
	return sent
}

// didNothing reports whether the attempt certainly did nothing: after a 429, and if
// nothing was written.
func (p *progress) didNothing(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status == http.StatusTooManyRequests
	}
	return !p.wasSent()
}

// repeatable reports whether another attempt does no harm and may succeed. GET, PUT and
// DELETE are idempotent (RFC 9110, section 9.2.2). POST and PATCH are repeated if the
// attempt certainly did nothing.
//
// https://procore.github.io/documentation/error-reference
func (p *progress) repeatable(method string, err error) bool {
	harmless := p.didNothing(err) || method == http.MethodGet || method == http.MethodPut || method == http.MethodDelete
	if e, ok := errors.AsType[*Error](err); ok {
		return harmless && (e.Status == http.StatusTooManyRequests || transient(e.Status) || e.byGateway())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || !p.broken || !p.asked || errors.Is(err, errTooLarge) {
		return false
	}
	return harmless
}

// transient reports whether another attempt may succeed: after the statuses for which
// Procore's documentation asks to repeat, and those by which a gateway or Cloudflare
// (520 to 530) says that Procore did not answer.
//
// https://procore.github.io/documentation/error-reference
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return 520 <= status && status <= 530
}
