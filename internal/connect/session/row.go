package session

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
)

// heldShard is the only partition of the sparse index of sessions with a pair:
// there are few at a time, and they are deleted within the hour.
const heldShard = "0"

func (s *Store) read(ctx context.Context, flow string) (found Session, err error) {
	item, err := dynamo.Get(ctx, s.DB, s.Table, rowKey(flow))
	if err != nil {
		return Session{}, fmt.Errorf("session: not read: %w", err)
	}
	err = found.read(item)
	return found, err
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
	e, was := new(dynamo.Expression).Set(next.attributes()), old.attributes()
	for _, name := range []string{"status", "cookie", "expires_at", "company_id"} {
		e.Equal(name, was[name])
	}
	return e.Update(s.Table, rowKey(old.Flow))
}

// fields lists what the row holds beside its key.
func (s *Session) fields(f *dynamo.Fields) {
	f.Text("status", (*string)(&s.Status))
	f.Text("environment", &s.Environment)
	f.Text("redirect_uri", &s.RedirectURI)
	f.Seconds("expires_at", &s.Expires)
	f.ID("company_id", &s.CompanyID)
	f.Text("principal", (*string)(&s.Principal))
	f.Text("cookie", &s.cookie)
	f.Bytes("sealed", &s.sealed.Ciphertext)
	f.Text("seal_key", &s.sealed.KeyID)
}

// attributes are the row without its key.
func (s Session) attributes() dynamo.Item {
	a := dynamo.Encode(s.fields)
	a["held_shard"], a["ttl"] = nil, dynamo.Seconds(s.Expires.Add(24*time.Hour))
	if s.hasPair() { // TTL must not delete a pair before it is revoked: housekeeping does both.
		a["held_shard"], a["ttl"] = dynamo.Text(heldShard), nil
	}
	return a
}

func (s Session) hasPair() bool {
	return s.Status == Pending || s.Status == Chosen || s.Status == Abandoned
}

func (s *Session) read(item dynamo.Item) error {
	err := dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Text("session", &s.Flow)
		s.fields(f)
	})
	if err != nil {
		return fmt.Errorf("session: row %s: %w", s.Flow, err)
	}
	return nil
}

// Stale returns the sessions that have expired and still have a pair.
func (s *Store) Stale(ctx context.Context) iter.Seq2[Session, error] {
	in := new(dynamo.Expression).Equal("held_shard", dynamo.Text(heldShard)).Compare("expires_at", "<", dynamo.Seconds(s.Clock.Now())).Query(s.Table, "held")
	return dynamo.Query(ctx, s.DB, "session: listing stale ones", in, (*Session).read)
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
	err := dynamo.Write(ctx, s.DB, new(dynamo.Expression).AbsentOr("status", "=", dynamo.Text(string(Abandoned))).Delete(s.Table, rowKey(abandoned.Flow)))
	if dynamo.ConditionFailed(err) {
		return ErrUsed
	}
	if err != nil {
		return fmt.Errorf("session: not deleted: %w", err)
	}
	return nil
}
