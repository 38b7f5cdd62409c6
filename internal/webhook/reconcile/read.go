package reconcile

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

const (
	// maxSingles bounds the items of one range that are read one by one, because their
	// list shows no updated_at.
	maxSingles = 10
	// readsWhole bounds how often a list is read whole until two reads agree, and pagesWhole
	// the pages of each.
	readsWhole = 5
	pagesWhole = 50
	// clockStep is by how much Procore's clock may be behind what its answers reported.
	clockStep = 2 * time.Second
)

// read continues the window of a resource, project by project. The cursor moves only when
// all of them are done.
func (t *turn) read(ctx context.Context, c *cursor) error {
	i := slices.IndexFunc(t.subjects, func(s subject) bool { return s.Name == c.Resource })
	for !c.To.IsZero() {
		if len(t.hands) == 0 {
			return errNobody
		}
		if t.failed(t.w.companyID, c.Resource) {
			return nil
		}
		projects, err := t.projects(ctx, t.subjects[i], c.To)
		if err != nil {
			return err
		}
		id, more := c.next(projects)
		if !more {
			c.shut()
			return nil
		}
		if err := t.project(ctx, t.subjects[i], c, id); err != nil {
			return err
		}
	}
	return nil
}

// projects returns those that the connection sees, in order. The list is newer than the
// end of the window, so that no project is missed that was created within.
func (t *turn) projects(ctx context.Context, s subject, end time.Time) ([]int64, error) {
	if !s.InProject() {
		return []int64{ofCompany}, nil
	}
	if ids, ok := t.seen(t.w.companyID, t.hands, end); ok {
		return ids, nil
	}
	now := t.procoreNow()
	seen, err := reread(t, func(number int, all map[int64]bool) (bool, error) {
		var page []procore.Project
		var more bool
		err := t.call(ctx, "", func(c *procore.CompanyClient) (err error) {
			page, more, err = c.ProjectPage(ctx, number)
			return err
		})
		for _, p := range page {
			all[p.ID] = p.ID > 0
		}
		return more, err
	}, func(a, b bool) bool { return a == b })
	if errors.Is(err, errDenied) {
		return nil, errNobody
	}
	if err != nil {
		return nil, err
	}
	delete(seen, 0)
	ids := slices.Sorted(maps.Keys(seen))
	t.see(t.w.companyID, t.hands, now, ids)
	return ids, nil
}

// project reads what is left of a project's window.
func (t *turn) project(ctx context.Context, s subject, c *cursor, id int64) error {
	f, err := t.refusalsOf(ctx, s.Name)
	if err != nil {
		return err
	}
	now, by := t.now(), t.hands[0].Principal
	old, denied := f.of(id, by, now)
	if denied {
		c.done(id)
		return nil
	}
	if c.At.IsZero() {
		c.At = c.From
		if !old.since.IsZero() && old.since.Before(c.From) { // what was refused is seen now
			c.At = later(old.since, now.Add(-remembered))
		}
	}
	switch err := t.ranges(ctx, s, c, id); {
	case errors.Is(err, errDenied):
		t.log().InfoContext(ctx, "project not reconciled", slog.Int64("company_id", t.w.companyID), slog.Int64("project_id", id),
			slog.String("resource", s.Name), slog.Any("error", err))
		f.add(id, by, c.At, now)
		if err := t.keepRefusals(ctx, f); err != nil {
			return err // done without a refusal would be read
		}
		c.done(id)
		return nil
	case errors.Is(err, errSkip):
		return nil
	case err != nil:
		return err
	}
	c.done(id)
	if old.since.IsZero() {
		return nil
	}
	// If the lease was lost, another turn's window may end later, and count on the refusal.
	if t.w, err = t.save(ctx, t.w); err != nil {
		return err
	}
	f.remove(id)
	return t.keepRefusals(ctx, f)
}

// ranges reads a project's window in ranges that fit into a page each, because pages shift
// while they are read.
func (t *turn) ranges(ctx context.Context, s subject, c *cursor, id int64) error {
	for length := c.To.Sub(c.At); c.At.Before(c.To); {
		end := c.At.Add(length)
		if end.After(c.To) {
			end = c.To
		}
		items, more, err := t.page(ctx, s, id, c.At, end, 1, 0)
		if fits := !more && singles(items) <= maxSingles; err == nil && !fits {
			if unlimited := more && strays(items, c.At, end); unlimited {
				end = c.To // halves would be as long
			} else if end.Sub(c.At) > narrow {
				length = half(c.At, end).Sub(c.At)
				continue
			}
			if more {
				items, err = t.whole(ctx, s, id, c.At, end)
			}
		}
		if err == nil && t.unsettled(c, end) {
			if c.To.IsZero() {
				return errWait
			}
			continue
		}
		if err == nil {
			err = t.cover(ctx, s, c, id, end, within(items, c.At))
		}
		if err != nil {
			return t.setAside(ctx, c, err)
		}
		c.At, length = end, 2*length
	}
	return nil
}

// unsettled lowers the window's end if Procore's clock, as the last answer reported it, is
// not as far as was assumed: what changes there later would be missed.
func (t *turn) unsettled(c *cursor, end time.Time) bool {
	settled := t.date.Add(-settling)
	if t.date.IsZero() || !end.After(settled.Add(clockStep)) {
		return false
	}
	c.lower(settled)
	return true
}

// setAside leaves a resource to a later run if its reading failed, so that the company's
// others go on.
func (t *turn) setAside(ctx context.Context, c *cursor, err error) error {
	for _, ends := range []error{errTurn, errWait, errNobody, errDenied} {
		if errors.Is(err, ends) {
			return err
		}
	}
	if ctx.Err() != nil {
		return err
	}
	t.failure(t.w.companyID, c.Resource, err)
	return errSkip
}

// strays reports whether an item is outside of the range that was asked for: Procore does
// not limit this list to it.
func strays(items []procore.Changed, from, to time.Time) bool {
	from, to = widened(from, to)
	return slices.ContainsFunc(items, func(i procore.Changed) bool {
		return !i.UpdatedAt.IsZero() && (i.UpdatedAt.Before(from.Add(-narrow)) || i.UpdatedAt.After(to.Add(narrow)))
	})
}

// within leaves out what changed before a range begins, and belongs to an earlier one.
func within(items []procore.Changed, from time.Time) []procore.Changed {
	from, _ = widened(from, from)
	return slices.DeleteFunc(items, func(i procore.Changed) bool { return !i.UpdatedAt.IsZero() && i.UpdatedAt.Before(from) })
}

func singles(items []procore.Changed) (n int) {
	for _, i := range items {
		if i.UpdatedAt.IsZero() {
			n++
		}
	}
	return n
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// page reads one page of a range.
func (t *turn) page(ctx context.Context, s subject, project int64, from, to time.Time, number, size int) (items []procore.Changed, more bool, err error) {
	from, to = widened(from, to)
	err = t.call(ctx, "", func(c *procore.CompanyClient) (err error) {
		items, more, err = procore.Changes(ctx, c, s.Resource, procore.ChangeQuery{ProjectID: project, From: from, To: to, Page: number, PerPage: size})
		return err
	})
	return items, more, err
}

// whole reads all pages of a range that cannot be halved.
func (t *turn) whole(ctx context.Context, s subject, project int64, from, to time.Time) ([]procore.Changed, error) {
	size := 1000
	if strings.HasPrefix(s.List, "/rest/v2.") {
		size = 0
	}
	items, err := reread(t, func(number int, all map[procore.ID]procore.Changed) (bool, error) {
		page, more, err := t.page(ctx, s, project, from, to, number, size)
		for _, i := range page {
			all[i.ID] = i
		}
		return more, err
	}, func(a, b procore.Changed) bool { return a.UpdatedAt.Equal(b.UpdatedAt) })
	return slices.SortedFunc(maps.Values(items), func(a, b procore.Changed) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), cmp.Compare(a.ID, b.ID))
	}), err
}

// reread reads all pages of a list, until two reads agree: an item that is added, changes
// or goes between two pages moves those behind it, and one of them may be on neither. A
// single page is read once. page adds a page's items to all.
func reread[K comparable, V any](t *turn, page func(number int, all map[K]V) (more bool, err error), same func(a, b V) bool) (last map[K]V, err error) {
	for range readsWhole {
		all := map[K]V{}
		for number := 1; number <= pagesWhole; number++ {
			before := len(all)
			more, err := page(number, all)
			if err != nil {
				return nil, err
			}
			if number == 1 && !more {
				return all, nil
			}
			if number == 1 && last == nil {
				t.allowed += readsWhole * pagesWhole // in this turn, as half of it is worth nothing
			}
			if !more || len(all) == before {
				break
			}
		}
		if last != nil && maps.EqualFunc(all, last, same) {
			break
		}
		last = all
	}
	return last, nil
}
