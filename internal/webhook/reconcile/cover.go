package reconcile

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"procore-connect/internal/platform/logging"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

const (
	// backfillPerHour bounds the events of one company and hour for changes that are older
	// than the inbox remembers.
	backfillPerHour = 500
	// A resource is mostly moved when most of so many changes without an event moved.
	enoughFound = 20
)

// cover stores an event for each item of a range that no event covers.
func (t *turn) cover(ctx context.Context, s subject, c *cursor, project int64, end time.Time, items []procore.Changed) error {
	narrowed := singles(items) <= maxSingles
	for _, item := range items {
		if item.ID == "" {
			continue
		}
		if item.UpdatedAt.IsZero() && narrowed {
			var err error
			if item, err = t.single(ctx, s, project, item); err != nil {
				return err
			}
		}
		changed := latest(item)
		if changed.IsZero() {
			changed = c.To.UTC()
		} else if !item.UpdatedAt.Before(end) {
			continue // it belongs to the next range, or window
		}
		if err := t.item(ctx, s, c, project, item, changed); err != nil {
			return err
		}
	}
	return nil
}

// single reads the times of an item that its list does not show.
func (t *turn) single(ctx context.Context, s subject, project int64, item procore.Changed) (procore.Changed, error) {
	read := item
	err := t.call(ctx, "", func(c *procore.CompanyClient) (err error) {
		read, err = procore.ChangedItem(ctx, c, s.Resource, project, item.ID)
		return err
	})
	if errors.Is(err, errDenied) || errors.As(err, new(*procore.UnknownResourceError)) {
		return item, nil
	}
	read.ID = item.ID
	return read, err
}

// item stores an event for an item's last change, unless one covers it.
func (t *turn) item(ctx context.Context, s subject, c *cursor, project int64, item procore.Changed, changed time.Time) error {
	e := eventOf(t.w.companyID, project, s, item.ID, changed)
	e.PayloadVersion = cmp.Or(t.hook.Version, "v3.0")
	old := changed.Before(t.procoreNow().Add(-remembered))
	var v verdict
	if !old {
		var err error
		if v, err = judge(changed, t.Inbox.Traces(ctx, inbox.ResourceOf(e)), t.skewed()); err != nil || v.covered {
			return err
		}
	}
	begin := c.Begin
	if forgotten := t.procoreNow().Add(-remembered); !old && begin.Before(forgotten) {
		begin = forgotten // an event of its creation may be forgotten
	}
	if e.Type = s.typeOf(item, v.known, begin); e.Type == "" {
		return nil
	}
	if old && !t.mayBackfill() {
		return errWait
	}
	stored, err := t.Inbox.Add(ctx, e, nil)
	if err != nil || !stored.New {
		return err
	}
	t.log().InfoContext(logging.WithEvent(ctx, e.ID), "change reconciled", slog.Int64("company_id", t.w.companyID),
		slog.String("resource", e.Resource), slog.String("type", e.Type), slog.Time("changed_at", changed))
	t.stored(ctx, c, old, v.moved)
	return nil
}

// mayBackfill reports whether the company's events of this hour allow one more. If not, its
// next turn is in the next hour.
func (t *turn) mayBackfill() bool {
	hour := t.now().Truncate(time.Hour)
	if !t.w.hour.Equal(hour) {
		t.w.hour, t.w.backfilled = hour, 0
	}
	if t.w.backfilled < backfillPerHour {
		return true
	}
	t.w.retry = hour.Add(time.Hour)
	return false
}

// stored counts an event that was stored.
func (t *turn) stored(ctx context.Context, c *cursor, old, moved bool) {
	if old {
		t.w.backfilled++
		t.count(func(r *Report) { r.Backfilled++ })
		return
	}
	t.w.last = t.now()
	if t.w.emitted.IsZero() {
		t.w.emitted = t.w.last
	}
	t.found++
	c.Found++
	t.count(func(r *Report) { r.Reconciled++ })
	if !moved {
		return
	}
	c.Moved++
	t.count(func(r *Report) { r.Moved++ })
	if !c.Told && c.Found >= enoughFound && 2*c.Moved > c.Found {
		c.Told = true
		t.log().WarnContext(ctx, "resource mostly changes without a user", slog.Int64("company_id", t.w.companyID),
			slog.String("resource", c.Resource), slog.Int64("found", c.Found), slog.Int64("moved", c.Moved))
	}
}
