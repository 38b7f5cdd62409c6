package session

import (
	"context"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
)

// heldShard is the only partition of the sparse index of sessions with a pair:
// there are few at a time, and their pairs are moved within minutes.
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
func (s *Store) write(ctx context.Context, old, next Session, more ...string) error {
	err := dynamo.Write(ctx, s.DB, s.update(old, next, more...))
	if dynamo.ConditionFailed(err) {
		return ErrUsed
	}
	if err != nil {
		return fmt.Errorf("session: not stored: %w", err)
	}
	return nil
}

// update also requires that more attributes are as they were read.
func (s *Store) update(old, next Session, more ...string) types.TransactWriteItem {
	e, was := new(dynamo.Expression).Set(next.attributes()), old.attributes()
	for _, name := range append([]string{"status", "cookie", "expires_at", "company_id"}, more...) {
		e.Equal(name, was[name])
	}
	return e.Update(s.Table, rowKey(old.Flow))
}

// fields lists what the row holds beside its key.
func (s *Session) fields(f *dynamo.Fields) {
	f.Text("status", (*string)(&s.Status))
	f.Text("reason", (*string)(&s.Reason))
	f.Text("environment", &s.Environment)
	f.Text("client", &s.client)
	f.Text("redirect_uri", &s.RedirectURI)
	f.Bool("again", &s.Again)
	f.Seconds("expires_at", &s.Expires)
	f.Text("principal", (*string)(&s.Principal))
	f.Text("user_name", &s.UserName)
	f.ID("company_id", &s.CompanyID)
	s.Link.fields(f)
	s.Refusal.fields(f)
	f.Text("code", &s.code)
	f.Seconds("code_expires_at", &s.codeExpires)
	f.Bool("redeemed", &s.Redeemed)
	f.Text("cookie", &s.cookie)
	f.Bytes("sealed", &s.sealed.Ciphertext)
	f.Text("seal_key", &s.sealed.KeyID)
}

// attributes are the row without its key.
func (s Session) attributes() dynamo.Item {
	a := dynamo.Encode(s.fields)
	a["held_shard"], a["ttl"] = nil, dynamo.Seconds(s.Expires.Add(keptFor))
	if s.Status == Authorized { // TTL must not delete a pair before it is moved
		a["held_shard"], a["ttl"] = dynamo.Text(heldShard), nil
	}
	return a
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

// Stale returns the sessions with a pair that are older than five minutes: their browsers
// did not come back, or Procore did not answer. See [Handover.Move].
func (s *Store) Stale(ctx context.Context) iter.Seq2[Session, error] {
	expires := s.Clock.Now().Add(ChoiceLifetime - moveAfter)
	in := new(dynamo.Expression).Equal("held_shard", dynamo.Text(heldShard)).Compare("expires_at", "<", dynamo.Seconds(expires)).Query(s.Table, "held")
	return dynamo.Query(ctx, s.DB, "session: listing those with a pair", in, (*Session).read)
}
