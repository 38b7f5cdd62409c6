package provision

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"procore-connect/internal/platform/dynamo"
)

// All returns what is known of the hooks of all companies. It reads the whole table: it is for a person who asks, not for
// a schedule. A row that cannot be read is an error beside the others.
func (k *Reconciler) All(ctx context.Context) iter.Seq2[Row, error] {
	var environment string
	_ = dynamo.Decode(k.Store.Row("", ""), func(f *dynamo.Fields) { f.Text("company", &environment) }) // the row is ours
	read := func(r *Row, item dynamo.Item) error {
		var company, sort string
		if err := dynamo.Decode(item, func(f *dynamo.Fields) { f.Text("company", &company); f.Text("principal", &sort) }); err != nil {
			return fmt.Errorf("hooks: a row's key: %w", err)
		}
		id, ours := strings.CutPrefix(company, environment)
		if !ours || sort != hookRow {
			return nil
		}
		var err error
		if r.CompanyID, err = strconv.ParseInt(id, 10, 64); err == nil {
			err = dynamo.Decode(item, r.fields)
		}
		if err != nil {
			return fmt.Errorf("hooks: row of company %q: %w", id, err)
		}
		return nil
	}
	return func(yield func(Row, error) bool) {
		for r, err := range dynamo.Scan(ctx, k.Store.DB, "hooks: all", k.Store.Table, read) {
			if (err != nil || r.CompanyID != 0) && !yield(r, err) {
				return
			}
		}
	}
}
