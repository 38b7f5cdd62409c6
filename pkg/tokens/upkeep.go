package tokens

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
)

const (
	// Ahead is how long before a token expires a schedule refreshes it: three runs of five minutes.
	Ahead = 15 * time.Minute
	// UsedWithin is how long after its last use a schedule keeps a grant fresh. Each
	// refresh is a small risk to a single-use token, so idle grants are refreshed only
	// every IdleEvery.
	UsedWithin = 7 * 24 * time.Hour
	// IdleEvery is how often an idle grant is refreshed, so that a schedule notices
	// before its user does that Procore no longer accepts its token.
	IdleEvery = 30 * 24 * time.Hour
	// UnheldFor is how long a user's grant may be without a holder, as during the choice
	// of a company, before a schedule revokes it.
	UnheldFor = 30 * time.Minute
)

// Upkeep is what a schedule does with the grants of a store, and no caller of the API.
type Upkeep struct{ s *Store }

// Upkeep returns what a schedule does with the store's grants.
func (s *Store) Upkeep() Upkeep { return Upkeep{s} }

// idle reports whether the grant is unused for so long that its token may expire.
func (g Grant) idle() bool {
	return g.State == Active && !g.Expiry.Before(g.LastUsed.Add(UsedWithin))
}

// Due returns the grants of a shard (0 to Shards-1) that a schedule should refresh: those
// in use whose access token expires within the given time, the earliest first, and then
// those that were idle for IdleEvery, or uncertain for long enough. Each may have changed
// since the query.
func (u Upkeep) Due(ctx context.Context, shard int, within time.Duration) iter.Seq2[Principal, error] {
	return func(yield func(Principal, error) bool) {
		now := u.s.Clock.Now()
		for _, in := range []*dynamodb.QueryInput{u.s.due(inUse, shard, now.Add(within)), u.s.due(atTime, shard, now)} {
			for p, err := range query(ctx, u.s, u.s.readPrincipal, in) {
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

// OldestDue returns the earliest expiry of the access tokens that are due. It is zero if
// none is due within the given time.
func (u Upkeep) OldestDue(ctx context.Context, within time.Duration) (oldest time.Time, err error) {
	for i := range Shards {
		in := u.s.due(inUse, i, u.s.Clock.Now().Add(within))
		in.Limit = aws.Int32(1)
		for at, err := range query(ctx, u.s, func(at *time.Time, item dynamo.Item) error {
			return dynamo.Decode(item, func(f *dynamo.Fields) { f.Seconds("due_at", at) })
		}, in) {
			if err != nil {
				return time.Time{}, fmt.Errorf("tokens: the oldest due grant: %w", err)
			}
			if oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
			break
		}
	}
	return oldest, nil
}

// Ended returns the grants that have holders and no usable pair: their users have to authorize again. It reads an index
// of them alone, for a person who asks; one that changed a moment ago may be missing.
func (u Upkeep) Ended(ctx context.Context) iter.Seq2[Principal, error] {
	return func(yield func(Principal, error) bool) {
		for shard := range Shards {
			for p, err := range query(ctx, u.s, u.s.readPrincipal, u.s.due(person, shard, u.s.Clock.Now().Add(time.Hour))) {
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

// All returns the grants of all users. It reads the whole table: it is for a person who asks, not for a schedule. A row
// that cannot be read is an error beside the others.
func (u Upkeep) All(ctx context.Context) iter.Seq2[Grant, error] {
	const elsewhere Principal = "of another environment"
	read := func(g *Grant, item dynamo.Item) error {
		if !u.s.owns(item) {
			g.Principal = elsewhere
			return nil
		}
		return u.s.read(g, item)
	}
	return func(yield func(Grant, error) bool) {
		for g, err := range dynamo.Scan(ctx, u.s.DB, "tokens: listing all grants", u.s.Grants, read) {
			other := g.Principal != "" && !g.Principal.isUser() // elsewhere, the app's, the breaker, a heartbeat
			if !other && !yield(g, err) {
				return
			}
		}
	}
}

// owns reports whether a row is of the store's environment. A row without a key is, so that it is reported.
func (s *Store) owns(item dynamo.Item) bool {
	var key string
	err := dynamo.Decode(item, func(f *dynamo.Fields) { f.Text("grant", &key) })
	return err != nil || key == "" || strings.HasPrefix(key, s.Environment.Name+"#")
}

// Unheld returns the grants of a shard (0 to Shards-1) that had no holder for UnheldFor.
// Revoke ends them.
func (u Upkeep) Unheld(ctx context.Context, shard int) iter.Seq2[Principal, error] {
	return query(ctx, u.s, u.s.readPrincipal, u.s.due(unheld, shard, u.s.Clock.Now()))
}

// Revoke is [Store.Revoke] for a grant that Unheld returned. ErrHeld means that it has a
// holder, or that its user authorized again and is choosing a company.
func (u Upkeep) Revoke(ctx context.Context, p Principal, reason string) error {
	return u.s.revokeUnheld(ctx, p, reason, UnheldFor)
}

// Token is [Store.Token] for work that no user of the app asked for: it does not count as a
// use of the grant, which is then refreshed rarely.
func (u Upkeep) Token(ctx context.Context, p Principal) (Access, error) {
	return u.s.token(ctx, p, demand{})
}

// Refresh is Token for a schedule: it refreshes a token that expires within the given
// time, and does not count as a use of the grant.
func (u Upkeep) Refresh(ctx context.Context, p Principal, within time.Duration) (Access, error) {
	return u.s.flights.do(ctx, u.s.Clock, p, func(ctx context.Context) (Access, error) {
		return u.s.renew(ctx, p, demand{within: within})
	})
}

// due returns a query of the sparse index. The index holds only keys, so that a write to
// a row costs a write to the index only when the row's place in it changes.
func (s *Store) due(kind string, shard int, before time.Time) *dynamodb.QueryInput {
	return new(dynamo.Expression).Equal("due_shard", dynamo.Text(s.partition(kind, shard))).
		Compare("due_at", "<", dynamo.Number(before.Unix())).Query(s.Grants, "due")
}

func query[T any](ctx context.Context, s *Store, read func(*T, dynamo.Item) error, in *dynamodb.QueryInput) iter.Seq2[T, error] {
	return dynamo.Query(ctx, s.DB, "tokens: listing grants", in, read)
}
