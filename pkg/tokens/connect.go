package tokens

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/procore"
)

// Authorization is a pair that a user just granted for one company.
type Authorization struct {
	Key         Key
	Environment string // Procore's, by name: its tokens are sent to no other
	Pair        procore.Token
	RedirectURI string // the one used at the authorization; refreshes repeat it
	CompanyName string
	UserName    string
	Webhooks    Webhooks
}

// ErrUsed says that a transaction that Connect was asked to join was refused:
// the authorization was used already.
var ErrUsed = errors.New("tokens: the authorization was used already")

// Connect stores an authorization as the connection's next generation, in one
// transaction with also. Whatever an older refresh brings home later does not
// overwrite it. renewed says that the connection existed.
func (s *Store) Connect(ctx context.Context, a Authorization, also ...types.TransactWriteItem) (c Connection, renewed bool, err error) {
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return Connection{}, false, later(a.Key, "the key ring could not be read", err)
	}
	for b := s.backoff(); ; {
		old, err := s.Connection(ctx, a.Key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Connection{}, false, err
		}
		old.Key = a.Key
		next, err := old.authorized(a, keys, s.Clock.Now())
		if err != nil {
			return Connection{}, false, err
		}
		stored, err := s.swap(ctx, old, next, also...)
		again := errors.Is(err, errConflict) || errors.As(err, new(*changedError))
		switch {
		case err == nil:
			s.memory.forget(a.Key)
			return stored, old.Rev > 0, nil
		case s.landed(ctx, next):
			return next, old.Rev > 0, nil
		case errors.Is(err, errElsewhere):
			return Connection{}, false, ErrUsed
		case !again:
			return Connection{}, false, later(a.Key, "the connection could not be stored", err)
		case b.wait(ctx) != nil:
			return Connection{}, false, later(a.Key, "the connection keeps changing", ctx.Err())
		}
	}
}

// landed says whether next is what is stored, for the answer of the write may
// have been lost. No two seals are alike.
func (s *Store) landed(ctx context.Context, next Connection) bool {
	c, err := s.Connection(ctx, next.Key)
	return err == nil && c.Generation == next.Generation && bytes.Equal(c.pair.Ciphertext, next.pair.Ciphertext)
}

// granted is the reason of the transition that a new authorization makes.
const granted = "authorized"

// authorized is the row after a new authorization: a claim that was open on the
// old generation is fenced off.
func (c Connection) authorized(a Authorization, keys *Keys, now time.Time) (Connection, error) {
	c.Generation++
	sealed, err := keys.Seal(a.Pair, c.place())
	if err != nil {
		return c, later(a.Key, "the pair could not be sealed", err)
	}
	c.pair, c.Expiry, c.RefreshedAt = sealed, a.Pair.Expiry, now
	c.Environment = a.Environment
	c.RedirectURI, c.CompanyName, c.UserName = a.RedirectURI, a.CompanyName, a.UserName
	c.ConnectedAt, c.LastUsed, c.SeenAt = now, now, now
	c.attempt, c.claimUntil, c.lastAttempt = "", time.Time{}, ""
	c.PausedUntil, c.pause = time.Time{}, 0
	c.Webhooks, c.CheckAt = a.Webhooks, time.Time{}
	if a.Webhooks == WebhooksPending {
		c.CheckAt = now
	}
	return c.enter(Active, "", granted, "", now), nil
}
