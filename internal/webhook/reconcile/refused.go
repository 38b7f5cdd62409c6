package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

const (
	// refusedFor is how long a project's tool is not read after Procore refused it: each
	// such call is an error in Procore's books.
	refusedFor = 3 * 24 * time.Hour
	maxRefused = 2000 // of a company's resource
)

// A refusal is a project whose tool the connection may not read.
type refusal struct {
	project int64
	since   time.Time // what changed from then on was not seen
	until   time.Time // not read before
}

// refusals are those of one resource of a company, in the Connections table.
type refusals struct {
	companyID int64
	resource  string
	by        tokens.Principal // who was refused; another one may be permitted
	all       []refusal

	rev   int64
	write string
}

func (r *Reconciler) refusals(companyID int64, resource string) (dynamo.Rows[refusals], dynamo.Item) {
	key := r.Store.Row(strconv.FormatInt(companyID, 10), "refused#"+resource)
	return dynamo.Rows[refusals]{
		DB: r.Store.DB, Table: r.Store.Table, Random: r.Store.Tokens.Random,
		Decode: func(f *refusals, item dynamo.Item) error {
			f.companyID, f.resource = companyID, resource
			return dynamo.Decode(item, f.fields)
		},
		Encode:   func(f refusals) (dynamo.Item, dynamo.Item) { return key, dynamo.Encode(f.fields) },
		Revision: func(f *refusals) (*int64, *string) { return &f.rev, &f.write },
	}, key
}

func (r *Reconciler) readRefusals(ctx context.Context, companyID int64, resource string) (refusals, error) {
	rows, key := r.refusals(companyID, resource)
	f, err := rows.Get(ctx, key)
	if err != nil {
		err = fmt.Errorf("reconcile: refused projects of company %d, %s: %w", companyID, resource, err)
	}
	return f, err
}

func (r *Reconciler) saveRefusals(ctx context.Context, f refusals) (refusals, error) {
	rows, _ := r.refusals(f.companyID, f.resource)
	next, err := rows.Swap(ctx, f, f)
	if err != nil {
		return f, fmt.Errorf("reconcile: refused projects of company %d, %s: %w", f.companyID, f.resource, err)
	}
	return next, nil
}

// of returns a project's refusal, and whether the project is not read now.
func (f *refusals) of(project int64, by tokens.Principal, now time.Time) (refusal, bool) {
	i := slices.IndexFunc(f.all, func(r refusal) bool { return r.project == project })
	if i < 0 {
		return refusal{}, false
	}
	return f.all[i], f.by == by && now.Before(f.all[i].until)
}

// add remembers a project that was refused; since stays that of an earlier refusal.
func (f *refusals) add(project int64, by tokens.Principal, since, now time.Time) {
	if old, _ := f.of(project, by, now); !old.since.IsZero() {
		since = old.since
	}
	f.remove(project)
	if f.by != by { // nothing is known of what this one may read
		f.by = by
		for i := range f.all {
			f.all[i].until = time.Time{}
		}
	}
	f.all = append(f.all, refusal{project, since, now.Add(refusedFor)})
	if n := len(f.all) - maxRefused; n > 0 {
		f.all = f.all[n:]
	}
}

func (f *refusals) remove(project int64) {
	f.all = slices.DeleteFunc(f.all, func(r refusal) bool { return r.project == project })
}

func (f *refusals) fields(d *dynamo.Fields) {
	d.Text("by", (*string)(&f.by))
	dynamo.Maps(d, "projects", &f.all, func(r *refusal, d *dynamo.Fields) {
		d.Number("project", &r.project)
		d.Millis("since_ms", &r.since)
		d.Seconds("until", &r.until)
	})
	d.Number("rev", &f.rev)
	d.Text("write", &f.write)
}

// refusalsOf returns a resource's refusals, read once in a turn.
func (t *turn) refusalsOf(ctx context.Context, resource string) (*refusals, error) {
	if f := t.denied[resource]; f != nil {
		return f, nil
	}
	f, err := t.readRefusals(ctx, t.w.companyID, resource)
	if err == nil {
		t.denied[resource] = &f
	}
	return &f, err
}

func (t *turn) keepRefusals(ctx context.Context, f *refusals) (err error) {
	*f, err = t.saveRefusals(ctx, *f)
	return err
}
