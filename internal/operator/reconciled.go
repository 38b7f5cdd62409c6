package operator

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"procore-connect/internal/operator/logs"
)

// ReconcileRun is what a run of the reconciler did.
type ReconcileRun struct {
	At             time.Time
	Companies      int // that had a turn
	Calls          int // to Procore
	Reconciled     int // changes that no webhook had reported
	Moved          int
	Backfilled     int
	NeverDelivered int
	NotCovered     int
}

// plus adds what another run did.
func (r ReconcileRun) plus(more ReconcileRun) ReconcileRun {
	return ReconcileRun{
		r.At, r.Companies + more.Companies, r.Calls + more.Calls, r.Reconciled + more.Reconciled, r.Moved + more.Moved, r.Backfilled + more.Backfilled,
		r.NeverDelivered + more.NeverDelivered, r.NotCovered + more.NotCovered,
	}
}

// CompanyFound is how many changes were found of a company that no webhook had reported.
type CompanyFound struct {
	CompanyID int64
	Found     int
	Last      time.Time
}

// ReconcileRuns is what the runs of a time did.
type ReconcileRuns struct {
	Runs  []ReconcileRun // the last first
	Sum   ReconcileRun
	Found []CompanyFound // the company with the most first
	More  bool           // there were more lines than are read; these are the first ones
}

// maxReconcileLines is how many lines [Operator.ReconcileRuns] reads.
const maxReconcileLines = 2000

// ReconcileRuns reads the log lines of a time by one query, which scans the logs of that time.
func (o *Operator) ReconcileRuns(ctx context.Context, from, to time.Time) (r ReconcileRuns, err error) {
	const run, found = "reconcile run finished", "changes reconciled"
	lines, err := o.Logs.Lines(ctx, logs.Query{Filter: logs.Text("msg", run, found), From: from, To: to, Limit: maxReconcileLines})
	if r.More = errors.Is(err, logs.ErrMore); r.More {
		err = nil
	}
	companies := map[int64]CompanyFound{}
	for _, l := range lines {
		n := func(name string) int {
			value, _ := strconv.Atoi(l.Fields.Number(name)) // a run without one did none
			return value
		}
		switch l.Message {
		case run:
			one := ReconcileRun{l.Time, n("companies"), n("calls"), n("reconciled"), n("moved"), n("backfilled"), n("never_delivered"), n("not_covered")}
			r.Runs, r.Sum = append(r.Runs, one), r.Sum.plus(one)
		case found:
			id, _ := strconv.ParseInt(l.Fields.Number("company_id"), 10, 64)
			companies[id] = CompanyFound{id, companies[id].Found + n("found"), l.Time}
		}
	}
	slices.Reverse(r.Runs)
	r.Found = slices.SortedFunc(maps.Values(companies), func(a, b CompanyFound) int {
		return cmp.Or(cmp.Compare(b.Found, a.Found), cmp.Compare(a.CompanyID, b.CompanyID))
	})
	return r, err
}
