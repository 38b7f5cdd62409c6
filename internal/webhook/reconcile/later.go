package reconcile

import (
	"context"
	"time"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

const (
	// awaited is how long the own event of a change that was reconciled may take.
	awaited = 24 * time.Hour
	// maxArrivals bounds the keys that one turn reads.
	maxArrivals = 5000
)

// neverDelivered counts the events that were stored a day ago and whose own event has not
// come since.
func (t *turn) neverDelivered(ctx context.Context) error {
	until := t.now().Add(-awaited)
	if t.w.emitted.IsZero() || t.w.emitted.After(until) {
		return nil
	}
	n, missing := 0, 0
	next := until.Add(time.Millisecond)
	for a, err := range t.Inbox.Arrivals(ctx, t.w.companyID, t.w.emitted) {
		if err != nil {
			return err
		}
		if a.At.After(until) {
			break
		}
		if n++; n > maxArrivals && a.At.After(t.w.emitted) {
			next = a.At
			break
		}
		if !a.Reconciled {
			continue
		}
		events, err := procore.Collect(t.Inbox.Traces(ctx, a.Resource))
		if err != nil {
			return err
		}
		if undelivered(a, events) {
			missing++
		}
	}
	t.w.emitted = next
	if t.w.last.Before(next) {
		t.w.emitted, t.w.last = time.Time{}, time.Time{}
	}
	t.count(func(r *Report) { r.NeverDelivered += missing })
	return nil
}

// undelivered reports whether an event that was reconciled is the only one of its change.
// One of backfill does not count, because its own event may be forgotten, nor a change that
// moved, of which Procore sends none.
func undelivered(a inbox.Arrival, events []inbox.Trace) bool {
	var changed time.Time
	for _, e := range events {
		if e.Reconciled && e.ReceivedAt.Equal(a.At) {
			changed = e.HappenedAt
		}
	}
	if changed.IsZero() || changed.Before(a.At.Add(-remembered)) {
		return false
	}
	for _, e := range events {
		if !e.Reconciled && (!e.HappenedAt.Before(changed.Add(-moves)) || !e.ReceivedAt.Before(a.At)) {
			return false
		}
	}
	return true
}
