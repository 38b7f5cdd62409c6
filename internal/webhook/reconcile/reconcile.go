// Package reconcile finds changes that no webhook reported, and stores an event for each:
// Procore delivers at its best, without a guarantee, and asks each app to read regularly
// what changed.
//
// https://procore.github.io/documentation/webhooks
package reconcile

import (
	"context"
	"log/slog"
	"time"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
)

// Reconciler reconciles what changed with what was delivered. All fields but Log must be
// set. Goroutines may share it; do not copy it.
type Reconciler struct {
	Store *connections.Store
	Inbox *inbox.Store
	Hooks *provision.Reconciler
	Want  Config

	Log *slog.Logger // nil: slog.Default
}

// Report is the result of a run. The log line "reconcile run finished" has the same.
type Report struct {
	Companies  int // that had a turn
	Calls      int // to Procore, those that failed included
	Reconciled int // changes that no event had reported; each is an event now
	Moved      int // of these, with an event shortly before the change
	Backfilled int // events of changes that are older than the inbox remembers
	// NeverDelivered counts those reconciled a day ago whose own event has not come since.
	NeverDelivered int
	// NotCovered counts the resources of companies of this run that cannot be read.
	NotCovered int
	// Lag is how long the company has been due that is due longest; 0 without one.
	Lag time.Duration
}

// Run reconciles the companies that are due, a few calls of each in turn, until nothing
// is due, the budget of calls is used up, or ten seconds of ctx are left. The next run
// continues. It never sleeps. The error is what a later run repeats.
func (r *Reconciler) Run(ctx context.Context) (Report, error) {
	p := r.begin()
	if r.Want.on() {
		p.all(ctx)
	}
	report, err := p.finish(ctx)
	r.log().InfoContext(ctx, "reconcile run finished",
		slog.Int("companies", report.Companies), slog.Int("calls", report.Calls), slog.Int("reconciled", report.Reconciled),
		slog.Int("moved", report.Moved), slog.Int("backfilled", report.Backfilled), slog.Int("never_delivered", report.NeverDelivered),
		slog.Int("not_covered", report.NotCovered), slog.Float64("reconcile_lag_s", report.Lag.Seconds()))
	return report, err
}

func (r *Reconciler) now() time.Time { return r.Store.Tokens.Clock.Now() }

func (r *Reconciler) log() *slog.Logger {
	if r.Log == nil {
		return slog.Default()
	}
	return r.Log
}
