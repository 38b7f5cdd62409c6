package procore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// renewBefore is how long before its expiry a service account's token is replaced.
	renewBefore = time.Minute
	// justIssuedFor is the age up to which a 401 does not mean that the token is bad. It
	// was issued a moment ago, so the app is not installed in the company.
	justIssuedFor = time.Minute
)

// A ServiceAccount is the app's own account, for work without a user: a developer
// managed service account (DMSA), with OAuth's client credentials. It works in every
// company whose administrator installed the app with it.
//
// It keeps its token in memory and requests another a minute before the expiry, or once
// after a 401. That spends nothing single-use, so processes need not share the token.
// Goroutines may share the account.
//
// https://developers.procore.com/documentation/oauth-client-credentials
type ServiceAccount struct {
	app  *OAuth
	base http.RoundTripper
	opts []Option

	limits Limits

	mu       sync.Mutex
	token    Token
	issuedAt time.Time
	pending  *tokenRequest // nil if no request is running
}

// A tokenRequest is one goroutine's request for a token, for which others wait.
type tokenRequest struct {
	done        chan struct{}
	token       Token
	err         error
	callerEnded bool // err only means that its caller's context ended
}

// NewServiceAccount returns the service account of the app. Calls go through base; nil
// means connections that the app's Dial opens. The options apply to all its companies.
func NewServiceAccount(app *OAuth, base http.RoundTripper, opts ...Option) *ServiceAccount {
	if base == nil {
		base = app.Dial.Transport()
	}
	return &ServiceAccount{app: app, base: base, opts: opts}
}

// Format names the account. Without it package fmt would read fields that other
// goroutines change.
func (s *ServiceAccount) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "service account of app %s in %s", s.app.ClientID, s.app.Environment.Name)
}

// Company returns the client for a company. Each of its calls names the company in the
// header, /me and /companies too, because Procore requires that of a service account.
// For a company without the app the error is [ErrNotConnected], [ErrForbidden] or, after
// a new token was tried, [ErrUnauthorized].
func (s *ServiceAccount) Company(companyID int64) *CompanyClient {
	// Procore counts the calls of each company's service account separately.
	opts := append([]Option{WithClock(s.app.Clock), WithRandom(s.app.Random), WithLimits(&s.limits, "company#"+decimal(companyID))}, s.opts...)
	return NewCompanyClient(s.app.Environment, &http.Client{Transport: s}, companyID, opts...)
}

// RoundTrip implements http.RoundTripper. Without a token the error is the
// [*TokenError]. It refuses any host except the environment's API, because the token is
// valid only there.
func (s *ServiceAccount) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s.app.Environment.HasAPI(r.URL) {
		closeBody(r)
		return nil, errForeign
	}
	t, err := s.validToken(r.Context(), Token{})
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := s.send(r, t)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || s.justIssued(t) {
		return resp, err
	}
	again, err := rewound(r)
	if err != nil {
		return resp, nil //nolint:nilerr // the 401 is the answer
	}
	newer, err := s.validToken(r.Context(), t)
	if err != nil {
		closeBody(again)
		return resp, nil //nolint:nilerr // the 401 is the answer
	}
	resp.Body.Close()
	return s.send(again, newer)
}

func (s *ServiceAccount) send(r *http.Request, t Token) (*http.Response, error) {
	return s.base.RoundTrip(authorized(r, t.AccessToken))
}

// validToken returns a token that is still valid and is not the refused one. One
// goroutine requests it, and all that wait share the result, a failure too.
func (s *ServiceAccount) validToken(ctx context.Context, refused Token) (Token, error) {
	for {
		s.mu.Lock()
		if s.usable(refused) {
			defer s.mu.Unlock()
			return s.token, nil
		}
		a := s.pending
		if a == nil {
			a = &tokenRequest{done: make(chan struct{})}
			s.pending = a
			s.mu.Unlock()
			s.fetch(ctx, a)
			return a.token, a.err
		}
		s.mu.Unlock()
		select {
		case <-a.done:
		case <-ctx.Done():
			return Token{}, context.Cause(ctx)
		}
		if !a.callerEnded {
			return a.token, a.err
		} // otherwise only that caller's context ended
	}
}

func (s *ServiceAccount) fetch(ctx context.Context, a *tokenRequest) {
	defer close(a.done)
	a.token, a.err = s.app.ClientCredentials(ctx)
	a.callerEnded = a.err != nil && ended(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = nil
	if a.err == nil {
		s.token, s.issuedAt = a.token, s.app.Clock.Now()
	}
}

// ended reports whether ctx has ended or is at its deadline. A connection has the same
// deadline and may see it first.
func ended(ctx context.Context) bool {
	left, ok := TimeLeft(ctx)
	return ctx.Err() != nil || ok && left <= 0
}

// usable reports whether the current token can be used. The caller has locked mu.
func (s *ServiceAccount) usable(refused Token) bool {
	t := s.token
	return !t.AccessToken.IsZero() && !t.AccessToken.Equal(refused.AccessToken) && s.app.Clock.Now().Add(renewBefore).Before(t.Expiry)
}

// justIssued reports whether the token is the current one and was just issued.
func (s *ServiceAccount) justIssued(t Token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.AccessToken.Equal(s.token.AccessToken) && s.app.Clock.Now().Sub(s.issuedAt) < justIssuedFor
}

// rewound returns the request with its body from the beginning.
func rewound(r *http.Request) (*http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	if r.GetBody == nil {
		return nil, errors.New("the body cannot be sent again")
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = body
	return r, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}
