package tokens

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
)

// ForCompany returns the connection that serves a company's work: the service
// account's, else the usable one of the user who authorized last. Without one, the
// error is that of the connection nearest to working, or matches ErrNotFound.
func (s *Store) ForCompany(ctx context.Context, companyID int64) (Connection, error) {
	var best Connection
	var unread error // of a row that cannot be read, which does not fail the others
	for c, err := range s.Company(ctx, companyID) {
		switch {
		case err != nil:
			unread = err
		case best.Rev == 0 || c.servesBefore(best):
			best = c
		}
	}
	switch {
	case !best.usable() && unread != nil:
		return Connection{}, unread
	case best.Rev == 0:
		return Connection{}, &Error{Key: Key{CompanyID: companyID}, Decision: ErrNotFound}
	case !best.usable():
		return Connection{}, best.unusable()
	}
	return best, nil
}

// byUse lists the states, the nearest to working first.
var byUse = []State{Active, Uncertain, Reauthorize, Disconnected, Revoking, Revoked}

func (c Connection) usable() bool { return c.State == Active || c.State == Uncertain }

func (c Connection) servesBefore(d Connection) bool {
	switch {
	case c.usable() != d.usable():
		return c.usable()
	case c.State != d.State:
		return slices.Index(byUse, c.State) < slices.Index(byUse, d.State)
	case (c.Principal == App) != (d.Principal == App):
		return c.Principal == App
	}
	return c.ConnectedAt.After(d.ConnectedAt)
}

// Holds reports whether a connection has this pair. Procore may issue the pair of a
// user's first authorization to the second one as well. That pair must not be revoked.
func (s *Store) Holds(ctx context.Context, key Key, pair procore.Token) (bool, error) {
	c, err := s.Connection(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	current, err := s.held(ctx, c)
	return err == nil && current.AccessToken.Equal(pair.AccessToken), err
}

// Company returns all connections of a company.
func (s *Store) Company(ctx context.Context, companyID int64) iter.Seq2[Connection, error] {
	in := new(dynamo.Expression).Equal("company_id", dynamo.ID(companyID)).Query(s.Connections, "")
	in.ConsistentRead = aws.Bool(true)
	return query(ctx, s.DB, (*Connection).read, in)
}

const (
	// UsedWithin is how long after its last use a schedule keeps a connection fresh.
	// Each refresh is a small risk to a single-use token, so idle connections are
	// refreshed only every IdleEvery.
	UsedWithin = 7 * 24 * time.Hour
	// IdleEvery is how often an idle connection is refreshed, so that a schedule
	// notices before its user does that Procore no longer accepts its token.
	IdleEvery = 30 * 24 * time.Hour
)

// idle reports whether the connection is unused for so long that its token may expire.
func (c Connection) idle() bool {
	return c.State == Active && !c.Expiry.Before(c.LastUsed.Add(UsedWithin))
}

// Due returns the connections of a shard (0 to Shards-1) that a schedule should
// refresh: those in use whose access token expires within the given time, the
// earliest first, and then those that were idle for IdleEvery. Each may have changed
// since the query.
func (s *Store) Due(ctx context.Context, shard int, within time.Duration) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		used, idle := s.due(strconv.Itoa(shard), s.Clock.Now().Add(within)), s.due(idlePrefix+strconv.Itoa(shard), s.Clock.Now().Add(-IdleEvery))
		for _, in := range []*dynamodb.QueryInput{used, idle} {
			for k, err := range query(ctx, s.DB, (*Key).read, in) {
				if !yield(k, err) {
					return
				}
			}
		}
	}
}

// OldestDue returns the earliest expiry of the access tokens that are due. It is zero
// if none is due within the given time.
func (s *Store) OldestDue(ctx context.Context, within time.Duration) (oldest time.Time, err error) {
	for i := range Shards {
		in := s.due(strconv.Itoa(i), s.Clock.Now().Add(within))
		in.Limit = aws.Int32(1)
		for at, err := range query(ctx, s.DB, readExpiry, in) {
			if err != nil {
				return time.Time{}, fmt.Errorf("tokens: the oldest due connection: %w", err)
			}
			if oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
			break
		}
	}
	return oldest, nil
}

func readExpiry(t *time.Time, item dynamo.Item) error {
	return dynamo.Decode(item, func(f *dynamo.Fields) { f.Seconds("expires_at", t) })
}

// Checks returns the connections of a shard (0 to Shards-1) that housekeeping should
// check before the given time, the earliest first: their webhook, or a revocation that
// is not finished.
func (s *Store) Checks(ctx context.Context, shard int, before time.Time) iter.Seq2[Key, error] {
	return query(ctx, s.DB, (*Key).read, s.index("checks", "check_shard", strconv.Itoa(shard), "check_at", before))
}

func (s *Store) due(shard string, before time.Time) *dynamodb.QueryInput {
	return s.index("due", "due_shard", shard, "expires_at", before)
}

// index returns a query of a sparse index. The index holds only keys, so that a write
// to a row costs a write to the index only when the row's place in it changes.
func (s *Store) index(index, partition, value, sort string, before time.Time) *dynamodb.QueryInput {
	return new(dynamo.Expression).Equal(partition, dynamo.Text(value)).Compare(sort, "<", dynamo.Number(before.Unix())).Query(s.Connections, index)
}

func query[T any](ctx context.Context, db *dynamodb.Client, read func(*T, dynamo.Item) error, in *dynamodb.QueryInput) iter.Seq2[T, error] {
	return dynamo.Query(ctx, db, "tokens: listing connections", in, read)
}

// SetWebhooks records the state of the company's webhook, and when housekeeping checks
// it next; zero: never. It reports whether it did so: if the generation or the time of
// the check is no longer what seen has, it changes nothing.
func (s *Store) SetWebhooks(ctx context.Context, seen Connection, w Webhooks, checkAt time.Time) (Connection, bool, error) {
	checkAt = toSecond(checkAt)
	done := false
	c, err := s.apply(ctx, seen, func(c Connection) (Connection, bool) {
		done = c.Generation == seen.Generation && c.CheckAt.Equal(seen.CheckAt)
		c.Webhooks, c.CheckAt = w, checkAt
		return c, done
	})
	return c, done && err == nil, err
}

// toSecond returns a time as the table stores it.
func toSecond(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Unix(t.Unix(), 0)
}
