package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
)

const (
	// turnFor bounds a company's turn. The lease outlives it, also by a clock that differs.
	turnFor  = time.Minute
	leaseFor = turnFor + time.Minute
	// closing is what a turn leaves of the time to store how far it came.
	closing = 5 * time.Second
)

// errBusy means that another run works for the company, or that it waits.
var errBusy = errors.New("reconcile: another run works for this company")

// A row is how far a company is reconciled. It is beside the company's connections in the
// Connections table, which has a turn in the index checks.
type row struct {
	companyID int64
	cursors   []cursor
	due       time.Time
	// retry is before when no turn is due, whatever due is, which shows the lag.
	retry time.Time
	// held is since when no window could be opened, because deliveries were in trouble;
	// trouble is when that was last seen.
	held, trouble time.Time
	// emitted is since when events were stored of which it is not known whether their own
	// came, and last is when the latest was.
	emitted, last time.Time
	// hour is the one in which backfilled events were stored.
	hour       time.Time
	backfilled int

	until time.Time // of the lease; zero: free
	rev   int64
	write string
}

func (r *Reconciler) rows(companyID int64) (dynamo.Rows[row], dynamo.Item) {
	key := r.Store.Row(strconv.FormatInt(companyID, 10), string(connections.Reconciliation))
	return dynamo.Rows[row]{
		DB: r.Store.DB, Table: r.Store.Table, Random: r.Store.Tokens.Random,
		Decode: func(w *row, item dynamo.Item) error {
			w.companyID = companyID
			return dynamo.Decode(item, w.fields)
		},
		Encode: func(w row) (dynamo.Item, dynamo.Item) {
			attributes := dynamo.Encode(w.fields)
			attributes["check_shard"] = r.Store.InTurn(connections.Reconciliation, companyID, w.due)["check_shard"]
			return key, attributes
		},
		Revision: func(w *row) (*int64, *string) { return &w.rev, &w.write },
	}, key
}

func (r *Reconciler) readRow(ctx context.Context, companyID int64) (row, error) {
	rows, key := r.rows(companyID)
	w, err := rows.Get(ctx, key)
	if err != nil {
		err = fmt.Errorf("reconcile: row of company %d: %w", companyID, err)
	}
	return w, err
}

// take takes the lease of a company whose turn it is, or of one that a person asked for, or returns errBusy.
func (r *Reconciler) take(ctx context.Context, companyID int64, asked bool) (row, error) {
	w, err := r.readRow(ctx, companyID)
	if err != nil {
		return w, err
	}
	now := r.now()
	if now.Before(w.until) || !asked && (now.Before(w.retry) || now.Before(w.due)) {
		return w, errBusy
	}
	w.until = now.Add(leaseFor)
	return r.save(ctx, w)
}

// save writes the row if the lease is still this run's.
func (r *Reconciler) save(ctx context.Context, w row) (row, error) {
	rows, _ := r.rows(w.companyID)
	next, err := rows.Swap(ctx, w, w)
	if errors.As(err, new(*dynamo.ChangedError[row])) {
		return w, errBusy
	}
	if err != nil {
		return w, fmt.Errorf("reconcile: row of company %d: %w", w.companyID, err)
	}
	return next, nil
}

// release stores how far the turn came, and frees the lease. If that fails, a later turn
// finds the same again.
func (r *Reconciler) release(ctx context.Context, w row) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	w.until = time.Time{}
	_, err := r.save(ctx, w)
	return err
}

// adopt gives each subject that can be covered a cursor, and drops the others'. The first
// ones begin with the hook; a resource that is subscribed later begins now.
func (w *row) adopt(all []subject, since, now time.Time) {
	begin := now
	if len(w.cursors) == 0 {
		begin = since
	}
	var kept []cursor
	for _, s := range all {
		if s.reason != "" {
			continue
		}
		i := slices.IndexFunc(w.cursors, func(c cursor) bool { return c.Resource == s.Name })
		if i < 0 {
			kept = append(kept, cursor{Resource: s.Name, Begin: begin, From: begin})
		} else {
			kept = append(kept, w.cursors[i])
		}
	}
	w.cursors = kept
}

// plan sets when the company is due: with the resource that is due first.
func (w *row) plan(period time.Duration, now time.Time) {
	w.due = now.Add(period)
	for i, c := range w.cursors {
		if at := c.due(period); i == 0 || at.Before(w.due) {
			w.due = at
		}
	}
}

func (w *row) fields(f *dynamo.Fields) {
	dynamo.Maps(f, "cursors", &w.cursors, (*cursor).fields)
	f.Seconds("check_at", &w.due)
	f.Millis("retry_ms", &w.retry)
	f.Millis("held_ms", &w.held)
	f.Millis("trouble_ms", &w.trouble)
	f.Millis("emitted_ms", &w.emitted)
	f.Millis("last_ms", &w.last)
	f.Seconds("hour", &w.hour)
	f.Int("backfilled", &w.backfilled)
	f.Millis("until_ms", &w.until)
	f.Number("rev", &w.rev)
	f.Text("write", &w.write)
}
