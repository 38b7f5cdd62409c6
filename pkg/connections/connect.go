package connections

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// New is a connection to make.
type New struct {
	Key
	CompanyName string
	UserName    string
	Webhooks    Webhooks
}

// Connect connects a company by a user's grant, in one transaction with the grant and
// with also. Connecting again changes the names and ends a pause. [tokens.ErrUsed] means
// that an item of also refused it, and [tokens.ErrReauthorize] or [tokens.ErrRevoked] that
// the grant does not work: the user authorizes again.
func (s *Store) Connect(ctx context.Context, n New, also ...types.TransactWriteItem) (Connection, error) {
	return s.together(ctx, n.Key, s.Tokens.Hold, func(c Connection) (Connection, bool) { return c.connected(n, s.now()), true }, also)
}

// connected is the row after the company was connected.
func (c Connection) connected(n New, now time.Time) Connection {
	c.CompanyName, c.UserName = n.CompanyName, n.UserName
	c.ConnectedAt, c.SeenAt = now, now
	c.PausedUntil, c.pause = time.Time{}, 0
	c.Webhooks, c.CheckAt = n.Webhooks, time.Time{}
	if n.Webhooks == WebhooksPending {
		c.CheckAt = toSecond(now)
	}
	return c.enter(Connected, connected, now)
}

// AddServiceAccount connects a company that has installed the app by the app's service
// account. An existing connection remains as it is, unless it has ended or was
// disconnected.
//
// https://developers.procore.com/documentation/oauth-client-credentials
func (s *Store) AddServiceAccount(ctx context.Context, companyID int64, companyName string, w Webhooks) error {
	k := Key{companyID, tokens.App}
	_, err := s.apply(ctx, k, func(c Connection) (Connection, bool) {
		return c.connected(New{k, companyName, "", w}, s.now()), c.State != Connected
	})
	return err
}

// End ends a connection. Its grant is released in the same transaction, and revoked if
// this was the last connection. Without an error, or after one of the revocation, the
// connection has ended; a schedule finishes the revocation. Ending twice does nothing.
func (s *Store) End(ctx context.Context, k Key, reason string) error {
	if _, err := s.Connection(ctx, k); err != nil {
		return err
	}
	_, err := s.together(ctx, k, s.release, func(c Connection) (Connection, bool) {
		if c.State == Ended {
			return c, false
		}
		c.CheckAt, c.PausedUntil, c.pause = time.Time{}, time.Time{}, 0
		return c.enter(Ended, reason, s.now()), true
	}, nil)
	if err != nil || k.Principal == tokens.App {
		return err
	}
	err = s.Tokens.Revoke(ctx, k.Principal, reason)
	if errors.Is(err, tokens.ErrHeld) || errors.Is(err, tokens.ErrNotFound) {
		return nil
	}
	return err
}

// grantStep is Hold or Release.
type grantStep = func(ctx context.Context, p tokens.Principal, holder string, also ...types.TransactWriteItem) (tokens.Grant, error)

// release is Release for any connection. The app's grant has no holders, and a grant that
// is gone needs no release.
func (s *Store) release(ctx context.Context, p tokens.Principal, holder string, also ...types.TransactWriteItem) (tokens.Grant, error) {
	if p != tokens.App {
		g, err := s.Tokens.Release(ctx, p, holder, also...)
		if !errors.Is(err, tokens.ErrNotFound) {
			return g, err
		}
	}
	// The reasons of a refusal begin with the grant's, as those of Release.
	return tokens.Grant{}, dynamo.Transact(ctx, s.DB, also...)
}

// together makes one step of a connection in one transaction with its grant's step.
func (s *Store) together(ctx context.Context, k Key, grant grantStep, step func(Connection) (Connection, bool), also []types.TransactWriteItem) (Connection, error) {
	s.memory.forget(k)
	for range maxTries {
		c, err := s.get(ctx, k)
		if err != nil {
			return c, err
		}
		next, ok := step(c)
		if !ok {
			return c, nil
		}
		next, write := s.rows().Prepare(c, next)
		_, err = grant(ctx, k.Principal, k.holder(), append([]types.TransactWriteItem{write}, also...)...)
		reasons, _ := dynamo.Refused(err)
		switch {
		case err == nil:
			s.changed(ctx, c, next)
			return next, nil
		case !errors.Is(err, tokens.ErrUsed) || !reasons.Failed(1):
			return c, &Error{Key: k, Decision: err}
		}
	}
	return Connection{}, later(k, "the connection keeps changing", nil)
}

// maxTries is how often a connection that others change is tried.
const maxTries = 10
