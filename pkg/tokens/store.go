package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
)

// Store keeps connections and gives out their access tokens. DB, the
// tables, Keys and OAuth must be set. It is for use by any number of goroutines;
// do not copy it.
type Store struct {
	DB          *dynamodb.Client
	Connections string // the table's name
	Spends      string // the ledger's table

	Keys  SecretSource[*Keys]          // the key ring
	OAuth SecretSource[*procore.OAuth] // the app's credentials

	// Rescue takes a new pair that storage refuses, for Restore to store later.
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

// rows are the rows of the Connections table.
func (s *Store) rows() dynamo.Rows[Connection] {
	return dynamo.Rows[Connection]{
		DB: s.DB, Table: s.Connections, Random: s.Random, Decode: (*Connection).read,
		Encode:   func(c Connection) (key, attributes dynamo.Item) { return c.primaryKey(), c.attributes() },
		Revision: func(c *Connection) (*int64, *string) { return &c.Rev, &c.write },
	}
}

// Connection reads a connection, strongly consistent. A missing one is an error
// that matches ErrNotFound.
func (s *Store) Connection(ctx context.Context, key Key) (Connection, error) {
	item, err := dynamo.Get(ctx, s.DB, s.Connections, key.primaryKey())
	if err != nil {
		return Connection{}, later(key, "the connection could not be read", err)
	}
	if len(item) == 0 {
		return Connection{}, &Error{Key: key, Decision: ErrNotFound}
	}
	var c Connection
	err = c.read(item)
	return c, err
}

// changedError says that the row is no longer the one that was read.
type changedError = dynamo.ChangedError[Connection]

// swap writes next in place of old if the row is still as it was read, and
// gives what is stored now. also joins the same transaction. A lost race is
// *changedError with the row that won; after any other error it is unknown
// whether the write happened.
func (s *Store) swap(ctx context.Context, old, next Connection, also ...types.TransactWriteItem) (Connection, error) {
	next, err := s.rows().Swap(ctx, old, next, also...)
	return next, s.swapped(ctx, old, next, err)
}

// swapped maps the error of a swap, and logs what it changed of the state.
func (s *Store) swapped(ctx context.Context, old, next Connection, err error) error {
	if err == nil && old.State != next.State {
		s.changed(ctx, old, next)
	}
	return lost(err)
}

func (s *Store) changed(ctx context.Context, old, next Connection) {
	attrs := []slog.Attr{slog.Any("", next.Key), slog.String("from", string(old.State)), slog.String("to", string(next.State)),
		slog.Int64("generation", next.Generation), slog.String("attempt", next.stateAttempt), slog.String("reason", next.Reason)}
	switch {
	case next.State == Reauthorize && next.Reason == overwritten: // a line of its own: it is to raise no alarm
		s.log().LogAttrs(ctx, slog.LevelInfo, "connection overwritten", attrs...)
	case next.State == Uncertain, next.State == Reauthorize, next.State == Disconnected:
		s.log().LogAttrs(ctx, slog.LevelWarn, "connection changed", attrs...)
	default:
		s.log().LogAttrs(ctx, slog.LevelInfo, "connection changed", attrs...)
	}
}

var (
	// errElsewhere says that another item of a transaction refused it.
	errElsewhere = errors.New("tokens: another item of the transaction failed its condition")
	// errConflict says that a transaction did not happen, because another one was
	// under way on the same row or storage was busy.
	errConflict = errors.New("tokens: the transaction met another one")
)

// lost maps the failed condition of a transaction's later item to errElsewhere,
// and any other cancelled transaction but a lost race to errConflict. Where the row
// itself met another transaction, what that one has done to the later items proves
// nothing yet.
func lost(err error) error {
	reasons, refused := dynamo.Refused(err)
	switch {
	case !refused:
		return err
	case reasons.Code(0) == "None" && reasons.AnyFailed(1):
		return errElsewhere
	}
	return fmt.Errorf("%w: %w", errConflict, err)
}

// apply makes one step of a connection, again on the newer row when a race was
// lost. step gives false when nothing is to be done; being repeated, it must
// see by the row whether it happened already, for the answer to a write may be
// lost.
func (s *Store) apply(ctx context.Context, c Connection, step func(Connection) (Connection, bool)) (Connection, error) {
	var from Connection
	next, err := s.rows().Apply(ctx, c, func(c Connection) (Connection, bool) {
		from = c
		return step(c)
	})
	if errors.As(err, new(*changedError)) {
		return next, later(c.Key, "the connection keeps changing", nil)
	}
	return next, s.swapped(ctx, from, next, err)
}

// applyUntil is apply, repeated while storage fails until the context ends.
func (s *Store) applyUntil(ctx context.Context, c Connection, step func(Connection) (Connection, bool)) (Connection, error) {
	for b := s.backoff(); ; {
		next, err := s.apply(ctx, c, step)
		if err == nil {
			return next, nil
		}
		if b.wait(ctx) != nil {
			return c, fmt.Errorf("tokens: %s could not be stored: %w", c.Key, err)
		}
	}
}
