package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/procore"
)

// tripAfter outcomes of one kind without a success between open the breaker.
const tripAfter = 3

// Breaker is what all processes know of the token endpoint's health. It is one
// row of the Connections table, under a company id that cannot be one. An
// outage or a wrong client secret opens it, so that it costs the refreshes in
// flight when it begins plus three, and not every connection that is due (R7).
//
// While it is at rest a refresh only reads it. After a first bad outcome each
// further refresh must take one of the few trials that are left.
type Breaker struct {
	Open   bool
	Reason string    // why it is open
	Since  time.Time // since when

	rev         int64
	unknown     int64 // outcomes since the last success
	refused     int64
	unconfirmed int64
	trials      int64 // refreshes begun since the first of them
}

// breakerKey sorts beside no company: ids are positive.
var breakerKey = map[string]types.AttributeValue{
	"company_id": &types.AttributeValueMemberS{Value: "breaker"},
	"principal":  &types.AttributeValueMemberS{Value: "token endpoint"},
}

// AtRest says that nothing bad happened since the last success: a probe would
// change nothing.
func (b Breaker) AtRest() bool { return !b.Open && b.bad() == 0 }

func (b Breaker) bad() int64 { return b.unknown + b.refused + b.unconfirmed }

// verdict is what one refresh tells of the endpoint.
type verdict int

const (
	success verdict = iota
	unknown
	refused
	unconfirmed
	invalidClient
	unspent // a trial was taken, and nothing was sent
)

// after is the breaker after a verdict.
func (b Breaker) after(v verdict, reason string, now time.Time) Breaker {
	switch v {
	case success:
		return Breaker{rev: b.rev}
	case unknown:
		b.unknown++
	case refused:
		b.refused++
	case unconfirmed:
		b.unconfirmed++
	case unspent:
		b.trials = max(b.trials-1, 0)
	}
	if v == invalidClient || max(b.unknown, b.refused, b.unconfirmed) >= tripAfter {
		if !b.Open {
			b.Reason, b.Since = reason, now
		}
		b.Open = true
	}
	return b
}

// breakerMemory is this process's last reading.
type breakerMemory struct {
	mu   sync.Mutex
	last Breaker
}

func (m *breakerMemory) put(b Breaker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = b
}

func (m *breakerMemory) get() Breaker {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// Breaker reads the breaker.
func (s *Store) Breaker(ctx context.Context) (Breaker, error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Connections, Key: breakerKey, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return Breaker{}, fmt.Errorf("tokens: the breaker could not be read: %w", err)
	}
	b, err := breakerOf(out.Item)
	if err == nil {
		s.breaker.put(b)
	}
	return b, err
}

// admit lets a refresh begin, or gives the caller's error. Under suspicion it
// takes one of the trials that are left, and says so.
func (s *Store) admit(ctx context.Context, key Key) (trial bool, err error) {
	for w := s.backoff(); ; {
		b, err := s.Breaker(ctx)
		switch {
		case err != nil:
			return false, later(key, "the breaker could not be read", err)
		case b.AtRest():
			return false, nil
		case b.Open || b.trials >= tripAfter-1:
			return false, later(key, b.why(), nil)
		}
		next := b
		next.trials++
		err = s.swapBreaker(ctx, b, next)
		if err == nil {
			return true, nil
		}
		if !errors.As(err, new(*types.ConditionalCheckFailedException)) || w.wait(ctx) != nil {
			return false, later(key, "the breaker could not be written", err)
		}
	}
}

func (b Breaker) why() string {
	if !b.Open {
		return "Procore's token endpoint is being tried by others after a failure"
	}
	return fmt.Sprintf("no refreshes since %s: %s", b.Since.UTC().Format(time.RFC3339), b.Reason)
}

// tell adds a verdict to the breaker. A success is written only if something
// bad is on record.
func (s *Store) tell(ctx context.Context, v verdict, reason string) {
	if v == success && s.breaker.get().AtRest() {
		return
	}
	for w := s.backoff(); ; {
		b, err := s.Breaker(ctx)
		if err == nil {
			if b.AtRest() && (v == success || v == unspent) || b.Open && v == success {
				return // an open breaker closes by a probe, not by a straggler
			}
			next := b.after(v, reason, s.Clock.Now())
			if err = s.swapBreaker(ctx, b, next); err == nil {
				if next.Open && !b.Open {
					s.log().ErrorContext(ctx, "breaker opened", slog.String("reason", reason))
				}
				return
			}
		}
		if w.wait(ctx) != nil || w.n > 10 {
			s.log().WarnContext(ctx, "breaker update failed", slog.Any("error", err))
			return
		}
	}
}

// Probe asks the token endpoint, without spending anything, whether it and the
// app's credentials are healthy, and closes or opens the breaker accordingly.
// The refresher calls it before a run. nil means healthy.
func (s *Store) Probe(ctx context.Context) error {
	b, err := s.Breaker(ctx)
	if err != nil {
		return err
	}
	if !b.AtRest() {
		if _, err := s.OAuth.Reread(ctx); err != nil { // the credentials may be the reason, and mended by now
			return err
		}
	}
	_, cause := UseSecret(ctx, s.OAuth, func(oauth *procore.OAuth) (struct{}, error) { return struct{}{}, oauth.Probe(ctx) })
	if _, probed := errors.AsType[*procore.TokenError](cause); cause != nil && !probed {
		return cause // the credentials could not be read
	}
	next := b.after(success, "", s.Clock.Now())
	if cause != nil {
		next = b
		if !b.Open {
			next.Open, next.Reason, next.Since = true, "a probe failed: "+cause.Error(), s.Clock.Now()
		}
	}
	if cause == nil && b.AtRest() {
		return nil
	}
	if err := s.swapBreaker(ctx, b, next); err != nil {
		return errors.Join(cause, fmt.Errorf("tokens: the breaker could not be written: %w", err))
	}
	switch {
	case cause == nil:
		s.log().InfoContext(ctx, "breaker closed")
	case !b.Open:
		s.log().ErrorContext(ctx, "breaker opened", slog.String("reason", next.Reason))
	}
	return cause
}

// swapBreaker writes next in place of b.
func (s *Store) swapBreaker(ctx context.Context, b, next Breaker) error {
	item := map[string]types.AttributeValue{
		"company_id":  breakerKey["company_id"],
		"principal":   breakerKey["principal"],
		"rev":         num(b.rev + 1),
		"open":        &types.AttributeValueMemberBOOL{Value: next.Open},
		"unknown":     num(next.unknown),
		"refused":     num(next.refused),
		"unconfirmed": num(next.unconfirmed),
		"trials":      num(next.trials),
	}
	if next.Open {
		item["reason"], item["since"] = str(next.Reason), seconds(next.Since)
	}
	in := &dynamodb.PutItemInput{TableName: &s.Connections, Item: item, ExpressionAttributeNames: map[string]string{"#rev": "rev"}}
	in.ConditionExpression = aws.String("attribute_not_exists(#rev)")
	if b.rev > 0 {
		in.ConditionExpression = aws.String("#rev = :rev")
		in.ExpressionAttributeValues = map[string]types.AttributeValue{":rev": &types.AttributeValueMemberN{Value: strconv.FormatInt(b.rev, 10)}}
	}
	_, err := s.DB.PutItem(ctx, in)
	if err == nil {
		next.rev = b.rev + 1
		s.breaker.put(next)
	}
	return err
}

func breakerOf(item map[string]types.AttributeValue) (Breaker, error) {
	r := reader{item: item}
	b := Breaker{
		Reason: r.str("reason"), Since: r.seconds("since"), rev: r.num("rev"),
		unknown: r.num("unknown"), refused: r.num("refused"), unconfirmed: r.num("unconfirmed"), trials: r.num("trials"),
	}
	if v, ok := item["open"].(*types.AttributeValueMemberBOOL); ok {
		b.Open = v.Value
	}
	if r.err != nil {
		return Breaker{}, fmt.Errorf("tokens: the breaker's row: %w", r.err)
	}
	return b, nil
}
