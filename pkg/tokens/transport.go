package tokens

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/oauth2"

	"procore-connect/pkg/procore"
)

// Transport authenticates requests as one connection: hand it to an
// http.Client. After a 401 it takes a newer token, or refreshes, once, and sends
// the request again if its body allows. It refuses any host but the environment's
// API, as a redirect to a file's storage: the token is for that alone.
type Transport struct {
	Store       *Store
	Environment procore.Environment
	Key         Key
	Base        http.RoundTripper // nil: connections that the store's Dial opens
}

// Transport makes the RoundTripper of a connection.
func (s *Store) Transport(env procore.Environment, key Key) *Transport {
	return &Transport{Store: s, Environment: env, Key: key}
}

// Client is the API client of a connection's company. All clients of a store share
// what they know of Procore's rate limits.
func (s *Store) Client(env procore.Environment, key Key, opts ...procore.Option) *procore.CompanyClient {
	return procore.NewCompanyClient(env, &http.Client{Transport: s.Transport(env, key)}, key.CompanyID, s.Options(key, opts...)...)
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

// Bearer returns an http.Client that sends this one access token and refreshes
// nothing, as [procore.Bearer] does. It is for a pair that belongs to no connection.
func (s *Store) Bearer(accessToken string) *http.Client {
	return &http.Client{Transport: &oauth2.Transport{
		Base:   s.transport(),
		Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: accessToken}),
	}}
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
	access, err := t.Store.Token(req.Context(), t.Key)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := t.send(req, access)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	t.Store.Invalidate(t.Key, access.Generation)
	again, ok := rewound(req)
	if !ok {
		return resp, nil
	}
	newer, err := t.Store.Token(req.Context(), t.Key)
	if err != nil || newer.Generation == access.Generation {
		closeBody(again)
		return resp, nil // the 401 is the answer
	}
	discard(resp)
	return t.send(again, newer)
}

func (t *Transport) send(req *http.Request, a Access) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = t.Store.transport()
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+a.Bearer())
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

// Report records what a call's error says about the connection: that the
// company disconnected the app. It gives the error back.
func (s *Store) Report(ctx context.Context, key Key, generation int64, err error) error {
	if errors.Is(err, procore.ErrNotConnected) {
		return errors.Join(err, s.Disconnect(ctx, key, generation))
	}
	return err
}
