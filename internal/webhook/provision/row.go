package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// leaseFor is how long a lease lasts. It is longer than a look, also by a clock
// that differs.
const leaseFor = lookFor + time.Minute

// ErrBusy says that another run holds the company's lease. Try again later.
var ErrBusy = errors.New("hooks: another run is looking at this company")

// Row is what is known of a company's hook. It is an item of the Connections
// table, beside the company's connections and in no index.
type Row struct {
	CompanyID int64
	HookID    procore.ID       // empty: none, or none known
	Creator   tokens.Principal // whose connection made the hook
	Namespace string           // the hook's, as it was put right last,
	URL       string           // likewise
	Version   string           // the payload version for which its triggers were made
	Foreign   []procore.ID     // hooks of other deployments in our namespace
	// Credential is the one that Procore last accepted, without its proof.
	Credential string
	Offset     int // connections tried in vain by the last look

	Recovery  recovery.Progress // through the hook's discarded deliveries
	Recovered int64             // events that were stored from them, ever

	until time.Time // of the lease; zero: free
	rev   int64     // counts the writes
	write string    // names the last one, and so the lease's holder
}

// lease is the row while its holder is we.
type lease struct {
	row        Row
	version    string // of the payload that the company's hook should have
	credential string // that it should have
	made       procore.ID
}

// rows are the rows of a company's hook, of which there is one.
func (k *Reconciler) rows(companyID int64) dynamo.Rows[Row] {
	return dynamo.Rows[Row]{
		DB: k.Store.DB, Table: k.Store.Table, Random: k.Store.Tokens.Random,
		Decode: func(r *Row, item dynamo.Item) error {
			r.CompanyID = companyID
			return dynamo.Decode(item, r.fields)
		},
		Encode:   func(r Row) (key, attributes dynamo.Item) { return k.rowKey(companyID), dynamo.Encode(r.fields) },
		Revision: func(r *Row) (*int64, *string) { return &r.rev, &r.write },
	}
}

// Row reads what is known of a company's hook.
func (k *Reconciler) Row(ctx context.Context, companyID int64) (Row, error) {
	r, err := k.rows(companyID).Get(ctx, k.rowKey(companyID))
	if err != nil {
		return r, fmt.Errorf("hooks: row of company %d: %w", companyID, err)
	}
	return r, nil
}

// take takes the company's lease, or gives ErrBusy.
func (k *Reconciler) take(ctx context.Context, companyID int64) (*lease, error) {
	r, err := k.Row(ctx, companyID)
	if err != nil {
		return nil, err
	}
	if k.now().Before(r.until) {
		return nil, ErrBusy
	}
	l := &lease{row: r}
	l.row.until = k.now().Add(leaseFor)
	if err := k.save(ctx, l); err != nil {
		return nil, err
	}
	return l, nil
}

// save writes the row if it is still the lease's. ErrBusy means that the lease
// went to another run.
func (k *Reconciler) save(ctx context.Context, l *lease) error {
	row, err := k.rows(l.row.CompanyID).Swap(ctx, l.row, l.row)
	if errors.As(err, new(*dynamo.ChangedError[Row])) {
		return ErrBusy
	}
	if err != nil {
		return fmt.Errorf("hooks: row of company %d: %w", l.row.CompanyID, err)
	}
	l.row = row
	return nil
}

// release writes down what the look found and frees the lease. Should that fail
// the lease ends by itself, and the next look finds the same again.
func (k *Reconciler) release(ctx context.Context, l *lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	l.row.until = time.Time{}
	if err := k.save(ctx, l); err != nil {
		k.log().WarnContext(ctx, "lease not released", slog.Int64("company_id", l.row.CompanyID), slog.Any("error", err))
	}
}

func (k *Reconciler) rowKey(companyID int64) dynamo.Item {
	return k.Store.Row(strconv.FormatInt(companyID, 10), connections.WebhookRow)
}

func (r *Row) fields(f *dynamo.Fields) {
	f.Text("hook_id", (*string)(&r.HookID))
	f.Text("credential", &r.Credential)
	f.Text("maker", (*string)(&r.Creator))
	f.Text("namespace", &r.Namespace)
	f.Text("url", &r.URL)
	f.Text("payload_version", &r.Version)
	foreign := make([]string, len(r.Foreign))
	for i, id := range r.Foreign {
		foreign[i] = id.String()
	}
	f.Texts("foreign_hooks", &foreign)
	r.Foreign = nil
	for _, id := range foreign {
		r.Foreign = append(r.Foreign, procore.ID(id))
	}
	f.Int("tried", &r.Offset)
	f.Number("recovered", &r.Recovered)
	f.Millis("high_water_ms", &r.Recovery.HighWater)
	f.Millis("cursor_since_ms", &r.Recovery.Cursor.Since)
	f.Int("cursor_page", &r.Recovery.Cursor.Number)
	f.Text("cursor_seen", &r.Recovery.Cursor.Seen)
	f.Millis("until_ms", &r.until)
	f.Number("rev", &r.rev)
	f.Text("write", &r.write)
}
