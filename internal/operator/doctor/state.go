package doctor

import (
	"context"
	"fmt"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/upkeep/heartbeat"
	"procore-connect/internal/webhook/reconcile"
	"procore-connect/pkg/connections"
)

func (d *Doctor) breaker(ctx context.Context) []Finding {
	b, err := d.Breaker(ctx)
	switch {
	case err != nil:
		return []Finding{d.cannot("the breaker", err)}
	case b.Open:
		return []Finding{{Verdict: Failed, Finding: fmt.Sprintf("open since %s: %s", operator.Ago(d.Clock().Now(), b.Since), b.Reason), Next: "procore-connect breaker"}}
	case b.Suspect:
		return []Finding{{Verdict: Warning, Finding: "closed, but the last refreshes had no answer", Next: "procore-connect breaker"}}
	}
	return ok("closed: refreshes run")
}

func (d *Doctor) brake(ctx context.Context) []Finding {
	b, err := d.Departures.Brake(ctx)
	switch {
	case err != nil:
		return []Finding{d.cannot("the brake on departures", err)}
	case b.Engaged():
		return []Finding{{Verdict: Failed, Finding: fmt.Sprintf("engaged since %s: no departed user's connection ends; %d checks were withheld",
			operator.Ago(d.Clock().Now(), b.EngagedAt), b.Withheld), Next: "docs/RUNBOOK.md, DeparturesStoppedAlarm; then procore-connect departures acknowledge"}}
	}
	return ok("not engaged: %d endings within a day", b.Endings())
}

// overdueAfter is how late what a schedule does may be. The alarms allow as much.
const (
	beatWithin    = 15 * time.Minute
	refreshWithin = time.Hour
	checkLate     = 2 * time.Hour
)

// schedules checks by what the rows say when schedules last did their work.
func (d *Doctor) schedules(ctx context.Context) []Finding {
	var found []Finding
	now := d.Clock().Now()
	late := func(what, alarm string, since time.Time, within time.Duration, err error) {
		switch {
		case err != nil:
			found = append(found, d.cannot(what, err))
		case !since.IsZero() && now.Sub(since) > within:
			found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("%s: since %s", what, operator.Ago(now, since)), Next: "docs/RUNBOOK.md, " + alarm})
		}
	}
	beat, err := heartbeat.Last(ctx, d.Connections)
	if err == nil && beat.IsZero() {
		found = append(found, Finding{Verdict: Unknown, Finding: "housekeeping has never run", Next: "wait five minutes after the deployment, and ask again"})
	}
	late("no run of housekeeping", "HousekeepingOverdueAlarm", beat, beatWithin, err)
	due, err := d.Connections.Tokens.Upkeep().OldestDue(ctx, 0)
	late("a grant is due to be refreshed", "RefreshOverdueAlarm", due, refreshWithin, err)
	period := reconcile.ReadConfig(config.New(func(name string) string { return d.variables[name] })).Period
	for _, turn := range []connections.Turn{connections.Routine, connections.First} {
		due, err := d.Connections.OldestCheck(ctx, turn)
		late("a company is due to be checked", "HousekeepingOverdueAlarm", due, checkLate, err)
	}
	if period > 0 {
		due, err := d.Connections.OldestCheck(ctx, connections.Reconciliation)
		late("a company is due to be reconciled", "ReconcileOverdueAlarm", due, period+time.Hour, err)
	}
	return orOK(found, "housekeeping ran %s, and nothing is overdue", operator.Ago(now, beat))
}
