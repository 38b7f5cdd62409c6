package operator

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/upkeep/heartbeat"
	"procore-connect/pkg/connections"
)

// Lag is how late the work of a schedule is, by what the rows say.
type Lag struct {
	Work   string        // what is late, as a sentence's beginning
	Since  time.Time     // when it was due, or was last done; zero: nothing is due, or it was never done
	Within time.Duration // how late it may be, which is what its alarm allows
	Alarm  string        // of template.yaml and docs/RUNBOOK.md
	Err    error         // why it is not known
}

// Late reports whether the alarm is due.
func (l Lag) Late(now time.Time) bool {
	return l.Err == nil && !l.Since.IsZero() && now.Sub(l.Since) > l.Within
}

// Lags are those of all schedules.
type Lags struct {
	Beat    Lag // the last run of housekeeping
	Refresh Lag
	Checks  []Lag // of a company's first check and of the routine ones
	// Reconcile is that of reconciliation. Without a period its Within is zero, and nothing is late.
	Reconcile Lag
}

// All returns all of them that can be late.
func (l Lags) All() []Lag {
	all := append([]Lag{l.Beat, l.Refresh}, l.Checks...)
	if l.Reconcile.Within > 0 {
		all = append(all, l.Reconcile)
	}
	return all
}

// Lags reads when schedules last did their work. An error is beside each.
func (o *Operator) Lags(ctx context.Context) Lags {
	const checked, checkWithin = "a company is due to be checked", 2 * time.Hour
	l := Lags{
		Beat:    Lag{Work: "no run of housekeeping", Alarm: "HousekeepingOverdueAlarm", Within: 15 * time.Minute},
		Refresh: Lag{Work: "a grant is due to be refreshed", Alarm: "RefreshOverdueAlarm", Within: time.Hour},
		Checks:  []Lag{{Work: checked, Alarm: "HousekeepingOverdueAlarm", Within: checkWithin}, {Work: checked, Alarm: "HousekeepingOverdueAlarm", Within: checkWithin}},
	}
	var g errgroup.Group
	read := func(to *Lag, since func() (time.Time, error)) {
		g.Go(func() error {
			to.Since, to.Err = since()
			return nil
		})
	}
	read(&l.Beat, func() (time.Time, error) { return heartbeat.Last(ctx, o.Connections) })
	read(&l.Refresh, func() (time.Time, error) { return o.Connections.Tokens.Upkeep().OldestDue(ctx, 0) })
	for i, turn := range []connections.Turn{connections.First, connections.Routine} {
		read(&l.Checks[i], func() (time.Time, error) { return o.Connections.OldestCheck(ctx, turn) })
	}
	if period := o.Reconciler.Want.Period; period > 0 {
		l.Reconcile = Lag{Work: "a company is due to be reconciled", Alarm: "ReconcileOverdueAlarm", Within: period + time.Hour}
		read(&l.Reconcile, func() (time.Time, error) { return o.Connections.OldestCheck(ctx, connections.Reconciliation) })
	}
	_ = g.Wait() // errors are beside each
	return l
}
