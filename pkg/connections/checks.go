package connections

import (
	"context"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
)

// Shards is the number of partitions of the index checks, for each environment and turn, and of the index listed.
const Shards = 16

// Turn divides the connections whose check is due, so that housekeeping makes the checks
// that a person waits for before all others, however many are due.
type Turn string

// The turns.
const (
	First   Turn = "first"   // the webhook of a connection made within a day is pending
	Routine Turn = "routine" // any other check
	// Reconciliation is the turn of a company's row of that sort key, which is no connection.
	Reconciliation Turn = "reconcile"
)

// firstFor is how long after it was made a connection has the first turn. One whose
// webhook is pending for longer has trouble that no user waits for.
const firstFor = 24 * time.Hour

// turn returns the turn in which the connection is checked.
func (c Connection) turn() Turn {
	if c.State == Connected && c.Webhooks == WebhooksPending && c.CheckAt.Before(c.ConnectedAt.Add(firstFor)) {
		return First
	}
	return Routine
}

func (s *Store) partition(t Turn, shard int) string {
	return fmt.Sprintf("%s#%s#%d", s.Tokens.Environment.Name, t, shard)
}

func shard(companyID int64) int {
	h := fnv.New32a()
	fmt.Fprint(h, companyID)
	return int(h.Sum32() % Shards)
}

// InTurn returns the attributes by which [Store.Checks] finds a row of another package, due
// at that time.
func (s *Store) InTurn(t Turn, companyID int64, at time.Time) dynamo.Item {
	return dynamo.Item{"check_shard": dynamo.Text(s.partition(t, shard(companyID))), "check_at": dynamo.Seconds(at)}
}

// Begin makes the company's row of Reconciliation due at a time, unless it has a turn.
func (s *Store) Begin(ctx context.Context, companyID int64, at time.Time) error {
	due := new(dynamo.Expression).SetAbsent(s.InTurn(Reconciliation, companyID, at))
	key := s.Row(strconv.FormatInt(companyID, 10), string(Reconciliation))
	if err := dynamo.Write(ctx, s.DB, due.Update(s.Table, key)); err != nil {
		return fmt.Errorf("connections: company %d not scheduled for reconciliation: %w", companyID, err)
	}
	return nil
}

// Checks returns the connections of a turn and a shard (0 to Shards-1) that housekeeping
// should check before the given time, the earliest first. One that changed a moment ago
// may be missing, or no longer be due.
func (s *Store) Checks(ctx context.Context, t Turn, shard int, before time.Time) iter.Seq2[Key, error] {
	return dynamo.Query(ctx, s.DB, "connections: those to check", s.due(t, shard, before), s.readKey)
}

// Due is Checks for all shards together, the earliest first.
func (s *Store) Due(ctx context.Context, t Turn, before time.Time) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		var heads []*head
		for shard := range Shards {
			next, stop := iter.Pull2(dynamo.Query(ctx, s.DB, "connections: those to check", s.due(t, shard, before), s.readDue))
			defer stop()
			if h := (&head{next: next}); h.advance() {
				heads = append(heads, h)
			}
		}
		for len(heads) > 0 {
			h := slices.MinFunc(heads, func(a, b *head) int { return a.at.Compare(b.at) })
			if !yield(h.Key, h.err) {
				return
			}
			if !h.advance() {
				heads = slices.DeleteFunc(heads, func(other *head) bool { return other == h })
			}
		}
	}
}

// head is the first row of a shard that was not returned yet.
type head struct {
	due
	err  error
	next func() (due, error, bool)
}

// due is a row of the index.
type due struct {
	Key
	at time.Time
}

// advance reports whether there is another row.
func (h *head) advance() (ok bool) {
	h.due, h.err, ok = h.next()
	return ok
}

func (s *Store) readDue(d *due, item dynamo.Item) error {
	if err := dynamo.Decode(item, func(f *dynamo.Fields) { f.Seconds("check_at", &d.at) }); err != nil {
		return err
	}
	return s.readKey(&d.Key, item)
}

// OldestCheck returns since when the longest overdue check of a turn has been due. It is
// zero if none is due. A check that waits for a rate limit or an administrator is due
// when the wait ends.
func (s *Store) OldestCheck(ctx context.Context, t Turn) (oldest time.Time, err error) {
	read := func(at *time.Time, item dynamo.Item) error {
		return dynamo.Decode(item, func(f *dynamo.Fields) { f.Seconds("check_at", at) })
	}
	for shard := range Shards {
		in := s.due(t, shard, s.Tokens.Clock.Now())
		in.Limit = aws.Int32(1)
		for at, err := range dynamo.Query(ctx, s.DB, "connections: the oldest check", in, read) {
			if err != nil {
				return time.Time{}, err
			}
			if oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
			break
		}
	}
	return oldest, nil
}

// due returns a query of the sparse index.
func (s *Store) due(t Turn, shard int, before time.Time) *dynamodb.QueryInput {
	return new(dynamo.Expression).Equal("check_shard", dynamo.Text(s.partition(t, shard))).
		Compare("check_at", "<", dynamo.Number(before.Unix())).Query(s.Table, "checks")
}
