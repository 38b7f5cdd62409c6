package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

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
	breaker breakerMemory
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

// changedError means that the row is no longer the one that was read.
type changedError = dynamo.ChangedError[Grant]

// swap writes next in place of old if the row is still as it was read, and returns what
// is stored now. also joins the same transaction. A lost race is *changedError with the
// row that won; after an error that names no reason it is unknown whether the write
// happened.
func (s *Store) swap(ctx context.Context, old, next Grant, also ...types.TransactWriteItem) (Grant, error) {
	next, err := s.rows().Swap(ctx, old, next, also...)
	return next, s.swapped(ctx, old, next, err)
}

// swapped maps the error of a swap, and logs what it changed of the state.
func (s *Store) swapped(ctx context.Context, old, next Grant, err error) error {
	if err == nil && old.State != next.State {
		s.changed(ctx, old, next)
	}
	return lost(err)
}

func (s *Store) changed(ctx context.Context, old, next Grant) {
	attrs := []slog.Attr{attr(next.Principal), slog.String("from", string(old.State)), slog.String("to", string(next.State)),
		slog.Int64("generation", next.Generation), slog.String("attempt", next.stateAttempt), slog.String("reason", next.Reason),
		slog.Any("holders", next.Holders)}
	switch {
	case next.State == Reauthorize && next.Reason == overwritten: // a line that raises no alarm
		s.log().LogAttrs(ctx, slog.LevelInfo, "grant overwritten", attrs...)
	case next.State == Uncertain, next.State == Reauthorize:
		s.log().LogAttrs(ctx, slog.LevelWarn, "grant changed", attrs...)
	default:
		s.log().LogAttrs(ctx, slog.LevelInfo, "grant changed", attrs...)
	}
}

var (
	// errElsewhere means that another item of a transaction refused it.
	errElsewhere = errors.New("tokens: another item of the transaction failed its condition")
	// errConflict means that a transaction did not happen, because another one was
	// under way on the same row or storage was busy.
	errConflict = errors.New("tokens: the transaction met another one")
	// errRefused means that a transaction did not happen, and would be refused again.
	errRefused = errors.New("tokens: storage refuses the transaction")
)

// lost maps the failed condition of a transaction's later item to errElsewhere, and a
// transaction that may succeed when it is repeated to errConflict. Where the row itself
// met another transaction, what that one has done to the later items proves nothing yet.
func lost(err error) error {
	reasons, refused := dynamo.Refused(err)
	switch {
	case permanent(err):
		return fmt.Errorf("%w: %w", errRefused, err)
	case !refused:
		return err
	case reasons.Code(0) == "None" && reasons.AnyFailed(1):
		return fmt.Errorf("%w: %w", errElsewhere, err)
	}
	for i := range reasons {
		switch reasons.Code(i) {
		case "None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		default:
			return fmt.Errorf("%w: %w", errRefused, err)
		}
	}
	return fmt.Errorf("%w: %w", errConflict, err)
}

// permanent reports whether storage refuses the request itself, as for a permission that
// the function lacks.
func permanent(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}, e.ErrorCode())
}

// again reports whether a swap should be repeated on the row as it is now.
func again(err error) bool {
	return errors.Is(err, errConflict) || errors.As(err, new(*changedError))
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
	if errors.As(err, new(*changedError)) {
		return next, later(g.Principal, "the grant keeps changing", nil)
	}
	return next, s.swapped(ctx, from, next, err)
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
