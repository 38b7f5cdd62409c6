package hooks

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"procore-connect/internal/inbox"
	"procore-connect/pkg/procore"
)

const (
	defaultPages = 25
	// overlap is how far before the mark deliveries are taken again. Procore does
	// not say whether a discarded delivery bears the time of its only attempt, at
	// most twelve hours before, or of the discarding.
	overlap = 26 * time.Hour
	// horizon is how far back the first look goes. What is older may have been
	// stored and have left the inbox: it would be handed on again.
	horizon = 13 * 24 * time.Hour
)

// Recovered counts what a look brought home of what Procore discarded.
type Recovered struct {
	Stored int  // events that were not in the inbox
	Known  int  // events that were
	Aside  int  // deliveries that could not be understood, newly kept aside
	More   bool // the rest is for the next look
}

// recover stores the events of the hook that Procore discarded since the mark, by
// the same conditional write as the receiver's. The mark moves when all are
// stored.
func (k *Keeper) recover(ctx context.Context, l *lease, client *procore.CompanyClient) (Recovered, error) {
	walk, now := l.row.Walk, k.now()
	if walk.Since.IsZero() {
		walk = Walk{Since: now, Number: 1}
	}
	since := l.row.Mark.Add(-overlap)
	if l.row.Mark.IsZero() {
		since = now.Add(-horizon)
	}
	read := func(p procore.DeliveryPage) ([]procore.Delivery, bool, error) {
		return client.DeliveryPage(ctx, l.row.HookID, procore.DiscardedDeliveries, p)
	}
	g := gather(read, walk, cmp.Or(k.Pages, defaultPages), since)
	r, err := k.keep(ctx, client.CompanyID(), g.found)
	l.row.Recovered += int64(r.Stored)
	if r.Stored+r.Aside > 0 {
		k.log().WarnContext(ctx, "discarded deliveries recovered", slog.Int64("company_id", client.CompanyID()), slog.Int64("hook_id", l.row.HookID),
			slog.Int("stored", r.Stored), slog.Int("known", r.Known), slog.Int("aside", r.Aside))
	}
	if err != nil {
		return r, err // the next look reads these pages again
	}
	r.More = !g.done
	if g.done {
		l.row.Mark, l.row.Walk = walk.Since, Walk{}
	} else {
		l.row.Walk = g.next
	}
	return r, g.err
}

// keep stores deliveries in the order in which their events happened.
func (k *Keeper) keep(ctx context.Context, companyID int64, found []procore.Delivery) (Recovered, error) {
	type letter struct {
		event  procore.Event
		reason string
		body   []byte
	}
	var r Recovered
	var all []letter
	for _, d := range found {
		e, err := procore.DecodeEvent(d.Event)
		m := letter{event: e, body: d.Event}
		switch {
		case len(d.Event) > inbox.MaxBody:
			m.reason = "a discarded delivery: larger than 128 KB"
		case err != nil:
			m.reason = "a discarded delivery: " + err.Error()
		case e.CompanyID != companyID:
			m.reason = "a discarded delivery: of another company than the hook"
		}
		all = append(all, m)
	}
	slices.SortStableFunc(all, func(a, b letter) int { return a.event.Timestamp.Compare(b.event.Timestamp) })
	for _, m := range all {
		if m.reason != "" {
			stored, err := k.Inbox.Aside(ctx, companyID, m.reason, m.body)
			if err != nil {
				return r, err
			}
			if stored {
				r.Aside++
			}
			continue
		}
		stored, err := k.Inbox.Store(ctx, m.event, m.body)
		switch {
		case err != nil:
			return r, err
		case stored:
			r.Stored++
		default:
			r.Known++
		}
	}
	return r, nil
}
