package connections

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Client returns the API client of a connection's company. All clients of a store share
// what they know of Procore's rate limits. Two answers concern the connection and not
// only the caller, who gets them all the same: after a 401 to a token that is good it is
// paused, see [Store.Pause], and after a 403 "App is not connected to this company" it is
// disconnected, see [Store.Disconnect].
func (s *Store) Client(k Key, opts ...procore.Option) *procore.CompanyClient {
	return s.client(k, false, opts)
}

// BackgroundClient is Client for work that no user of the app asked for: it does not
// count as a use of the grant, which is then refreshed rarely.
func (s *Store) BackgroundClient(k Key, opts ...procore.Option) *procore.CompanyClient {
	return s.client(k, true, opts)
}

// BackgroundTransport is what a BackgroundClient sends its requests by, for a caller that
// needs an answer as it came. It adds the token; the caller adds the header
// Procore-Company-Id, and waits for rate limits.
func (s *Store) BackgroundTransport(k Key) http.RoundTripper {
	return &transport{store: s, key: k, background: true}
}

// Access returns the access token with which a call of Client would be sent now, for a
// program that makes its calls itself. Only the store's own clients record what an answer
// means for the connection.
func (s *Store) Access(ctx context.Context, k Key) (tokens.Access, error) {
	t := &transport{store: s, key: k}
	c, err := s.usable(ctx, k)
	if err != nil {
		return tokens.Access{}, err
	}
	access, err := t.of(c).Access(ctx)
	if err != nil {
		return tokens.Access{}, t.own(err)
	}
	return access, nil
}

func (s *Store) client(k Key, background bool, opts []procore.Option) *procore.CompanyClient {
	hc := &http.Client{Transport: &transport{store: s, key: k, background: background}}
	return procore.NewCompanyClient(s.Tokens.Environment, hc, k.CompanyID, s.Options(k, opts...)...)
}

// Options are those by which a client of another transport shares what the store's
// clients know of the rate limits.
func (s *Store) Options(k Key, more ...procore.Option) []procore.Option {
	return s.Tokens.Options(k.Owner(), more...)
}

// transport authenticates the requests of one connection.
type transport struct {
	store      *Store
	key        Key
	background bool
}

// RoundTrip implements http.RoundTripper. Its own errors are those of the connection and
// of its grant.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c, err := t.store.usable(req.Context(), t.key)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.of(c).RoundTrip(req)
	if err != nil {
		return nil, t.own(err)
	}
	if resp.StatusCode == http.StatusForbidden && errors.Is(procore.CheckResponse(resp), procore.ErrNotConnected) {
		t.recorded(req.Context(), "disconnected", t.store.Disconnect(req.Context(), c))
	}
	return resp, nil
}

// own returns the error of a grant as that of the connection, and any other as it is.
func (t *transport) own(err error) error {
	if _, ok := errors.AsType[*tokens.Error](err); ok {
		return unserved(t.key, err)
	}
	return err
}

// of returns the transport of the connection's grant.
func (t *transport) of(c Connection) *tokens.Transport {
	of := t.store.Tokens.Transport(t.key.Principal)
	of.Background = t.background
	of.Admit = func(a tokens.Access) error {
		if t.key.Principal == tokens.App || a.HeldBy(t.key.holder()) {
			return nil
		}
		return &Error{Key: t.key, Decision: tokens.ErrReauthorize, Reason: notHeld}
	}
	of.Refused = func(ctx context.Context) { t.recorded(ctx, "paused", t.store.Pause(ctx, c)) }
	return of
}

// recorded logs an answer that concerns the connection and could not be stored. The next
// call has the same answer.
func (t *transport) recorded(ctx context.Context, to string, err error) {
	if err != nil {
		t.store.log().WarnContext(ctx, "answer not recorded", slog.Any("", t.key), slog.String("to", to), slog.Any("error", err))
	}
}

// usable returns a connection whose state allows calls, from memory if it was read a
// moment ago.
func (s *Store) usable(ctx context.Context, k Key) (Connection, error) {
	now := s.now()
	c, ok, before := s.memory.get(k, now)
	if ok {
		return c, nil
	}
	c, err := s.get(ctx, k)
	if err == nil {
		err = c.unusable(now)
	}
	if err == nil {
		s.memory.put(c, now, before)
	}
	return c, err
}
