package reconcile

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"procore-connect/pkg/procore"
)

const (
	// calm is how long deliveries must have been without trouble after some was seen.
	calm = time.Hour
	// heldFor bounds how long trouble keeps windows closed: a receiver that is down for
	// longer makes duplicates, and no window would be read at all.
	heldFor = 24 * time.Hour
	// passCalls is about what a pass over a hook calls that recovers.
	passCalls = 8
	// beforeMark is how long before it discards an event Procore may have been told of it.
	beforeMark = 26 * time.Hour
)

// open begins the windows that are due, all with one end, if the hook's deliveries are
// quiet: what Procore still has to deliver, or what is to be recovered, would be found as
// not delivered.
func (t *turn) open(ctx context.Context) error {
	now, half := t.now(), t.Want.Period/2
	isDue := false
	for _, c := range t.w.cursors {
		isDue = isDue || c.To.IsZero() && (t.asked || !now.Before(c.due(t.Want.Period)))
	}
	if !isDue {
		return nil
	}
	quiet, err := t.quiet(ctx)
	if err != nil {
		return err
	}
	if !quiet {
		t.w.retry = now.Add(retry)
		return errWait
	}
	uncovered := 0
	for _, s := range t.subjects {
		if s.reason != "" {
			uncovered++
		}
	}
	to := t.procoreNow().Add(-settling)
	for i := range t.w.cursors {
		c := &t.w.cursors[i]
		if c.To.IsZero() && (t.asked || !now.Before(c.due(half))) && c.open(to) {
			f, err := t.refusalsOf(ctx, c.Resource)
			if err != nil {
				return err
			}
			if len(f.all) > 0 {
				uncovered++
			}
		}
	}
	t.count(func(r *Report) { r.NotCovered += uncovered })
	return nil
}

// quiet reports whether nothing waits at Procore for the hook, and since an hour if
// something did.
func (t *turn) quiet(ctx context.Context) (bool, error) {
	now := t.now()
	trouble, err := t.troubled(ctx)
	switch {
	case errors.Is(err, errDenied): // the hook is gone, or its deliveries are not shown
	case err != nil:
		return false, err
	case trouble:
		t.w.trouble = now
	}
	if t.w.trouble.IsZero() || !now.Before(t.w.trouble.Add(calm)) {
		t.w.trouble, t.w.held = time.Time{}, time.Time{}
		return true, nil
	}
	if t.w.held.IsZero() {
		t.w.held = now
	}
	if now.Before(t.w.held.Add(heldFor)) {
		return false, nil
	}
	t.log().WarnContext(ctx, "deliveries in trouble for a day, reconciled all the same", slog.Int64("company_id", t.w.companyID))
	return true, nil
}

// troubled reports whether deliveries wait in the hook for longer than is usual, or some
// were discarded and are recovered only now.
func (t *turn) troubled(ctx context.Context) (bool, error) {
	if t.hook.HookID == "" {
		return false, nil
	}
	retrying, err := t.deliveries(ctx, procore.DeliveryFilter{Status: procore.DeliveryRetrying})
	if err != nil || len(retrying) > 0 {
		return true, err
	}
	enqueued, err := t.deliveries(ctx, procore.DeliveryFilter{Status: procore.DeliveryEnqueued})
	if err != nil || len(enqueued) == procore.DeliveriesPerPage {
		return true, err
	}
	for _, d := range enqueued {
		e, err := procore.DecodeEvent(d.Payload)
		if err == nil && !e.Timestamp.IsZero() && e.Timestamp.Before(t.procoreNow().Add(-settling)) {
			return true, nil
		}
	}
	return t.discarded(ctx)
}

// discarded recovers what Procore discarded since the last recovery. It reports whether
// there was anything, or still is.
func (t *turn) discarded(ctx context.Context) (bool, error) {
	mark := t.hook.Recovery.HighWater
	from := mark.Add(-beforeMark)
	if mark.IsZero() {
		from = t.hook.Since
	}
	all, err := t.deliveries(ctx, procore.DeliveryFilter{Status: procore.DeliveryDiscarded, From: from})
	if err != nil || len(all) == 0 || t.now().Before(mark.Add(retry)) {
		return false, err
	}
	for range passCalls {
		if ok, err := t.budget.spend(ctx, ownerOf(t.hands[0].Key)); err != nil || !ok {
			return false, cmp.Or(err, errWait)
		}
	}
	result, err := t.Hooks.Reconcile(ctx, t.w.companyID)
	company, stored := slog.Int64("company_id", t.w.companyID), slog.Int("stored", result.Recovered.Stored)
	if err != nil {
		t.log().WarnContext(ctx, "recovery before reconciliation failed", company, stored, slog.Any("error", err))
		return true, nil // housekeeping repeats it, and has its alarm
	}
	t.log().InfoContext(ctx, "recovered before reconciliation", company, stored)
	return result.Busy || !result.LimitedUntil.IsZero() || result.Recovered.More || result.Recovered.Stored > 0, nil
}

// deliveries reads a page of the hook's deliveries, by the connection that made the hook.
func (t *turn) deliveries(ctx context.Context, f procore.DeliveryFilter) (all []procore.Delivery, err error) {
	err = t.call(ctx, t.hook.Creator, func(c *procore.CompanyClient) (err error) {
		all, _, err = c.DeliveryPage(ctx, t.hook.HookID, f, 1)
		return err
	})
	return all, err
}
