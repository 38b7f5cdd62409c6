package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/tokens"
)

// heldShard is the only partition of the sparse index of sessions with a pair:
// there are few at a time, and they are deleted within the hour.
const heldShard = "0"

func (s *Store) read(ctx context.Context, flow string) (Session, error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &s.Table,
		Key:            map[string]types.AttributeValue{"session": text(flow)},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Session{}, fmt.Errorf("session: not read: %w", err)
	}
	return sessionOf(out.Item), nil
}

// write makes one step on the condition that the row is still as it was read: same
// status, same cookie, same expiry, same company. A failed condition is ErrUsed.
func (s *Store) write(ctx context.Context, old, next Session) error {
	u := s.update(old, next)
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 u.TableName,
		Key:                       u.Key,
		UpdateExpression:          u.UpdateExpression,
		ConditionExpression:       u.ConditionExpression,
		ExpressionAttributeNames:  u.ExpressionAttributeNames,
		ExpressionAttributeValues: u.ExpressionAttributeValues,
	})
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return ErrUsed
	}
	if err != nil {
		return fmt.Errorf("session: not stored: %w", err)
	}
	return nil
}

func (s *Store) update(old, next Session) *types.Update {
	values := map[string]types.AttributeValue{
		":old_status": text(string(old.Status)),
		":old_cookie": text(old.cookie),
		":old_expiry": number(old.Expires.Unix()),
		":status":     text(string(next.Status)),
		":cookie":     text(next.cookie),
		":expiry":     number(next.Expires.Unix()),
	}
	names := map[string]string{"#status": "status", "#cookie": "cookie", "#expiry": "expires_at"}
	set := []string{"#status = :status", "#cookie = :cookie", "#expiry = :expiry"}
	var remove []string
	optional := func(name string, v types.AttributeValue, present bool) {
		names["#"+name] = name
		if !present {
			remove = append(remove, "#"+name)
			return
		}
		set = append(set, "#"+name+" = :"+name)
		values[":"+name] = v
	}
	company := "attribute_not_exists(#company_id)"
	if old.CompanyID != 0 {
		company = "#company_id = :old_company"
		values[":old_company"] = text(strconv.FormatInt(old.CompanyID, 10))
	}
	optional("company_id", text(strconv.FormatInt(next.CompanyID, 10)), next.CompanyID != 0)
	optional("principal", text(string(next.Principal)), next.Principal != "")
	optional("sealed", &types.AttributeValueMemberB{Value: next.sealed.Box}, next.sealed.Box != nil)
	optional("seal_key", text(next.sealed.KeyID), next.sealed.Box != nil)
	// TTL must not delete a pair before it is revoked: housekeeping does both.
	optional("held_shard", text(heldShard), next.hasPair())
	optional("ttl", number(next.Expires.Add(24*time.Hour).Unix()), !next.hasPair())
	expression := "SET " + strings.Join(set, ", ")
	if len(remove) > 0 {
		expression += " REMOVE " + strings.Join(remove, ", ")
	}
	return &types.Update{
		TableName:                 &s.Table,
		Key:                       map[string]types.AttributeValue{"session": text(old.Flow)},
		UpdateExpression:          &expression,
		ConditionExpression:       aws.String("#status = :old_status AND #cookie = :old_cookie AND #expiry = :old_expiry AND " + company),
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: values,
	}
}

func (s Session) hasPair() bool {
	return s.Status == Pending || s.Status == Chosen || s.Status == Abandoned
}

func sessionOf(item map[string]types.AttributeValue) Session {
	str := func(name string) string {
		v, _ := item[name].(*types.AttributeValueMemberS)
		if v == nil {
			return ""
		}
		return v.Value
	}
	found := Session{
		Flow:        str("session"),
		Status:      Status(str("status")),
		Environment: str("environment"),
		RedirectURI: str("redirect_uri"),
		Principal:   tokens.Principal(str("principal")),
		cookie:      str("cookie"),
		sealed:      tokens.Sealed{KeyID: str("seal_key")},
	}
	found.CompanyID, _ = strconv.ParseInt(str("company_id"), 10, 64)
	if v, ok := item["sealed"].(*types.AttributeValueMemberB); ok {
		found.sealed.Box = v.Value
	}
	if v, ok := item["expires_at"].(*types.AttributeValueMemberN); ok {
		n, _ := strconv.ParseInt(v.Value, 10, 64)
		found.Expires = time.Unix(n, 0)
	}
	return found
}

// Stale returns the sessions that have expired and still have a pair.
func (s *Store) Stale(ctx context.Context) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		p := dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{
			TableName:              &s.Table,
			IndexName:              aws.String("held"),
			KeyConditionExpression: aws.String("held_shard = :shard AND expires_at < :now"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":shard": text(heldShard), ":now": number(s.Clock.Now().Unix()),
			},
		})
		for p.HasMorePages() {
			page, err := p.NextPage(ctx)
			if err != nil {
				yield(Session{}, fmt.Errorf("session: listing stale ones: %w", err))
				return
			}
			for _, item := range page.Items {
				if !yield(sessionOf(item), nil) {
					return
				}
			}
		}
	}
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
	_, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 &s.Table,
		Key:                       map[string]types.AttributeValue{"session": text(abandoned.Flow)},
		ConditionExpression:       aws.String("attribute_not_exists(#status) OR #status = :abandoned"),
		ExpressionAttributeNames:  map[string]string{"#status": "status"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":abandoned": text(string(Abandoned))},
	})
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return ErrUsed
	}
	if err != nil {
		return fmt.Errorf("session: not deleted: %w", err)
	}
	return nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
