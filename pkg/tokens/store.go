package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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

	// RetryOnce lets the schedule send a refresh token a second time when no
	// answer to the first sending is known. It may bring a connection back that
	// would need its user otherwise, and breaks the rule that a refresh token is
	// sent at most once: if Procore treats a repetition as theft, the connection
	// and its successors are revoked. false: never.
	RetryOnce bool

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

// Connection reads a connection, strongly consistent. A missing one is an error
// that matches ErrNotFound.
func (s *Store) Connection(ctx context.Context, key Key) (Connection, error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.Connections, Key: key.primaryKey(), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Connection{}, later(key, "the connection could not be read", err)
	}
	if len(out.Item) == 0 {
		return Connection{}, &Error{Key: key, Decision: ErrNotFound}
	}
	return connectionOf(out.Item)
}

// changedError says that the row is no longer the one that was read.
type changedError struct{ current Connection }

func (e *changedError) Error() string { return "tokens: " + e.current.String() + " changed meanwhile" }

// swap writes next in place of old if the row is still as it was read, and
// gives what is stored now. also joins the same transaction. A lost race is
// *changedError with the row that won; after any other error it is unknown
// whether the write happened.
func (s *Store) swap(ctx context.Context, old, next Connection, also ...types.TransactWriteItem) (Connection, error) {
	next.Rev, next.write = old.Rev+1, s.Random.Text()
	u := s.update(old, next)
	if len(also) > 0 {
		_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: append([]types.TransactWriteItem{{Update: u}}, also...),
		})
		return next, s.swapped(ctx, old, next, err)
	}
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                           u.TableName,
		Key:                                 u.Key,
		UpdateExpression:                    u.UpdateExpression,
		ConditionExpression:                 u.ConditionExpression,
		ExpressionAttributeNames:            u.ExpressionAttributeNames,
		ExpressionAttributeValues:           u.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: u.ReturnValuesOnConditionCheckFailure,
	})
	return next, s.swapped(ctx, old, next, err)
}

// swapped maps the error of a swap, and logs what it changed of the state. A
// swap whose answer was lost has no line.
func (s *Store) swapped(ctx context.Context, old, next Connection, err error) error {
	if err == nil && old.State != next.State {
		s.changed(ctx, old, next)
	}
	return lost(old.Key, err)
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

// update sets every known attribute to next's and keeps unknown ones, which a
// newer version may have written.
func (s *Store) update(old, next Connection) *types.Update {
	names := map[string]string{"#rev": "rev"}
	values := map[string]types.AttributeValue{}
	condition := "attribute_not_exists(#rev)"
	if old.Rev > 0 {
		condition = "#rev = :old"
		values[":old"] = num(old.Rev)
	}
	if old.write != "" {
		condition += " AND #write = :old_write"
		values[":old_write"] = str(old.write)
	}
	var set, remove []string
	attributes := next.attributes()
	for name, value := range attributes {
		names["#"+name] = name
		if value == nil {
			remove = append(remove, "#"+name)
			continue
		}
		set = append(set, "#"+name+" = :"+name)
		values[":"+name] = value
	}
	slices.Sort(set)
	slices.Sort(remove)
	expression := "SET " + strings.Join(set, ", ")
	if len(remove) > 0 {
		expression += " REMOVE " + strings.Join(remove, ", ")
	}
	return &types.Update{
		TableName:                           &s.Connections,
		Key:                                 next.primaryKey(),
		UpdateExpression:                    &expression,
		ConditionExpression:                 &condition,
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

var (
	// errElsewhere says that another item of a transaction refused it.
	errElsewhere = errors.New("tokens: another item of the transaction failed its condition")
	// errConflict says that a transaction did not happen, because another one was
	// under way on the same row or storage was busy.
	errConflict = errors.New("tokens: the transaction met another one")
)

// lost maps a failed condition, of a single write or of the first item of a
// transaction, to *changedError, one of a later item to errElsewhere, and any
// other cancelled transaction to errConflict. Where the row itself met another
// transaction, what that one has done to the later items proves nothing yet.
func lost(key Key, err error) error {
	var item map[string]types.AttributeValue
	var single *types.ConditionalCheckFailedException
	var many *types.TransactionCanceledException
	switch {
	case errors.As(err, &single):
		item = single.Item
	case errors.As(err, &many) && failed(many, 0):
		item = many.CancellationReasons[0].Item
	case errors.As(err, &many) && passed(many, 0) && failedAfter(many, 1):
		return errElsewhere
	case errors.As(err, &many):
		return fmt.Errorf("%w: %w", errConflict, err)
	default:
		return err
	}
	if len(item) == 0 {
		return &changedError{Connection{Key: key}}
	}
	current, err := connectionOf(item)
	if err != nil {
		return err
	}
	return &changedError{current}
}

func passed(e *types.TransactionCanceledException, i int) bool {
	return i < len(e.CancellationReasons) && aws.ToString(e.CancellationReasons[i].Code) == "None"
}

func failed(e *types.TransactionCanceledException, i int) bool {
	return i < len(e.CancellationReasons) && aws.ToString(e.CancellationReasons[i].Code) == "ConditionalCheckFailed"
}

func failedAfter(e *types.TransactionCanceledException, from int) bool {
	for i := from; i < len(e.CancellationReasons); i++ {
		if failed(e, i) {
			return true
		}
	}
	return false
}

// apply makes one step of a connection, again on the newer row when a race was
// lost. step gives false when nothing is to be done; being repeated, it must
// see by the row whether it happened already, for the answer to a write may be
// lost.
func (s *Store) apply(ctx context.Context, c Connection, step func(Connection) (Connection, bool)) (Connection, error) {
	for range 10 {
		next, ok := step(c)
		if !ok {
			return c, nil
		}
		next, err := s.swap(ctx, c, next)
		var changed *changedError
		if !errors.As(err, &changed) {
			return next, err
		}
		c = changed.current
	}
	return c, later(c.Key, "the connection keeps changing", nil)
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
