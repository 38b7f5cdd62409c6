package restore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"
)

// Plan is what is missing, and what of it comes back.
type Plan struct {
	At          time.Time `json:"at"`
	Grants      int       `json:"grants"`                // that are missing, and come back
	Rows        int       `json:"rows"`                  // likewise, of connections, webhooks and reconciliation
	Companies   []int64   `json:"companies"`             // of these rows
	Except      []int64   `json:"except"`                // companies of which nothing comes back, although something is missing
	LedgerEmpty bool      `json:"ledger_empty,omitzero"` // no refresh token is known to have been sent

	missing map[string]map[string]bool // by table, the keys of the rows that come back
}

// Nothing reports whether nothing comes back.
func (p *Plan) Nothing() bool { return p.Grants+p.Rows == 0 }

// Compare returns which rows of the copies are missing in the tables. Of the companies in except nothing comes back: a company
// that was erased since the backup must not.
func (r *Restorer) Compare(ctx context.Context, except []int64) (*Plan, error) {
	p := &Plan{At: r.At, missing: map[string]map[string]bool{}}
	var companies, left map[int64]bool
	g, scan := errgroup.WithContext(ctx)
	found := [2]map[string]bool{}
	for i, k := range []kind{r.grants(), r.connections()} {
		g.Go(func() (err error) {
			there := map[string]bool{}
			err = r.scan(scan, k.table, 0, 1, k, func(one *row) error {
				there[one.key] = true
				return nil
			})
			if err != nil {
				return err
			}
			missing, some, others := map[string]bool{}, map[int64]bool{}, map[int64]bool{}
			err = r.scan(scan, copyName(k.table, r.At), 0, 1, k, func(one *row) error {
				switch {
				case there[one.key] || !one.own:
				case slices.Contains(except, one.company):
					others[one.company] = true
				default:
					missing[one.key] = true
					some[one.company] = true
				}
				return nil
			})
			if found[i] = missing; i == 1 {
				companies, left = some, others
			}
			return err
		})
	}
	g.Go(func() error {
		out, err := r.db().Scan(scan, &dynamodb.ScanInput{TableName: &r.Connections.Tokens.Spends, Limit: aws.Int32(1), ConsistentRead: aws.Bool(true)})
		p.LedgerEmpty = err == nil && len(out.Items) == 0
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	p.missing[r.grants().table], p.missing[r.connections().table] = found[0], found[1]
	p.Grants, p.Rows = len(found[0]), len(found[1])
	p.Companies, p.Except = sorted(companies), sorted(left)
	return p, nil
}

// sorted returns the ids in order, and no nil.
func sorted(ids map[int64]bool) []int64 { return append([]int64{}, slices.Sorted(maps.Keys(ids))...) }
