package connections

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// New is a connection to make.
type New struct {
	Key         // the principal is a user: see [Store.AddServiceAccount]
	CompanyName string
	UserName    string
	Webhooks    Webhooks
	Origin      string // names the authorization, in the caller's words; it stays with the connection
}

// Connect connects a company by a user's grant, in one transaction with the grant and
// with also. Connecting again changes the names and ends a pause, and keeps the reference
// unless the connection had ended. [tokens.ErrUsed] means that an item of also refused it,
// and [tokens.ErrNotFound], [tokens.ErrReauthorize] or [tokens.ErrRevoked] that the grant
// does not work: the user authorizes again.
func (s *Store) Connect(ctx context.Context, n New, also ...types.TransactWriteItem) (Connection, error) {
	if n.Principal == tokens.App {
		return Connection{}, errors.New("connections: a service account's connection is made by AddServiceAccount")
	}
	return s.together(ctx, n.Key, s.Tokens.Hold, func(c Connection) (Connection, bool) { return c.connected(n, s.now()), true }, also)
}

// connected is the row after the company was connected.
func (c Connection) connected(n New, now time.Time) Connection {
	c.CompanyName, c.UserName = n.CompanyName, n.UserName
	c.ConnectedAt, c.SeenAt, c.Origin = now, toSecond(now), n.Origin
	c.PausedUntil, c.pause = time.Time{}, 0
	c.Webhooks, c.CheckAt = n.Webhooks, time.Time{}
	if n.Webhooks == WebhooksPending {
		c.CheckAt = toSecond(now)
	}
	if c.State == Ended {
		c.Reference = ""
	}
	return c.enter(Connected, connected, now)
}

// End ends a connection. Its grant is released in the same transaction, and revoked if
// this was the last connection. Without an error, or after one of the revocation, the
// connection has ended. Ending it again repeats a revocation that failed, and so does a
// schedule, see [tokens.Upkeep.Unheld].
func (s *Store) End(ctx context.Context, k Key, reason string) error {
	return s.end(ctx, k, reason, func(Connection) bool { return true })
}

// EndSeen is End for one connection as it was seen. One that was connected again since
// remains as it is.
func (s *Store) EndSeen(ctx context.Context, seen Connection, reason string) error {
	return s.end(ctx, seen.Key, reason, func(c Connection) bool { return c.made(seen) })
}

// end ends a connection that is meant.
func (s *Store) end(ctx context.Context, k Key, reason string, meant func(Connection) bool) error {
	end := func(c Connection) (Connection, bool) {
		stays := c.Rev == 0 || c.State == Ended || !meant(c)
		c.CheckAt, c.PausedUntil, c.pause = time.Time{}, time.Time{}, 0
		return c.enter(Ended, reason, s.now()), !stays
	}
	var c Connection
	var err error
	if k.Principal == tokens.App { // its grant has no holders
		c, err = s.apply(ctx, k, end)
	} else {
		c, err = s.together(ctx, k, s.Tokens.Release, end, nil)
	}
	switch {
	case err != nil:
		return err
	case c.Rev == 0:
		return &Error{Key: k, Decision: ErrNotFound}
	case k.Principal == tokens.App || !meant(c):
		return nil
	}
	if err := s.revoke(ctx, c, reason); err != nil {
		return &Error{Key: k, Decision: err, Reason: "the connection has ended, and its grant is not revoked yet"}
	}
	return nil
}

// revoke revokes the grant of a connection that has ended, unless another company needs
// it, or the user authorized since: then a company is being chosen.
func (s *Store) revoke(ctx context.Context, c Connection, reason string) error {
	g, err := s.Tokens.Grant(ctx, c.Principal)
	if err == nil && g.UnheldAt.After(c.ReasonAt.Add(underWay)) {
		return nil
	}
	if err == nil {
		err = s.Tokens.Revoke(ctx, c.Principal, reason)
	}
	if errors.Is(err, tokens.ErrHeld) || errors.Is(err, tokens.ErrNotFound) {
		return nil
	}
	return err
}

// grantStep is Hold or Release.
type grantStep = func(ctx context.Context, p tokens.Principal, holder string, also ...types.TransactWriteItem) (tokens.Grant, error)

// maxTries is how often a connection that others change is tried.
const maxTries = 10

// together makes one step of a connection in one transaction with its grant's step. As
// with apply, step returns false when nothing is to be done.
func (s *Store) together(ctx context.Context, k Key, grant grantStep, step func(Connection) (Connection, bool), also []types.TransactWriteItem) (Connection, error) {
	return s.transact(ctx, k, step, func(write types.TransactWriteItem) (again bool, err error) {
		_, err = grant(ctx, k.Principal, k.holder(), slices.Concat([]types.TransactWriteItem{write}, also)...)
		if err == nil {
			return false, nil
		}
		// The grant is the transaction's first item, and the connection the next one.
		reasons, _ := dynamo.Refused(err)
		return errors.Is(err, tokens.ErrUsed) && reasons.Failed(1), &Error{Key: k, Decision: err}
	})
}

// transact makes one step of a connection in a transaction, which commit makes with the
// connection's write. As with apply, step returns false when nothing is to be done. commit
// returns whether to step again from the row as it is by then.
func (s *Store) transact(ctx context.Context, k Key, step func(Connection) (Connection, bool), commit func(types.TransactWriteItem) (again bool, err error)) (Connection, error) {
	defer s.memory.forget(k)
	c, err := s.get(ctx, k)
	for range maxTries {
		if err != nil {
			return c, err
		}
		next, ok := step(c)
		if !ok {
			return c, nil
		}
		next, write := s.rows().Prepare(c, next)
		again, failed := commit(write)
		if failed == nil {
			s.changed(ctx, c, next)
			return next, nil
		}
		from := c
		if c, err = s.get(ctx, k); err == nil && c.write == next.write { // only the answer was lost
			s.changed(ctx, from, c)
			return c, nil
		}
		if !again {
			return from, failed
		}
	}
	return c, later(k, "the connection keeps changing", nil)
}
