package procore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	userAgent      = "procore-connect"
	defaultTimeout = 30 * time.Second
	maxBody        = 8 << 20 // of an answer, after gzip
	maxErrorBody   = 64 << 10
	maxRedirects   = 3
)

// A UserClient makes the calls that an app may make for a user who has not chosen a
// company yet: [UserClient.Me], and [UserClient.Companies] or a part of that list. Any
// other call would install the app in the company it touches. So it has no other call,
// and a [CompanyClient] is another type.
//
// https://procore.github.io/documentation/api-call-sequencing
type UserClient struct{ api api }

// NewUserClient returns a client for a user without a company. Its arguments are
// those of [NewCompanyClient]. It does not follow a redirect to another path.
func NewUserClient(env Environment, hc *http.Client, opts ...Option) *UserClient {
	c := &UserClient{newAPI(env, hc, opts)}
	c.api.http.CheckRedirect = samePathOnly
	return c
}

// A CompanyClient works inside one company and names it in the
// Procore-Company-Id header of every call. A service account, whose token needs
// that header on /me and /companies too, uses a CompanyClient for everything.
// Goroutines may share it. The zero CompanyClient has no company, so all its calls
// fail.
//
// https://procore.github.io/documentation/tutorial-mpz
type CompanyClient struct {
	api       api
	companyID int64
}

// NewCompanyClient returns a client for the company with this id.
//
// The Transport of hc adds the token, as tokens.Transport does. It may repeat a
// request with a newer token after a 401, which did nothing, and after nothing else. A
// nil hc sends no token. Without a Timeout in hc each attempt has 30 seconds.
//
// NewCompanyClient does not change hc and does not use its CheckRedirect. A redirect
// is followed only for GET and within the API host, because the Transport would send
// the token to any other host.
func NewCompanyClient(env Environment, hc *http.Client, companyID int64, opts ...Option) *CompanyClient {
	c := &CompanyClient{api: newAPI(env, hc, opts), companyID: companyID}
	c.api.company = &c.companyID
	return c
}

// CompanyID returns the company that every call names.
func (c *CompanyClient) CompanyID() int64 { return c.companyID }

// An Option changes a client's default.
type Option func(*api)

// WithUserAgent sets the User-Agent; the default is "procore-connect". Name your own
// app: Procore's support finds calls by this name.
func WithUserAgent(s string) Option { return func(a *api) { a.userAgent = s } }

// WithAttempts sets how often a call is sent at most; the default is 3, and 1 means no
// repetition. The package documentation lists which calls are repeated.
func WithAttempts(n int) Option { return func(a *api) { a.attempts = max(n, 1) } }

// An api builds requests, limits answers and turns them into values or errors. Both
// kinds of client have one.
type api struct {
	base      string
	http      *http.Client
	userAgent string
	timeout   time.Duration // of an attempt
	attempts  int
	maxWait   time.Duration
	clock     Clock
	random    Random
	pacer     *pacer
	ahead     int    // items of a list whose pages are read at once
	company   *int64 // nil for a user without a company
	odd       func(ctx context.Context, path string, names []string)
	own       *OwnWrites
	answered  func(Answer)
}

func newAPI(env Environment, hc *http.Client, opts []Option) api {
	a := api{base: env.APIURL, http: &http.Client{}, userAgent: userAgent, attempts: defaultAttempts,
		maxWait: defaultMaxWait, pacer: new(pacer)}
	if hc != nil {
		*a.http = *hc
	}
	// A context ends the attempt, because http.Client has a goroutine and a second timer for
	// a Transport that is not its own.
	a.timeout, a.http.Timeout = cmp.Or(a.http.Timeout, defaultTimeout), 0
	a.http.CheckRedirect = sameHostOnly
	for _, o := range opts {
		o(&a)
	}
	return a
}

// sameHostOnly makes net/http return a redirect to another host as the answer, which
// then becomes an [*Error] with its 3xx status.
func sameHostOnly(r *http.Request, via []*http.Request) error {
	first := via[0]
	if r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host || first.Method != http.MethodGet || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// samePathOnly also refuses another path, which would be a call that a user's client
// must not make.
func samePathOnly(r *http.Request, via []*http.Request) error {
	if r.URL.EscapedPath() != via[0].URL.EscapedPath() {
		return http.ErrUseLastResponse
	}
	return sameHostOnly(r, via)
}

// WithOdd calls note once for each answer with odd parts, so that they can be counted.
// They are dropped, as [Unmarshal] does; names are those that it returns.
func WithOdd(note func(ctx context.Context, path string, names []string)) Option {
	return func(a *api) { a.odd = note }
}

func (a *api) noteOdd(ctx context.Context, c call, names []string) {
	if a.odd != nil && len(names) > 0 {
		a.odd(ctx, c.path, names)
	}
}

// do sends c, repeats it where that is safe, and decodes the answer into v unless v is
// nil. It returns the answer's header for paging.
func (a *api) do(ctx context.Context, c call, v any) (http.Header, error) {
	done := false // an earlier attempt may have done it
	for attempt := 1; ; attempt++ {
		var p progress
		h, err := a.once(ctx, c, v, &p)
		switch {
		case err == nil:
			return h, nil
		case done && c.method == http.MethodDelete && errors.Is(err, ErrNotFound):
			return nil, nil
		case attempt >= a.attempts || !p.repeatable(c.method, err) || !a.waitToRetry(ctx, attempt, err):
			return nil, err
		}
		done = done || !p.didNothing(err)
	}
}

func (a *api) once(ctx context.Context, c call, v any, p *progress) (http.Header, error) {
	wrapped := func(err error) error { return fmt.Errorf("procore: %s %s: %w", c.method, c.path, err) }
	ctx, cancel := p.trace(ctx, a.base)
	defer cancel(nil)
	r, err := a.request(ctx, c)
	if err != nil {
		return nil, wrapped(err)
	}
	if err := a.pacer.enter(ctx, a.maxWait, a.clock); err != nil {
		if rl, ok := errors.AsType[*RateLimitError](err); ok {
			rl.Answer.setCall(c, a.company)
			return nil, rl
		}
		return nil, wrapped(err)
	}
	ctx, end := context.WithTimeout(ctx, a.timeout)
	defer end()
	resp, err := a.http.Do(r.WithContext(ctx))
	a.pacer.leave(resp, p.wasSent(), a.clock.Now())
	if err != nil {
		p.failed()
		// *url.Error would print the query, which may contain what a user searched for.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		if errors.Is(context.Cause(ctx), errReset) {
			err = errReset
		}
		return nil, wrapped(err)
	}
	defer resp.Body.Close()
	a.noteAnswer(resp)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, newError(resp, c, a.company, a.clock.Now())
	}
	if c.status {
		_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody) // so that the connection can be used again
		return resp.Header, nil
	}
	b, err := readBody(resp)
	if err != nil {
		p.failed()
		return nil, wrapped(err)
	}
	if fromGateway(b) || len(plainText(b)) == 0 && c.method == http.MethodGet {
		return nil, gatewayError(resp, c, a.company)
	}
	odd, err := decode(b, resp.StatusCode, c, v)
	if err != nil {
		return nil, wrapped(err)
	}
	a.noteOdd(ctx, c, odd)
	if a.own != nil && a.company != nil && c.method != http.MethodGet {
		a.own.remember(*a.company, b)
	}
	return resp.Header, nil
}
