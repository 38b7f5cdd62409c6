package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// Store keeps grants and returns their access tokens. DB, the tables, Environment, Keys
// and OAuth must be set. It is for use by any number of goroutines; do not copy it.
type Store struct {
	DB     *dynamodb.Client
	Grants string // the table's name
	Spends string // the ledger's table

	Environment procore.Environment         // the store sees the grants of no other
	Keys        keys.Source[*keys.Ring]     // the key ring
	OAuth       keys.Source[*procore.OAuth] // the app's credentials, for the same environment

	// Rescue takes a new pair that storage refuses, for [Upkeep.Restore] to store later.
	// nil: there is no rescue, and such a pair is lost.
	Rescue func(ctx context.Context, r Rescued) error

	Log *slog.Logger // nil: slog.Default

	Clock  procore.Clock
	Random procore.Random
	Dial   procore.Dial // opens the connections of API calls

	memory  memory
	flights flights
	breaker atomic.Pointer[Breaker] // as this process read it last
	reach   reach
	limits  procore.Limits
	dialled dialled
}

func (s *Store) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// attr names a principal in a log line.
func attr(p Principal) slog.Attr { return slog.String("principal", string(p)) }

// rows are the rows of the Grants table.
func (s *Store) rows() dynamo.Rows[Grant] {
	return dynamo.Rows[Grant]{
		DB: s.DB, Table: s.Grants, Random: s.Random, Decode: s.read,
		Encode:   func(g Grant) (key, attributes dynamo.Item) { return s.rowKey(string(g.Principal)), s.attributes(g) },
		Revision: func(g *Grant) (*int64, *string) { return &g.Rev, &g.write },
	}
}

// Grant reads a grant, strongly consistent. A missing one is an error that matches
// ErrNotFound.
func (s *Store) Grant(ctx context.Context, p Principal) (Grant, error) {
	item, err := dynamo.Get(ctx, s.DB, s.Grants, s.rowKey(string(p)))
	if err != nil {
		return Grant{}, later(p, "the grant could not be read", err)
	}
	if len(item) == 0 {
		return Grant{}, &Error{Principal: p, Decision: ErrNotFound}
	}
	var g Grant
	err = s.read(&g, item)
	return g, err
}

// outcome is what is known of a conditional write.
type outcome int

const (
	wrote       outcome = iota
	changed             // the row is no longer as it was read
	conflicted          // another write was under way, or storage was busy
	unanswered          // whether it was made is not known
	refusedItem         // another item of the transaction refused it
	refused             // storage refuses it, and would refuse it again
)

// swap writes next in place of old if the row is still as it was read. also joins the same
// transaction. It returns the row that is stored if that is known, and else the one that
// it tried to write. The error is nil if it was written.
func (s *Store) swap(ctx context.Context, old, next Grant, also ...types.TransactWriteItem) (Grant, outcome, error) {
	next, err := s.rows().Swap(ctx, old, next, also...)
	if newer, ok := errors.AsType[*dynamo.ChangedError[Grant]](err); ok {
		return newer.Current, changed, err
	}
	if err == nil {
		s.logChange(ctx, old, next)
	}
	return next, outcomeOf(err), err
}

// logChange logs what a write changed of the state.
func (s *Store) logChange(ctx context.Context, old, next Grant) {
	attrs := []slog.Attr{attr(next.Principal), slog.String("from", string(old.State)), slog.String("to", string(next.State)),
		slog.Int64("generation", next.Generation), slog.String("attempt", next.stateAttempt), slog.String("reason", next.Reason),
		slog.Any("holders", next.Holders)}
	switch {
	case old.State == next.State:
	case next.State == Reauthorize && next.Reason == overwritten: // a line that raises no alarm
		s.log().LogAttrs(ctx, slog.LevelInfo, "grant overwritten", attrs...)
	case next.State == Uncertain, next.State == Reauthorize:
		s.log().LogAttrs(ctx, slog.LevelWarn, "grant changed", attrs...)
	default:
		s.log().LogAttrs(ctx, slog.LevelInfo, "grant changed", attrs...)
	}
}

// outcomeOf returns what the error of a write means. Where the row itself met another
// transaction, what that one has done to the later items proves nothing yet.
func outcomeOf(err error) outcome {
	reasons, known := dynamo.Refused(err)
	switch {
	case err == nil:
		return wrote
	case permanent(err):
		return refused
	case !known:
		return unanswered
	case reasons.Code(0) == "None" && reasons.AnyFailed(1, len(reasons)):
		return refusedItem
	}
	for i := range reasons {
		switch reasons.Code(i) {
		case "None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		default:
			return refused
		}
	}
	return conflicted
}

// permanent reports whether storage refuses the request itself, as for a permission that
// the function lacks.
func permanent(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}, e.ErrorCode())
}

// repeat tries again, later each time, until try does not ask for it or the context ends;
// busy says then what it waited for.
func (s *Store) repeat(ctx context.Context, p Principal, busy string, try func() (again bool, err error)) error {
	for b := s.backoff(); ; {
		again, err := try()
		switch {
		case !again:
			return err
		case b.wait(ctx) != nil:
			return later(p, busy, errors.Join(ctx.Err(), err))
		}
	}
}

// apply makes one step of a grant, again on the newer row when a race was lost. step
// returns false when nothing is to be done; being repeated, it must see by the row
// whether it happened already, for the answer to a write may be lost.
func (s *Store) apply(ctx context.Context, g Grant, step func(Grant) (Grant, bool)) (Grant, error) {
	var from Grant
	next, err := s.rows().Apply(ctx, g, func(g Grant) (Grant, bool) {
		from = g
		return step(g)
	})
	if errors.As(err, new(*dynamo.ChangedError[Grant])) {
		return next, later(g.Principal, "the grant keeps changing", nil)
	}
	if err == nil {
		s.logChange(ctx, from, next)
	}
	return next, err
}

// applyUntil is apply, repeated while storage fails until the context ends.
func (s *Store) applyUntil(ctx context.Context, g Grant, step func(Grant) (Grant, bool)) (Grant, error) {
	for b := s.backoff(); ; {
		next, err := s.apply(ctx, g, step)
		if err == nil {
			return next, nil
		}
		if b.wait(ctx) != nil {
			return g, fmt.Errorf("tokens: the grant of %s could not be stored: %w", g.Principal, err)
		}
	}
}
