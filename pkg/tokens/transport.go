package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"procore-connect/pkg/procore"
)

// Transport authenticates requests as one connection: hand it to an
// http.Client. It refuses any host but the environment's API, as a redirect to a
// file's storage: the token is for that alone. Two answers concern the connection
// and not only the caller, who gets them all the same:
//
//   - After a 401 it takes a newer token, or asks with /me whether the token is
//     good. If it is not, the connection is refreshed, once, and the request is sent
//     again if its body allows. Otherwise the company is the reason: no refresh
//     would help, and the connection is paused, [Store.Pause].
//   - After a 403 "App is not connected to this company" the connection is
//     disconnected, [Store.Disconnect].
type Transport struct {
	Store       *Store
	Environment procore.Environment
	Key         Key
	Background  bool              // the calls do not count as use of the connection
	Base        http.RoundTripper // nil: http.DefaultTransport
}

// Transport makes the RoundTripper of a connection.
func (s *Store) Transport(env procore.Environment, key Key) *Transport {
	return &Transport{Store: s, Environment: env, Key: key}
}

// Client is the API client of a connection's company. All clients of a store share
// what they know of Procore's rate limits.
func (s *Store) Client(env procore.Environment, key Key, opts ...procore.Option) *procore.CompanyClient {
	return s.client(s.Transport(env, key), opts)
}

// BackgroundClient is Client for work that no user of the app asked for: it does
// not count as a use of the connection.
func (s *Store) BackgroundClient(env procore.Environment, key Key, opts ...procore.Option) *procore.CompanyClient {
	return s.client(&Transport{Store: s, Environment: env, Key: key, Background: true}, opts)
}

func (s *Store) client(t *Transport, opts []procore.Option) *procore.CompanyClient {
	return procore.NewCompanyClient(t.Environment, &http.Client{Transport: t}, t.Key.CompanyID, s.Options(t.Key, opts...)...)
}

// Options are those by which a client that has a Transport of its own shares what
// the store's clients know of the rate limits, and more.
func (s *Store) Options(key Key, more ...procore.Option) []procore.Option {
	return slices.Concat(s.Seams(), []procore.Option{procore.WithLimits(&s.limits, owner(key))}, more)
}

// Seams are the options of a client that shares the store's time and randomness.
func (s *Store) Seams() []procore.Option {
	return []procore.Option{procore.WithClock(s.Clock), procore.WithRandom(s.Random)}
}

// Bearer returns the http.Client of [procore.Environment.Bearer] with the store's
// connections. It is for a pair that belongs to no connection.
func (s *Store) Bearer(env procore.Environment, accessToken procore.Secret) *http.Client {
	return env.Bearer(accessToken, s.transport())
}

// transport returns the one transport below that of every connection.
func (s *Store) transport() http.RoundTripper {
	s.dialled.once.Do(func() { s.dialled.transport = s.Dial.Transport() })
	return s.dialled.transport
}

// dialled is made at the first call.
type dialled struct {
	once      sync.Once
	transport http.RoundTripper
}

// owner is whose calls Procore counts together: a user's in all companies, and
// each company's of the service account.
func owner(k Key) string {
	if k.Principal == App {
		return "company#" + strconv.FormatInt(k.CompanyID, 10)
	}
	return string(k.Principal)
}

// RoundTrip implements http.RoundTripper. Beside the refusal of another host its
// own errors are those of Token.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.Environment.HasAPI(req.URL) {
		closeBody(req)
		return nil, errors.New("tokens: a connection's token is for the API of its environment only")
	}
	access, err := t.token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := t.send(req, access)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return t.observed(req.Context(), resp, access), err
	}
	newer, err := t.newer(req.Context(), access)
	if err != nil || newer.Generation == access.Generation {
		return resp, nil // the 401 is the answer
	}
	again, ok := rewound(req)
	if !ok {
		return resp, nil
	}
	discard(resp)
	resp, err = t.send(again, newer)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		t.pause(req.Context(), newer)
	}
	return t.observed(req.Context(), resp, newer), err
}

func (t *Transport) token(ctx context.Context) (Access, error) {
	if t.Background {
		return t.Store.BackgroundToken(ctx, t.Key)
	}
	return t.Store.Token(ctx, t.Key)
}

// newer returns another token in place of one that met a 401: one that is stored
// already, or else a refreshed one, unless the token is good.
func (t *Transport) newer(ctx context.Context, rejected Access) (Access, error) {
	c, err := t.Store.Connection(ctx, t.Key)
	if err != nil {
		return rejected, err
	}
	if c.Generation == rejected.Generation {
		good, err := t.good(ctx, rejected)
		if err != nil {
			return rejected, err
		}
		if good {
			t.pause(ctx, rejected)
			return rejected, nil
		}
	}
	t.Store.Invalidate(t.Key, rejected.Generation)
	return t.token(ctx)
}

// good reports whether Procore takes the token where no company is concerned. It
// spends nothing.
func (t *Transport) good(ctx context.Context, a Access) (bool, error) {
	path := "/rest/v1.0/me"
	if t.Key.Principal == App {
		path = "/rest/v1.0/companies"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Environment.APIURL+path, http.NoBody)
	if err != nil {
		return false, err
	}
	resp, err := t.send(req, a)
	if err != nil {
		return false, err
	}
	defer discard(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusUnauthorized:
		return false, nil
	}
	return false, fmt.Errorf("tokens: %s: whether the token is good is not known: status %d", t.Key, resp.StatusCode)
}

func (t *Transport) pause(ctx context.Context, a Access) {
	if err := t.Store.Pause(ctx, t.Key, a.Generation); err != nil {
		t.Store.log().WarnContext(ctx, "pause not stored", slog.Any("", t.Key), slog.Any("error", err))
	}
}

// observed records what the answer says about the connection.
func (t *Transport) observed(ctx context.Context, resp *http.Response, a Access) *http.Response {
	if resp == nil || resp.StatusCode != http.StatusForbidden || !errors.Is(procore.CheckResponse(resp), procore.ErrNotConnected) {
		return resp
	}
	if err := t.Store.Disconnect(ctx, t.Key, a.Generation); err != nil {
		t.Store.log().WarnContext(ctx, "disconnection not stored", slog.Any("", t.Key), slog.Any("error", err))
	}
	return resp
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

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// discard lets the connection be used again.
func discard(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}
