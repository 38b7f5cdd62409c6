package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// Result is what became of a plan.
type Result struct {
	Grants   int `json:"grants"`   // that came back
	Rows     int `json:"rows"`     // likewise, of connections, webhooks and reconciliation
	Newer    int `json:"newer"`    // rows that exist by now, and remain; also one whose put had no answer and was repeated
	Failed   int `json:"failed"`   // rows that could not be put, and those that wait for them
	Released int `json:"released"` // holders of grants whose connections have ended since the backup, or are gone
}

const (
	// maxErrors is how many errors of rows are reported.
	maxErrors = 5
	// maxFailed is after how many failures nothing more is tried.
	maxFailed = 100
	// reportEvery is after how many rows progress is called.
	reportEvery = 1000
)

// Put puts the rows of a plan into the tables, each on condition that it is still missing. It goes on after a row that could
// not be put. progress is called with the number of rows that are done.
//
// The grants come first. A grant whose companies have no connection yet harms nothing: it is refreshed as usual, and only
// one without a holder is revoked. A connection whose user has no grant yet would harm: calls by it fail and ask for a new
// authorization. If the user gave one, the grant would exist, with one company as its only holder, and the old one with the
// others could never come back. So a connection also waits, for another call, while its user's grant could not be put.
//
// In the end a grant is released by companies whose connections have ended since the backup, or are not restored. No one
// else would: see [connections.Store.ReleaseEnded]. A grant that nothing holds then is revoked by housekeeping. A company whose
// row of reconciliation is still missing becomes due.
func (r *Restorer) Put(ctx context.Context, p *Plan, progress func(done int)) (Result, error) {
	w := &putter{Restorer: r, plan: p, progress: progress, waits: map[tokens.Principal]bool{}}
	for _, k := range []kind{r.grants(), r.connections()} {
		if err := w.all(ctx, k); err != nil {
			return w.result, err
		}
	}
	if w.result.Failed > 0 {
		return w.result, fmt.Errorf("%d rows could not be restored: %w", w.result.Failed, w.joined())
	}
	err := w.release(ctx)
	return w.result, err
}

// putter is one call of Put.
type putter struct {
	*Restorer
	plan     *Plan
	progress func(int)

	mu     sync.Mutex
	result Result
	done   int
	errs   []error
	waits  map[tokens.Principal]bool // whose grants could not be put
}

// all puts the rows of a table, those of several parts of its copy at once.
func (w *putter) all(ctx context.Context, k kind) error {
	missing := w.plan.missing[k.table]
	if len(missing) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for part := range int32(segments) {
		g.Go(func() error {
			return w.scan(ctx, copyName(k.table, w.At), part, segments, k, func(one *row) error {
				if !missing[one.key] {
					return nil
				}
				return w.put(ctx, k, one)
			})
		})
	}
	return g.Wait()
}

// put puts one row. Its error ends the call.
func (w *putter) put(ctx context.Context, k kind, one *row) error {
	err := w.blocked(one)
	if err == nil {
		err = dynamo.Write(ctx, w.db(), new(dynamo.Expression).Absent(w.partition(k)).Put(k.table, one.item))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && k.table == w.Connections.Table:
		w.result.Rows++
	case err == nil:
		w.result.Grants++
	case dynamo.ConditionFailed(err):
		w.result.Newer++
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return w.failed(k, one, err)
	}
	if w.done++; w.done%reportEvery == 0 {
		w.progress(w.done)
	}
	return nil
}

// partition is the attribute that a missing row lacks.
func (w *putter) partition(k kind) string {
	if k.table == w.Connections.Table {
		return "company"
	}
	return "grant"
}

// blocked returns why a row waits.
func (w *putter) blocked(one *row) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one.company != 0 && w.waits[one.of] {
		return fmt.Errorf("the grant of %s was not restored", one.of)
	}
	return nil
}

// joined returns the errors of all rows in the order of their texts: they came in any.
func (w *putter) joined() error {
	slices.SortFunc(w.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(w.errs...)
}

// failed notes a row that could not be put. The caller has the lock.
func (w *putter) failed(k kind, one *row, err error) error {
	if w.result.Failed++; len(w.errs) < maxErrors {
		w.errs = append(w.errs, fmt.Errorf("row %s of %s: %w", one.key, k.table, err))
	}
	if one.company == 0 {
		w.waits[one.of] = true
	}
	if w.result.Failed >= maxFailed {
		return fmt.Errorf("%d rows could not be restored, and no more are tried: %w", w.result.Failed, w.joined())
	}
	return nil
}

// release releases all grants by companies whose connections have ended, or are gone. A grant that is newer than the copy may
// also have such a holder: its connection was newer too, and was lost.
func (w *putter) release(ctx context.Context) error {
	connected, err := w.rest(ctx)
	if err != nil {
		return err
	}
	for g, err := range w.Connections.Tokens.Upkeep().All(ctx) {
		if err == nil {
			err = w.releaseOne(ctx, g, connected)
		}
		if err != nil && len(w.errs) < maxErrors {
			w.errs = append(w.errs, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return w.joined()
}

// rest returns the users' connections that have not ended, after the grants were put: what ends from now on releases them
// itself. A connected company whose hook reports changes, and whose row of reconciliation is lost and newer than the backup,
// has its turn again, and need not wait for the next pass over its hook.
func (w *putter) rest(ctx context.Context) (map[connections.Key]bool, error) {
	connected, serving := map[connections.Key]bool{}, map[int64]bool{}
	covered, turns := map[int64]bool{}, map[int64]bool{}
	k := w.Restorer.connections()
	err := w.scan(ctx, k.table, 0, 1, k, func(one *row) error {
		switch {
		case !one.own || one.ended:
		case one.isUser():
			connected[connections.Key{CompanyID: one.company, Principal: one.of}] = true
			serving[one.company] = true
		case one.of == tokens.App:
			serving[one.company] = true
		case one.covered:
			covered[one.company] = true
		case one.of == tokens.Principal(connections.Reconciliation):
			turns[one.company] = true
		}
		return nil
	})
	for _, id := range sorted(covered) {
		if err == nil && serving[id] && !turns[id] {
			err = w.Connections.Begin(ctx, id, w.Clock.Now())
		}
	}
	return connected, err
}

// releaseOne releases a grant by those of its companies that are not connected.
func (w *putter) releaseOne(ctx context.Context, g tokens.Grant, connected map[connections.Key]bool) error {
	for _, holder := range g.Holders {
		id, err := strconv.ParseInt(holder, 10, 64)
		key := connections.Key{CompanyID: id, Principal: g.Principal}
		if err != nil || connected[key] {
			continue // a holder that is no company is not ours
		}
		released, err := w.Connections.ReleaseEnded(ctx, key)
		if err != nil {
			return fmt.Errorf("the grant of %s could not be released by company %d: %w", g.Principal, id, err)
		}
		if released {
			w.result.Released++
		}
	}
	return nil
}
