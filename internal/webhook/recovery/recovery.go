// Package recovery stores the events of a hook that Procore discarded. Procore discards
// a delivery that failed for twelve hours, and then only the REST API lists it.
//
// https://procore.github.io/documentation/webhooks
package recovery

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

const (
	defaultPages = 25
	// overlap is how far before the high-water mark deliveries are read again: an event
	// happens at most twelve hours before Procore gives it up, and later there, by its clock.
	overlap = 26 * time.Hour
	// horizon is how far back a pass reads, the first one too. An older event may
	// have been stored and have expired from the inbox: it would be delivered again.
	horizon = 13 * 24 * time.Hour
)

// Recoverer stores discarded deliveries. Inbox must be set. Goroutines may share a
// Recoverer.
type Recoverer struct {
	Inbox *inbox.Store
	Pages int          // read in one pass at most; 0: 25
	Log   *slog.Logger // nil: slog.Default
}

// Progress is how far the passes over one hook's deliveries have come. The
// caller keeps it from one pass to the next; the zero value is a hook that no
// pass has read.
type Progress struct {
	HighWater time.Time // everything that Procore discarded before is stored
	Cursor    Cursor    // in the list, unless the last pass finished it
}

// Cursor is the position of a pass that left deliveries to the next one.
type Cursor struct {
	Since  time.Time // when the first of these passes began; zero: none is under way
	Number int       // the page to continue with
	Seen   string    // the last delivery that was read
}

// Result counts what a pass found among the deliveries that Procore discarded.
type Result struct {
	Stored      int  // events that were not in the inbox
	Duplicates  int  // events that were
	Quarantined int  // deliveries that could not be understood, and were not in quarantine
	More        bool // the rest is for the next pass
}

// Recover stores the events of the hook that Procore discarded since the
// high-water mark, by the same conditional write as the receiver's. The mark moves
// when all of them are stored. After an error the progress is where it is safe to
// continue.
func (r *Recoverer) Recover(ctx context.Context, client *procore.CompanyClient, hookID procore.ID, from Progress) (Result, Progress, error) {
	cursor, now := from.Cursor, r.Inbox.Clock.Now()
	if cursor.Since.IsZero() {
		cursor = Cursor{Since: now, Number: 1}
	}
	reading, cancel := half(ctx)
	defer cancel()
	read := func(page int) ([]procore.Delivery, bool, error) {
		return client.DeliveryPage(reading, hookID, procore.DeliveryFilter{Status: procore.DeliveryDiscarded}, page)
	}
	g := gather(read, cursor, cmp.Or(r.Pages, defaultPages), since(from.HighWater, now))
	if reading.Err() != nil && g.next != cursor {
		g.err = nil // the next pass continues there
	}
	result, err := r.store(ctx, client.CompanyID(), g.found)
	if result.Stored+result.Quarantined > 0 {
		r.log().WarnContext(ctx, "discarded deliveries recovered", slog.Int64("company_id", client.CompanyID()), slog.String("hook_id", hookID.String()),
			slog.Int("stored", result.Stored), slog.Int("duplicates", result.Duplicates), slog.Int("quarantined", result.Quarantined))
	}
	if err != nil {
		return result, from, err // the next pass reads these pages again
	}
	if result.More = !g.done; result.More {
		return result, Progress{from.HighWater, g.next}, g.err
	}
	return result, Progress{HighWater: cursor.Since}, g.err
}

// half limits reading to half of the time, which leaves time to store. Otherwise no
// pass would ever store anything of a slow list.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	left, ok := procore.TimeLeft(ctx)
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, left/2)
}

// since returns the time from which deliveries are read.
func since(highWater, now time.Time) time.Time {
	if oldest := now.Add(-horizon); highWater.Add(-overlap).Before(oldest) {
		return oldest
	}
	return highWater.Add(-overlap)
}

// store stores deliveries in the order in which their events happened, and then
// quarantines those that are not events.
func (r *Recoverer) store(ctx context.Context, companyID int64, found []procore.Delivery) (Result, error) {
	type letter struct {
		event procore.Event
		body  []byte
	}
	var result Result
	var events []letter
	odd := map[string]string{} // reasons by body
	for _, d := range found {
		event, err := procore.DecodeEvent(d.Payload)
		switch {
		case len(d.Payload) == 0 && d.ID == "": // no delivery
		case err != nil:
			odd[string(d.Payload)] = "discarded: " + err.Error()
		case event.CompanyID != companyID:
			odd[string(d.Payload)] = "discarded: of another company than the hook"
		default:
			events = append(events, letter{event, d.Payload})
		}
	}
	slices.SortStableFunc(events, func(a, b letter) int { return a.event.Timestamp.Compare(b.event.Timestamp) })
	for _, e := range events {
		outcome, err := r.Inbox.Add(ctx, e.event, e.body)
		if err != nil {
			return result, err
		}
		result.count(outcome)
	}
	for body, reason := range odd {
		outcome, err := r.Inbox.Quarantine(ctx, companyID, reason, []byte(body))
		if err != nil {
			return result, err
		}
		result.count(outcome)
	}
	return result, nil
}

func (r *Result) count(o inbox.Outcome) {
	switch {
	case o.Word == inbox.Stored:
		r.Stored++
	case o.Word == inbox.Quarantined && o.New:
		r.Quarantined++
	default:
		r.Duplicates++
	}
}

func (r *Recoverer) log() *slog.Logger {
	if r.Log == nil {
		return slog.Default()
	}
	return r.Log
}
