package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
)

const (
	// passFor bounds one pass. The lease outlives it, also by a clock that differs.
	passFor  = 2 * time.Minute
	leaseFor = passFor + time.Minute
	// maxProblem bounds the error of a pass that the row has.
	maxProblem = 500
)

// ErrBusy means that another run holds the company's lease. Try again later.
var ErrBusy = errors.New("hooks: another run reconciles this company")

// Row is the item of a company's hook. It is beside the company's connections in the
// Connections table, in no index, and this package alone writes it.
type Row struct {
	CompanyID int64
	Memory
	Offset    int   // connections tried in vain by the last pass
	Recovered int64 // events that were stored from discarded deliveries, ever
	// Passed is when the last pass ended, and Problem is its error, cut to maxProblem bytes.
	Passed  time.Time
	Problem string

	until time.Time // of the lease; zero: free
	rev   int64     // counts the writes
	write string    // names the last one, and so the lease's holder
}

// lease is the row while this process holds it.
type lease struct {
	row Row
	// unanswered reports whether a request to create a hook may still be carried out. Until then no other run may
	// conclude that there is none.
	unanswered bool
}

// hookRow is the sort key of a hook's item.
const hookRow = "webhook"

// items are the hooks' items.
type items struct{ store *connections.Store }

func (i items) key(companyID int64) dynamo.Item {
	return i.store.Row(strconv.FormatInt(companyID, 10), hookRow)
}

func (i items) rows(companyID int64) dynamo.Rows[Row] {
	return dynamo.Rows[Row]{
		DB: i.store.DB, Table: i.store.Table, Random: i.store.Tokens.Random,
		Decode: func(r *Row, item dynamo.Item) error {
			r.CompanyID = companyID
			return dynamo.Decode(item, r.fields)
		},
		Encode:   func(r Row) (key, attributes dynamo.Item) { return i.key(companyID), dynamo.Encode(r.fields) },
		Revision: func(r *Row) (*int64, *string) { return &r.rev, &r.write },
	}
}

func (i items) read(ctx context.Context, companyID int64) (Row, error) {
	r, err := i.rows(companyID).Get(ctx, i.key(companyID))
	if err != nil {
		return r, fmt.Errorf("hooks: row of company %d: %w", companyID, err)
	}
	return r, nil
}

// take takes the company's lease, or returns ErrBusy.
func (i items) take(ctx context.Context, companyID int64) (*lease, error) {
	r, err := i.read(ctx, companyID)
	if err != nil {
		return nil, err
	}
	now := i.store.Tokens.Clock.Now()
	if now.Before(r.until) {
		return nil, ErrBusy
	}
	l := &lease{row: r}
	l.row.until = now.Add(leaseFor)
	if err := i.save(ctx, l); err != nil {
		return nil, err
	}
	return l, nil
}

// save writes the row if it is still the lease's. ErrBusy means that another run has the
// lease.
func (i items) save(ctx context.Context, l *lease) error {
	row, err := i.rows(l.row.CompanyID).Swap(ctx, l.row, l.row)
	if errors.As(err, new(*dynamo.ChangedError[Row])) {
		return ErrBusy
	}
	if err != nil {
		return fmt.Errorf("hooks: row of company %d: %w", l.row.CompanyID, err)
	}
	l.row = row
	return nil
}

// release stores what the pass found, and frees the lease, unless a request may still be
// carried out. If that fails the lease expires, and the next pass finds the same again.
func (i items) release(ctx context.Context, l *lease, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if !l.unanswered {
		l.row.until = time.Time{}
	}
	if err := i.save(ctx, l); err != nil {
		log.WarnContext(ctx, "lease not released", slog.Int64("company_id", l.row.CompanyID), slog.Any("error", err))
	}
}

// passed notes how a pass ended.
func (l *lease) passed(at time.Time, err error) {
	l.row.Passed, l.row.Problem = at, ""
	if err != nil {
		l.row.Problem = strings.ToValidUTF8(fmt.Sprintf("%.*s", maxProblem, err.Error()), "")
	}
}

func (r *Row) fields(f *dynamo.Fields) {
	f.Text("hook_id", (*string)(&r.HookID))
	f.Text("creator", (*string)(&r.Creator))
	f.Text("replaces", (*string)(&r.Replaces))
	f.Text("credential", &r.Credential)
	f.Millis("credential_ms", &r.CredentialAt)
	f.Text("payload_version", &r.Version)
	f.Millis("since_ms", &r.Since)
	dynamo.Maps(f, "foreign_hooks", &r.Foreign, func(id *procore.ID, f *dynamo.Fields) { f.Text("id", (*string)(id)) })
	dynamo.Maps(f, "repairs", &r.Repairs, (*Repair).fields)
	f.Int("tried", &r.Offset)
	f.Number("recovered", &r.Recovered)
	f.Millis("passed_ms", &r.Passed)
	f.Text("problem", &r.Problem)
	f.Millis("high_water_ms", &r.Recovery.HighWater)
	f.Millis("cursor_since_ms", &r.Recovery.Cursor.Since)
	f.Int("cursor_page", &r.Recovery.Cursor.Number)
	f.Text("cursor_seen", &r.Recovery.Cursor.Seen)
	f.Millis("until_ms", &r.until)
	f.Number("rev", &r.rev)
	f.Text("write", &r.write)
}

func (r *Repair) fields(f *dynamo.Fields) {
	f.Text("field", &r.Field)
	f.Text("want", &r.Want)
	f.Text("have", &r.Have)
	f.Int("tries", &r.Tries)
	f.Seconds("at", &r.At)
}
