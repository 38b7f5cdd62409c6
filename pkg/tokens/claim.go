package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	// maxWork bounds one refresh from claim to store.
	maxWork = 20 * time.Second
	// skew is how far the clocks of two processes may differ.
	skew = 5 * time.Second
	// minWork is the least time in which a refresh is begun.
	minWork = 6 * time.Second
	// storeTime of the work is kept for the store.
	storeTime = 2 * time.Second
	// ledgerLife is how long the ledger knows a spent token.
	ledgerLife = 400 * 24 * time.Hour
)

var (
	errSpentBefore = errors.New("tokens: this refresh token was sent before")
	errNotClaimed  = errors.New("tokens: the claim is not confirmed")
)

// claim takes the right to spend c's refresh token: in one transaction the row
// gets the attempt, and the token's fingerprint goes into the ledger, where it
// must not be yet. Only a confirmed claim is returned without error.
// errNotClaimed and *errChanged ask to read again; errSpentBefore is final for
// this token.
func (s *Store) claim(ctx context.Context, c Connection, refreshToken string, keys *Keys, until time.Time) (Connection, error) {
	next := c
	next.attempt = rand.Text()
	next.claimUntil = until
	var ledger []types.TransactWriteItem
	for _, f := range keys.fingerprints(refreshToken) {
		ledger = append(ledger, types.TransactWriteItem{Put: &types.Put{
			TableName:           &s.Spends,
			Item:                s.spend(f, next),
			ConditionExpression: aws.String("attribute_not_exists(fingerprint)"),
		}})
	}
	claimed, err := s.swap(ctx, c, next, ledger...)
	var changed *errChanged
	switch {
	case err == nil:
		return claimed, nil
	case errors.Is(err, errElsewhere):
		return c, errSpentBefore
	case errors.As(err, &changed) && changed.current.attempt != next.attempt:
		return c, err
	}
	return s.confirm(ctx, next)
}

// confirm reads a claim back whose answer was lost.
func (s *Store) confirm(ctx context.Context, wanted Connection) (Connection, error) {
	c, err := s.Connection(ctx, wanted.Key)
	if err != nil {
		return c, err
	}
	if c.attempt != wanted.attempt || c.Generation != wanted.Generation || c.State != Active {
		return c, errNotClaimed
	}
	return c, nil
}

// spend is the ledger's item for a fingerprint.
func (s *Store) spend(fingerprint string, c Connection) map[string]types.AttributeValue {
	item := c.Key.primaryKey() // for the operator; not a key in this table
	item["fingerprint"] = str(fingerprint)
	item["attempt"] = str(c.attempt)
	item["spent_at"] = seconds(s.now())
	item["ttl"] = seconds(s.now().Add(ledgerLife))
	return item
}

// release gives back a claim whose token was not sent, and takes its
// fingerprint out of the ledger. The new revision fences a claim of ours that
// is still under way.
func (s *Store) release(ctx context.Context, c Connection, refreshToken string, keys *Keys) error {
	attempt := c.attempt
	var ledger []types.TransactWriteItem
	for _, f := range keys.fingerprints(refreshToken) {
		ledger = append(ledger, types.TransactWriteItem{Delete: &types.Delete{
			TableName:                 &s.Spends,
			Key:                       map[string]types.AttributeValue{"fingerprint": str(f)},
			ConditionExpression:       aws.String("attempt = :attempt"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":attempt": str(attempt)},
		}})
	}
	for b := (backoff{}); ; {
		if c.attempt != attempt {
			return nil // released, or a new authorization took the row over
		}
		next := c
		next.attempt, next.claimUntil = "", time.Time{}
		if c.State == Uncertain && c.stateAttempt == attempt {
			next = next.enter(Active, attempt, "not sent after all", "", s.now())
		}
		_, err := s.swap(ctx, c, next, ledger...)
		var changed *errChanged
		switch {
		case err == nil, errors.Is(err, errElsewhere):
			return nil
		case errors.As(err, &changed):
			c = changed.current
		case b.wait(ctx) != nil:
			return err
		}
	}
}

// endClaim turns a connection whose claim has expired uncertain: its holder
// died or hangs. Generation and attempt stay, so a late store still lands.
func (s *Store) endClaim(ctx context.Context, c Connection) (Connection, error) {
	return s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if c.State != Active || !c.claimed() || !s.now().After(c.claimUntil) {
			return c, false
		}
		return c.doubt(c.attempt, "the process that refreshed it ended without an answer", "", s.now()), true
	})
}

// doubt ends the claim without an answer.
func (c Connection) doubt(attempt, reason, requestID string, now time.Time) Connection {
	c.claimUntil = time.Time{}
	return c.enter(Uncertain, attempt, reason, requestID, now)
}
