package session

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// heldShard is the only partition of the sparse index of sessions with a pair:
// there are few at a time, and they are deleted within the hour.
const heldShard = "0"

func (s *Store) read(ctx context.Context, flow string) (Session, error) {
	item, err := dynamo.Get(ctx, s.DB, s.Table, rowKey(flow))
	if err != nil {
		return Session{}, fmt.Errorf("session: not read: %w", err)
	}
	return sessionOf(item)
}

func rowKey(flow string) dynamo.Item { return dynamo.Item{"session": dynamo.Text(flow)} }

// write makes one step on the condition that the row is still as it was read: same
// status, same cookie, same expiry, same company. A failed condition is ErrUsed.
func (s *Store) write(ctx context.Context, old, next Session) error {
	err := dynamo.Write(ctx, s.DB, s.update(old, next))
	if dynamo.ConditionFailed(err) {
		return ErrUsed
	}
	if err != nil {
		return fmt.Errorf("session: not stored: %w", err)
	}
	return nil
}

func (s *Store) update(old, next Session) types.TransactWriteItem {
	changes := dynamo.Item{
		"status":     dynamo.Text(string(next.Status)),
		"cookie":     dynamo.Text(next.cookie),
		"expires_at": dynamo.Seconds(next.Expires),
		"company_id": next.company(),
		"principal":  dynamo.Text(string(next.Principal)),
		"sealed":     dynamo.Bytes(next.sealed.Box),
		"seal_key":   dynamo.Text(next.sealed.KeyID),
		"held_shard": nil,
		"ttl":        dynamo.Seconds(next.Expires.Add(24 * time.Hour)),
	}
	if next.hasPair() { // TTL must not delete a pair before it is revoked: housekeeping does both.
		changes["held_shard"], changes["ttl"] = dynamo.Text(heldShard), nil
	}
	return new(dynamo.Expression).Set(changes).
		Equal("status", dynamo.Text(string(old.Status))).Equal("cookie", dynamo.Text(old.cookie)).
		Equal("expires_at", dynamo.Seconds(old.Expires)).Equal("company_id", old.company()).
		Update(s.Table, rowKey(old.Flow))
}

func (s Session) company() types.AttributeValue {
	if s.CompanyID == 0 {
		return nil
	}
	return dynamo.ID(s.CompanyID)
}

func (s Session) hasPair() bool {
	return s.Status == Pending || s.Status == Chosen || s.Status == Abandoned
}

func sessionOf(item dynamo.Item) (Session, error) {
	r := dynamo.Read(item)
	found := Session{
		Flow:        r.Text("session"),
		Status:      Status(r.Text("status")),
		Environment: r.Text("environment"),
		RedirectURI: r.Text("redirect_uri"),
		Expires:     r.Seconds("expires_at"),
		CompanyID:   r.ID("company_id"),
		Principal:   tokens.Principal(r.Text("principal")),
		cookie:      r.Text("cookie"),
		sealed:      tokens.Sealed{KeyID: r.Text("seal_key"), Box: r.Bytes("sealed")},
	}
	if err := r.Err(); err != nil {
		return Session{}, fmt.Errorf("session: row %s: %w", found.Flow, err)
	}
	return found, nil
}

// Stale returns the sessions that have expired and still have a pair.
func (s *Store) Stale(ctx context.Context) iter.Seq2[Session, error] {
	in := new(dynamo.Expression).Equal("held_shard", dynamo.Text(heldShard)).Less("expires_at", dynamo.Seconds(s.Clock.Now())).Query(s.Table, "held")
	return dynamo.Query(ctx, s.DB, "session: listing stale ones", in, sessionOf)
}

// Abandon puts a stale session out of the user's reach, so that its pair can be
// revoked. ErrUsed means that another process was faster, and there is nothing to do.
func (s *Store) Abandon(ctx context.Context, stale Session) (Session, error) {
	switch {
	case stale.Status == Abandoned:
		return stale, nil // an earlier run was interrupted before it revoked the pair
	case !stale.hasPair():
		return stale, ErrUsed
	}
	next := stale
	next.Status = Abandoned
	return next, s.write(ctx, stale, next)
}

// Cancel ends a session whose user doesn't want to connect a company: the next
// housekeeping revokes its pair. Canceling twice is not an error. A session that has
// no pair, or has moved on in the meantime, is ErrUsed.
func (s *Store) Cancel(ctx context.Context, held Session) error {
	switch {
	case held.Status == Abandoned:
		return nil
	case !held.hasPair():
		return ErrUsed
	}
	next := held
	next.Status = Abandoned
	next.Expires = s.Clock.Now().Add(-time.Second)
	return s.write(ctx, held, next)
}

// Delete removes an abandoned session whose pair has been revoked. It may be
// repeated. A session that is not abandoned stays, and the error is ErrUsed.
func (s *Store) Delete(ctx context.Context, abandoned Session) error {
	err := dynamo.Write(ctx, s.DB, new(dynamo.Expression).AbsentOrEqual("status", dynamo.Text(string(Abandoned))).Delete(s.Table, rowKey(abandoned.Flow)))
	if dynamo.ConditionFailed(err) {
		return ErrUsed
	}
	if err != nil {
		return fmt.Errorf("session: not deleted: %w", err)
	}
	return nil
}
