package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/tokens"
)

// leaseFor is how long a lease lasts. It is longer than a look, also by a clock
// that differs.
const leaseFor = lookFor + time.Minute

// ErrBusy says that another run holds the company's lease. Try again later.
var ErrBusy = errors.New("hooks: another run is looking at this company")

// Row is what is known of a company's hook. It is an item of the Connections
// table, under a key that no connection can have and in no index.
type Row struct {
	CompanyID int64
	HookID    int64            // 0: none, or none known
	Creator   tokens.Principal // whose connection made the hook
	Namespace string           // the hook's, as it was put right last,
	URL       string           // likewise
	Version   string           // the payload version for which its triggers were made
	Foreign   []int64          // hooks of other deployments in our namespace
	Offset    int              // connections tried in vain by the last look

	Recovery  recovery.Progress // through the hook's discarded deliveries
	Recovered int64             // events that were stored from them, ever

	holder string    // random, of each lease
	until  time.Time // of the lease; zero: free
	rev    int64     // and
	stored string    // the holder, of the item that was read
}

// lease is the row while its holder is we.
type lease struct{ row Row }

// Row reads what is known of a company's hook.
func (k *Reconciler) Row(ctx context.Context, companyID int64) (Row, error) {
	out, err := k.Store.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &k.Store.Connections, Key: rowKey(companyID), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Row{}, fmt.Errorf("hooks: row of company %d: %w", companyID, err)
	}
	r, err := rowOf(out.Item)
	r.CompanyID = companyID
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
	if k.Store.Clock.Now().Before(r.until) {
		return nil, ErrBusy
	}
	l := &lease{r}
	l.row.holder, l.row.until = k.Store.Random.Text(), k.Store.Clock.Now().Add(leaseFor)
	if err := k.save(ctx, l); err != nil {
		return nil, err
	}
	return l, nil
}

// save writes the row if it is still the lease's. ErrBusy means that the lease
// went to another run.
func (k *Reconciler) save(ctx context.Context, l *lease) error {
	in := &dynamodb.PutItemInput{TableName: &k.Store.Connections, ExpressionAttributeNames: map[string]string{"#rev": "rev"}}
	in.ConditionExpression = aws.String("attribute_not_exists(#rev)")
	if l.row.rev > 0 {
		// The holder too, for a backup brings old revisions back.
		in.ConditionExpression = aws.String("#rev = :rev AND #holder = :stored")
		in.ExpressionAttributeNames["#holder"] = "holder"
		in.ExpressionAttributeValues = map[string]types.AttributeValue{":rev": number(l.row.rev), ":stored": text(l.row.stored)}
	}
	next := l.row
	next.rev++
	in.Item = next.item()
	_, err := k.Store.DB.PutItem(ctx, in)
	if _, lost := errors.AsType[*types.ConditionalCheckFailedException](err); lost {
		// The first answer to this very write may have been lost, and the SDK repeated it.
		now, readErr := k.Row(ctx, l.row.CompanyID)
		if readErr != nil || now.rev != next.rev || now.holder != next.holder {
			return errors.Join(ErrBusy, readErr)
		}
		err = nil
	}
	if err != nil {
		return fmt.Errorf("hooks: row of company %d: %w", l.row.CompanyID, err)
	}
	l.row.rev, l.row.stored = next.rev, next.holder
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

// rowKey sorts beside no company, whose keys are numbers.
func rowKey(companyID int64) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"company_id": text("hook#" + strconv.FormatInt(companyID, 10)), "principal": text("webhooks")}
}

func (r Row) item() map[string]types.AttributeValue {
	item := rowKey(r.CompanyID)
	for name, v := range map[string]string{
		"holder": r.holder, "maker": string(r.Creator), "namespace": r.Namespace, "url": r.URL, "payload_version": r.Version,
		"cursor_after": r.Recovery.Cursor.After, "cursor_seen": r.Recovery.Cursor.Seen,
	} {
		if v != "" {
			item[name] = text(v)
		}
	}
	for name, n := range map[string]int64{
		"rev": r.rev, "hook_id": r.HookID, "tried": int64(r.Offset), "recovered": r.Recovered, "cursor_page": int64(r.Recovery.Cursor.Number),
		"until_ms": millis(r.until), "high_water_ms": millis(r.Recovery.HighWater), "cursor_since_ms": millis(r.Recovery.Cursor.Since),
	} {
		if n != 0 {
			item[name] = number(n)
		}
	}
	if len(r.Foreign) > 0 {
		var all []types.AttributeValue
		for _, id := range r.Foreign {
			all = append(all, number(id))
		}
		item["foreign_hooks"] = &types.AttributeValueMemberL{Value: all}
	}
	return item
}

func rowOf(item map[string]types.AttributeValue) (Row, error) {
	d := decoder{item: item}
	r := Row{
		HookID: d.number("hook_id"), Creator: tokens.Principal(d.text("maker")), Namespace: d.text("namespace"), URL: d.text("url"),
		Version: d.text("payload_version"), Offset: int(d.number("tried")), Recovered: d.number("recovered"),
		Recovery: recovery.Progress{HighWater: d.millis("high_water_ms"), Cursor: recovery.Cursor{
			Since: d.millis("cursor_since_ms"), Number: int(d.number("cursor_page")), After: d.text("cursor_after"), Seen: d.text("cursor_seen"),
		}},
		holder: d.text("holder"), stored: d.text("holder"), until: d.millis("until_ms"), rev: d.number("rev"),
	}
	if l, ok := item["foreign_hooks"].(*types.AttributeValueMemberL); ok {
		for _, v := range l.Value {
			e := decoder{item: map[string]types.AttributeValue{"id": v}}
			r.Foreign = append(r.Foreign, e.number("id"))
		}
	}
	return r, d.err
}

// decoder reads attributes. An absent one is zero; one of another type is an
// error.
type decoder struct {
	item map[string]types.AttributeValue
	err  error
}

func (d *decoder) text(name string) string {
	switch v := d.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return v.Value
	default:
		d.err = fmt.Errorf("attribute %q is no text", name)
	}
	return ""
}

func (d *decoder) number(name string) int64 {
	switch v := d.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			d.err = fmt.Errorf("attribute %q is no whole number", name)
		}
		return n
	default:
		d.err = fmt.Errorf("attribute %q is no number", name)
	}
	return 0
}

func (d *decoder) millis(name string) time.Time {
	if n := d.number(name); n != 0 {
		return time.UnixMilli(n)
	}
	return time.Time{}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
