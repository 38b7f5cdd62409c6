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
	// horizon is how far back a look goes, the first one too. What is older may have
	// been stored and have left the inbox: it would be handed on again.
	horizon = 13 * 24 * time.Hour
)

// Recovered counts what a look brought home of what Procore discarded.
type Recovered struct {
	Stored int  // events that were not in the inbox
	Known  int  // what was there already
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
	reading, cancel := half(ctx)
	defer cancel()
	read := func(p procore.DeliveryPage) ([]procore.Delivery, bool, error) {
		return client.DeliveryPage(reading, l.row.HookID, procore.DiscardedDeliveries, p)
	}
	g := gather(read, walk, cmp.Or(k.Pages, defaultPages), since(l.row.Mark, now))
	if reading.Err() != nil && g.next != walk {
		g.err = nil // the next look goes on there
	}
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

// half leaves the other half of the time to store what is read. Else nothing
// would be stored of a list that is slow, by this look nor by any other.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// since is the time from which on deliveries are taken.
func since(mark, now time.Time) time.Time {
	if oldest := now.Add(-horizon); mark.Add(-overlap).Before(oldest) {
		return oldest
	}
	return mark.Add(-overlap)
}

// keep stores deliveries in the order in which their events happened, and then
// aside what is no event.
func (k *Keeper) keep(ctx context.Context, companyID int64, found []procore.Delivery) (Recovered, error) {
	type letter struct {
		event procore.Event
		body  []byte
	}
	var r Recovered
	var events []letter
	aside := map[string]string{} // reasons by body
	for _, d := range found {
		event, err := procore.DecodeEvent(d.Event)
		switch {
		case err != nil:
			aside[string(d.Event)] = "discarded: " + err.Error()
		case event.CompanyID != companyID:
			aside[string(d.Event)] = "discarded: of another company than the hook"
		default:
			events = append(events, letter{event, d.Event})
		}
	}
	slices.SortStableFunc(events, func(a, b letter) int { return a.event.Timestamp.Compare(b.event.Timestamp) })
	for _, e := range events {
		outcome, err := k.Inbox.Store(ctx, e.event, e.body)
		if err != nil {
			return r, err
		}
		r.count(outcome)
	}
	for body, reason := range aside {
		outcome, err := k.Inbox.Aside(ctx, companyID, reason, []byte(body))
		if err != nil {
			return r, err
		}
		r.count(outcome)
	}
	return r, nil
}

func (r *Recovered) count(o inbox.Outcome) {
	switch {
	case o.Word == inbox.Stored:
		r.Stored++
	case o.Word == inbox.KeptAside && o.New:
		r.Aside++
	default:
		r.Known++
	}
}
