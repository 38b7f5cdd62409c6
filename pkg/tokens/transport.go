package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"procore-connect/pkg/procore"
)

// Transport authenticates requests as one principal: hand it to an http.Client. It
// refuses any host but the environment's API, as a redirect to a file's storage: the
// token is for that alone.
//
// After a 401 it takes a newer token, or asks with /me whether the token is good. If it
// is not, the grant is refreshed, once, and the request is sent again if its body allows.
// If it is, no refresh would help. The caller gets the answer all the same.
type Transport struct {
	Store      *Store
	Principal  Principal
	Background bool // the calls do not count as use of the grant

	// Admit is called with the access before each request, and may refuse it. nil: all
	// are admitted.
	Admit func(Access) error
	// Refused is called when Procore answered 401 although the token is good, or was
	// refreshed a moment ago. nil: it is not recorded.
	Refused func(context.Context)

	Base http.RoundTripper // nil: that of all transports of the store
}

// Transport returns the RoundTripper of a principal.
func (s *Store) Transport(p Principal) *Transport { return &Transport{Store: s, Principal: p} }

// Options are those by which a client shares the store's time and randomness, logs the
// odd parts of answers, and shares what the store's other clients know of the rate limits.
// owner is whose calls Procore counts together; a client of "" shares no limits.
func (s *Store) Options(owner string, more ...procore.Option) []procore.Option {
	logOdd := func(ctx context.Context, path string, names []string) {
		s.log().InfoContext(ctx, "odd answer", slog.String("path", path), slog.Any("fields", names))
	}
	all := []procore.Option{procore.WithClock(s.Clock), procore.WithRandom(s.Random), procore.WithOdd(logOdd)}
	if owner != "" {
		all = append(all, procore.WithLimits(&s.limits, owner))
	}
	return append(all, more...)
}

// Bearer returns the http.Client of [procore.Environment.Bearer] with the store's
// connections. It is for a pair that belongs to no grant, or that is not to be refreshed.
func (s *Store) Bearer(accessToken procore.Secret) *http.Client {
	return s.Environment.Bearer(accessToken, s.transport())
}

// transport returns the one transport below that of every principal.
func (s *Store) transport() http.RoundTripper {
	s.dialled.once.Do(func() { s.dialled.transport = s.Dial.Transport() })
	return s.dialled.transport
}

// dialled is made at the first call.
type dialled struct {
	once      sync.Once
	transport http.RoundTripper
}

// RoundTrip implements http.RoundTripper. Beside the refusal of another host its own
// errors are those of Token.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	access, err := t.access(req)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.send(req, access)
	if err != nil || !unauthorized(resp) {
		return resp, err
	}
	newer, err := t.newer(req.Context(), access)
	if errors.Is(err, ErrRejected) { // another caller has just refreshed it, in vain
		t.refused(req.Context())
	}
	if err != nil || newer.Generation == access.Generation {
		return resp, nil // the 401 is the answer
	}
	again, ok := rewound(req)
	if !ok {
		return resp, nil
	}
	discard(resp)
	resp, err = t.send(again, newer)
	if err == nil && unauthorized(resp) {
		t.refused(req.Context())
	}
	return resp, err
}

// access returns the access for a request, if both are admitted.
func (t *Transport) access(req *http.Request) (Access, error) {
	if !t.Store.Environment.HasAPI(req.URL) {
		return Access{}, errors.New("tokens: a grant's token is for the API of its environment only")
	}
	return t.Access(req.Context())
}

// Access returns the access with which the next request would be sent, if it is admitted.
func (t *Transport) Access(ctx context.Context) (Access, error) {
	access, err := t.admitted(ctx)
	if err != nil && access.Generation > 0 {
		// Another process may have added the holder. The token remains, for an outage of storage.
		t.Store.memory.change(t.Principal, func(k known) known { k.readAt = time.Time{}; return k })
		access, err = t.admitted(ctx)
	}
	return access, err
}

// admitted returns an access, with an error if it is not admitted.
func (t *Transport) admitted(ctx context.Context) (Access, error) {
	access, err := t.Store.token(ctx, t.Principal, demand{use: !t.Background})
	if err == nil && t.Admit != nil {
		err = t.Admit(access)
	}
	return access, err
}

// newer returns another token in place of one that met a 401: one that is stored
// already, or else a refreshed one, unless the token is good.
func (t *Transport) newer(ctx context.Context, rejected Access) (Access, error) {
	g, err := t.Store.Grant(ctx, t.Principal)
	if err != nil {
		return rejected, err
	}
	if g.Generation == rejected.Generation {
		good, err := t.Store.accepts(ctx, t.Principal, rejected.token)
		if err != nil {
			return rejected, err
		}
		if good {
			t.refused(ctx)
			return rejected, nil
		}
	}
	t.Store.reject(t.Principal, rejected.Generation)
	return t.admitted(ctx)
}

// reject remembers that Procore answered 401 to this generation's token. The next call
// takes a newer one or refreshes, once: after a 401 right after a refresh it has
// ErrRejected.
func (s *Store) reject(p Principal, generation int64) {
	s.memory.change(p, func(k known) known {
		if k.access.Generation > generation {
			return k // a newer token stays
		}
		return known{rejected: max(generation, k.rejected)}
	})
}

func (t *Transport) refused(ctx context.Context) {
	if t.Refused != nil {
		t.Refused(ctx)
	}
}

// accepts reports whether Procore accepts the principal's access token where no company is
// concerned. It spends nothing.
func (s *Store) accepts(ctx context.Context, p Principal, accessToken procore.Secret) (bool, error) {
	path := "/rest/v1.0/me"
	if p == App {
		path = "/rest/v1.0/companies"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Environment.APIURL+path, http.NoBody)
	if err != nil {
		return false, err
	}
	hc := s.Bearer(accessToken)
	hc.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // what another path answers may concern a company
	}
	resp, err := hc.Do(req)
	if err != nil {
		return false, later(p, "whether Procore accepts its token is not known", err)
	}
	defer discard(resp)
	switch {
	case errors.Is(procore.CheckResponse(resp), procore.ErrMissingCompanyHeader): // whatever its status is
		return true, nil
	case unauthorized(resp):
		return false, nil
	case procore.FromGateway(resp): // whatever its status is
	case resp.StatusCode/100 == 2, p == App && resp.StatusCode == http.StatusBadRequest:
		return true, nil
	}
	return false, later(p, fmt.Sprintf("whether Procore accepts its token is not known: status %d", resp.StatusCode), nil)
}

// unauthorized reports whether Procore refused the token. A 401 that is not JSON is a
// gateway's, and says nothing about it.
func unauthorized(resp *http.Response) bool {
	return resp.StatusCode == http.StatusUnauthorized && !procore.FromGateway(resp)
}

func (t *Transport) send(req *http.Request, a Access) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = t.Store.transport()
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+a.Bearer().Reveal())
	return base.RoundTrip(req)
}

// rewound is the request with its body from the beginning.
func rewound(req *http.Request) (*http.Request, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again := req.Clone(req.Context())
	again.Body = body
	return again, true
}

// discard lets the connection be used again.
func discard(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}
