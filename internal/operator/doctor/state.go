package doctor

import (
	"context"
	"fmt"

	"procore-connect/internal/operator"
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

// schedules checks by what the rows say when schedules last did their work.
func (d *Doctor) schedules(ctx context.Context) []Finding {
	var found []Finding
	now, lags := d.Clock().Now(), d.Lags(ctx)
	if lags.Beat.Err == nil && lags.Beat.Since.IsZero() {
		found = append(found, Finding{Verdict: Unknown, Finding: "housekeeping has never run", Next: "wait five minutes after the deployment, and ask again"})
	}
	for _, l := range lags.All() {
		switch {
		case l.Err != nil:
			found = append(found, d.cannot(l.Work, l.Err))
		case l.Late(now):
			found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("%s: since %s", l.Work, operator.Ago(now, l.Since)), Next: "docs/RUNBOOK.md, " + l.Alarm})
		}
	}
	return orOK(found, "housekeeping ran %s, and nothing is overdue", operator.Ago(now, lags.Beat.Since))
}
