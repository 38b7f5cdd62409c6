package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/webhook/reconcile"
)

// maxRuns and maxFound are how many runs and companies the page has.
const maxRuns, maxFound = 100, 50

// reconciliationView is what the runs of the last hours found.
type reconciliationView struct {
	operator.ReconcileRuns
	Hours  int
	Ranges []tab
	Rows   []foundRow
	Worked int                     // runs that had a company to search
	Shown  []operator.ReconcileRun // the last ones of these
	Unread error
}

// foundRow is a company with changes that no webhook had reported.
type foundRow struct {
	operator.CompanyFound
	Name string
	// Covered is until when every change has an event, of the resource that is the furthest behind.
	Covered    time.Time
	NotCovered []string
}

// reconciliation shows the runs of the last hours: GET /system/reconciliation?hours=. It searches the logs, so that it does not
// renew itself.
func (c *Console) reconciliation(r *http.Request) (page, error) {
	ctx, now := r.Context(), c.now()
	v := reconciliationView{Hours: max(atoi(r.URL.Query().Get("hours")), 1)}
	for _, h := range []int{1, 6, 24, 7 * 24} {
		v.Ranges = append(v.Ranges, tab{Text: operator.Length(time.Duration(h) * time.Hour), Path: "/system/reconciliation?hours=" + strconv.Itoa(h), Chosen: h == v.Hours})
	}
	if !slices.ContainsFunc(v.Ranges, func(t tab) bool { return t.Chosen }) {
		return page{}, errNotFound
	}
	runs, unread := c.Operator.ReconcileRuns(ctx, now.Add(-time.Duration(v.Hours)*time.Hour), now)
	names, listErr := c.list.names(ctx, now)
	v.ReconcileRuns = runs
	v.Rows = make([]foundRow, min(len(runs.Found), maxFound))
	errs := make([]error, len(v.Rows))
	var all sync.WaitGroup
	for i := range v.Rows {
		all.Go(func() {
			found := runs.Found[i]
			covered, err := c.Operator.Coverage(ctx, found.CompanyID)
			v.Rows[i], errs[i] = rowOf(found, names[found.CompanyID], covered), err
		})
	}
	all.Wait()
	v.Unread = errors.Join(errors.Join(errs...), unread, listErr)
	worked := slices.DeleteFunc(slices.Clone(runs.Runs), func(r operator.ReconcileRun) bool { return r.Companies == 0 })
	v.Worked, v.Shown = len(worked), worked[:min(len(worked), maxRuns)]
	return page{Template: "reconciliation", Title: "Reconciliation", Menu: "/system", Main: v}, nil
}

func rowOf(found operator.CompanyFound, name string, covered reconcile.Coverage) foundRow {
	row := foundRow{CompanyFound: found, Name: name}
	for _, one := range covered.Resources {
		switch {
		case one.Reason != "":
			row.NotCovered = append(row.NotCovered, one.Resource)
		case row.Covered.IsZero() || one.Until.Before(row.Covered):
			row.Covered = one.Until
		}
	}
	return row
}
