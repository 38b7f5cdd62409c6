package doctor

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/invariants"
)

// Violation is what no function does to a grant.
type Violation struct {
	At        time.Time `json:"at"` // of the read that found it
	Principal string    `json:"principal"`
	Companies []string  `json:"companies,omitempty"`
	Old       string    `json:"old,omitempty"` // empty: the grant was new to the watch
	New       string    `json:"new,omitempty"` // empty: the grant is gone
	Problems  []string  `json:"problems"`
}

// Watched counts what a watch did.
type Watched struct{ Reads, Unread, Violations int }

// Watch reads all grants again and again until ctx ends, every so often, and reports each violation: a row that breaks an
// invariant, and a change between two reads to which no path of spec/transitions.txt leads. A change of many writes
// between two reads is judged by whether there is a path of at most so many transitions, so a shorter time sees more. A
// read that fails is counted, and does not end the watch.
func (d *Doctor) Watch(ctx context.Context, every time.Duration, report func(Violation)) Watched {
	var w Watched
	seen := map[string]invariants.Row{}
	allowed := invariants.Allowed()
	for {
		rows, err := d.readGrants(ctx)
		switch {
		case ctx.Err() != nil:
			return w
		case err != nil:
			w.Unread++
			d.progress("not read: %v", err)
		default:
			w.Reads++
			for _, v := range d.compare(seen, rows, allowed) {
				w.Violations++
				report(v)
			}
			seen = rows
			d.progress("read %d: %d grants", w.Reads, len(rows))
		}
		if d.Clock().Sleep(ctx, every) != nil {
			return w
		}
	}
}

// readGrants reads all grants. Of a pair it keeps a hash.
func (d *Doctor) readGrants(ctx context.Context) (map[string]invariants.Row, error) {
	s := &survey{Doctor: d}
	rows := map[string]invariants.Row{}
	var errs []error
	for item, err := range s.scan(ctx, "grants", d.Connections.Tokens.Grants, "grant") {
		if err != nil {
			return nil, err
		}
		if !invariants.IsGrant(item) {
			continue
		}
		row, err := invariants.RowOf(item)
		if err != nil && len(errs) < maxProblems {
			errs = append(errs, err)
		}
		if len(row.Sealed) > 0 {
			sum := sha256.Sum256(row.Sealed)
			row.Sealed = sum[:]
		}
		rows[row.Grant] = row
	}
	return rows, errors.Join(errs...)
}

// compare returns the violations between two reads.
func (d *Doctor) compare(before, now map[string]invariants.Row, allowed invariants.Transitions) (all []Violation) {
	at := d.Clock().Now()
	for key, row := range now {
		old, known := before[key]
		var problems []string
		if known {
			problems = invariants.CheckSpan(invariants.Change{Old: old, New: row}, allowed)
		}
		if !known || len(problems) > 0 || old.Rev != row.Rev {
			problems = append(problems, invariants.CheckRow(row, at)...)
		}
		if len(problems) == 0 {
			continue
		}
		v := violation(at, row, problems)
		if v.New = row.Brief(); known {
			v.Old = old.Brief()
		}
		all = append(all, v)
	}
	for key, old := range before {
		if _, still := now[key]; !still { // an erased company's grants remain, revoked
			v := violation(at, old, []string{"the row was deleted, which no function does"})
			v.Old = old.Brief()
			all = append(all, v)
		}
	}
	slices.SortStableFunc(all, func(a, b Violation) int { return strings.Compare(a.Principal, b.Principal) })
	return all
}

func violation(at time.Time, row invariants.Row, problems []string) Violation {
	_, principal, _ := strings.Cut(row.Grant, "#")
	v := Violation{At: at, Principal: principal, Companies: row.Holders}
	for _, problem := range problems {
		if _, said, cut := strings.Cut(problem, ": "); cut && strings.HasPrefix(problem, "row ") {
			problem = said
		}
		v.Problems = append(v.Problems, short(problem))
	}
	return v
}
