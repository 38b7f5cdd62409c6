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

// ForCompany chooses the connection that serves a company's work: the service
// account's, else the usable one of the user who authorized last. Without one
// the error matches what is to be done for the connection that is nearest to
// working, or ErrNotFound.
func (s *Store) ForCompany(ctx context.Context, companyID int64) (Connection, error) {
	var best Connection
	for c, err := range s.Company(ctx, companyID) {
		if err != nil {
			return Connection{}, err
		}
		if best.Rev == 0 || c.servesBefore(best) {
			best = c
		}
	}
	switch {
	case best.Rev == 0:
		return Connection{}, &Error{Key: Key{CompanyID: companyID}, Decision: ErrNotFound}
	case !best.usable():
		return Connection{}, best.unusable()
	}
	return best, nil
}

// byUse are the states, the nearest to working first.
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

// Holds says that a connection has this very pair. Procore may give a user's
// second authorization the pair of the first one, which then must not be revoked.
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

// Company gives all connections of a company.
func (s *Store) Company(ctx context.Context, companyID int64) iter.Seq2[Connection, error] {
	in := new(dynamo.Expression).Equal("company_id", dynamo.ID(companyID)).Query(s.Connections, "")
	in.ConsistentRead = aws.Bool(true)
	return query(ctx, s.DB, (*Connection).read, in)
}

const (
	// UsedWithin says which connections a schedule keeps fresh: those whose token
	// ends within this time of their last use. Each refresh is a small risk to a
	// single-use token, so the others are left alone, but for
	UsedWithin = 7 * 24 * time.Hour
	// IdleEvery, after which an unused one is refreshed nevertheless, to notice
	// that it died before its user does.
	IdleEvery = 30 * 24 * time.Hour
)

// idle says that nobody used the connection for so long that its token may end.
func (c Connection) idle() bool {
	return c.State == Active && !c.Expiry.Before(c.LastUsed.Add(UsedWithin))
}

// Due gives the connections of a shard (0 to Shards-1) that a schedule should
// refresh: those in use whose access token ends within the given time, the
// earliest first, and then those that were idle for IdleEvery. They may have
// changed meanwhile.
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

// OldestDue is when the access token of the connection ends, or ended, that is due
// longest. Zero: none is due within the given time.
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

// Checks gives the connections of a shard (0 to Shards-1) that housekeeping
// should look at before the given time, the earliest first: for their webhook, or
// because their revocation is not finished.
func (s *Store) Checks(ctx context.Context, shard int, before time.Time) iter.Seq2[Key, error] {
	return query(ctx, s.DB, (*Key).read, s.index("checks", "check_shard", strconv.Itoa(shard), "check_at", before))
}

func (s *Store) due(shard string, before time.Time) *dynamodb.QueryInput {
	return s.index("due", "due_shard", shard, "expires_at", before)
}

// index is a query of a sparse index. It holds keys alone, so that a write to a row
// costs a write to the index only when its place in it changes.
func (s *Store) index(index, partition, value, sort string, before time.Time) *dynamodb.QueryInput {
	return new(dynamo.Expression).Equal(partition, dynamo.Text(value)).Compare(sort, "<", dynamo.Number(before.Unix())).Query(s.Connections, index)
}

func query[T any](ctx context.Context, db *dynamodb.Client, read func(*T, dynamo.Item) error, in *dynamodb.QueryInput) iter.Seq2[T, error] {
	return dynamo.Query(ctx, db, "tokens: listing connections", in, read)
}

// SetWebhooks records how far the company's webhook is, and when housekeeping
// looks again; zero: never. It changes nothing, and says so by false, if the
// connection got another generation or another time to look than seen has.
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

// toSecond is a time as the table keeps it.
func toSecond(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Unix(t.Unix(), 0)
}
