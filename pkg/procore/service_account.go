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
	// renewBefore is how long before its end a service account's token is replaced.
	renewBefore = time.Minute
	// youngToken is the age up to which a 401 does not speak against the token: it
	// was good a moment ago, so the app is not installed in the company.
	youngToken = time.Minute
)

// A ServiceAccount is the app's own account, for work that no user is behind: a
// developer managed service account (DMSA), by OAuth's client credentials. It
// works in every company whose administrator installed the app with it.
//
// It keeps its token in memory and gets another a minute before the end, or once
// after a 401. Nothing single-use is spent, so processes need not share it.
// Goroutines may share it.
//
// https://developers.procore.com/documentation/oauth-client-credentials
type ServiceAccount struct {
	app  *OAuth
	base http.RoundTripper
	opts []Option

	limits Limits

	mu     sync.Mutex
	token  Token
	got    time.Time
	asking *asking // nil: nobody is
}

// An asking is one goroutine's request for a token, for which others wait.
type asking struct {
	done  chan struct{}
	token Token
	err   error
	left  bool // err is because its caller's context ended
}

// NewServiceAccount returns the service account of the app. Calls go through
// base; nil means connections that the app's Dial opens. Options hold for all its
// companies.
func NewServiceAccount(app *OAuth, base http.RoundTripper, opts ...Option) *ServiceAccount {
	if base == nil {
		base = app.Dial.Transport()
	}
	return &ServiceAccount{app: app, base: base, opts: opts}
}

// Format hides the token from every verb, and so from slog.
func (s *ServiceAccount) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "service account of %v", s.app)
}

// Company returns the client for a company. Each of its calls names the company
// in the header, /me and /companies too, which Procore wants of a service account.
// A company without the app answers [ErrNotConnected], [ErrForbidden] or, after a
// new token was tried, [ErrUnauthorized].
func (s *ServiceAccount) Company(companyID int64) *CompanyClient {
	// Procore counts each company's service account by itself.
	opts := append([]Option{WithClock(s.app.Clock), WithRandom(s.app.Random), WithLimits(&s.limits, "company#"+decimal(companyID))}, s.opts...)
	return NewCompanyClient(s.app.Environment, &http.Client{Transport: s}, companyID, opts...)
}

// RoundTrip implements http.RoundTripper. Without a token its error is the
// [*TokenError]. It refuses any host but the environment's API: the token is for
// that alone.
func (s *ServiceAccount) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s.app.Environment.HasAPI(r.URL) {
		closeBody(r)
		return nil, errors.New("a service account's token is for the API of its environment only")
	}
	t, err := s.valid(r.Context(), Token{})
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := s.send(r, t)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || s.young(t) {
		return resp, err
	}
	again, err := repeated(r)
	if err != nil {
		return resp, nil //nolint:nilerr // the 401 is the answer
	}
	newer, err := s.valid(r.Context(), t)
	if err != nil {
		closeBody(again)
		return resp, nil //nolint:nilerr // the 401 is the answer
	}
	resp.Body.Close()
	return s.send(again, newer)
}

func (s *ServiceAccount) send(r *http.Request, t Token) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.AccessToken)
	return s.base.RoundTrip(r)
}

// valid is a token that has time left and is not the refused one. One goroutine
// asks for it, and the others get what it gets, a failure too.
func (s *ServiceAccount) valid(ctx context.Context, refused Token) (Token, error) {
	for {
		s.mu.Lock()
		if s.good(refused) {
			defer s.mu.Unlock()
			return s.token, nil
		}
		a := s.asking
		if a == nil {
			a = &asking{done: make(chan struct{})}
			s.asking = a
			s.mu.Unlock()
			s.ask(ctx, a)
			return a.token, a.err
		}
		s.mu.Unlock()
		select {
		case <-a.done:
		case <-ctx.Done():
			return Token{}, context.Cause(ctx)
		}
		if !a.left {
			return a.token, a.err
		} // else it was that caller's end, not ours
	}
}

func (s *ServiceAccount) ask(ctx context.Context, a *asking) {
	defer close(a.done)
	a.token, a.err = s.app.ClientCredentials(ctx)
	a.left = a.err != nil && over(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = nil
	if a.err == nil {
		s.token, s.got = a.token, s.app.Clock.Now()
	}
}

// over says that ctx has ended, or is about to: a connection ends by its deadline
// too, and may be first.
func over(ctx context.Context) bool {
	left, ok := TimeLeft(ctx)
	return ctx.Err() != nil || ok && left <= 0
}

// good says that the token at hand will do. The caller holds mu.
func (s *ServiceAccount) good(refused Token) bool {
	t := s.token
	return t.AccessToken != "" && t.AccessToken != refused.AccessToken && s.app.Clock.Now().Add(renewBefore).Before(t.Expiry)
}

// young says that the token is the current one and was just issued.
func (s *ServiceAccount) young(t Token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.AccessToken == s.token.AccessToken && s.app.Clock.Now().Sub(s.got) < youngToken
}

// repeated is the request with its body from the beginning.
func repeated(r *http.Request) (*http.Request, error) {
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
