package procoretest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// updatable is an item of a list that a range of time can limit.
type updatable interface {
	updated() time.Time
	key() string
}

// listOptions are how lists differ from the plain ones.
type listOptions struct {
	openStart, openEnd bool // an end of the range is not in it
	seconds            bool // the range is compared with whole seconds
	noEnd, noFilter    bool // the end of the range, or all of it, is ignored
	undated            bool // items have no updated_at
	moves              bool // an item moves to another page, once for each list
	order              func(a, b updatable) int
}

// admits reports whether a range with both ends has a time in it.
func (o listOptions) admits(at, from, to time.Time) bool {
	if o.seconds {
		at = at.Truncate(time.Second)
	}
	afterStart := at.After(from) || !o.openStart && at.Equal(from)
	beforeEnd := at.Before(to) || !o.openEnd && at.Equal(to)
	return o.noFilter || afterStart && (beforeEnd || o.noEnd)
}

// filtered returns the items that filters[updated_at] admits, a range from...to with both
// ends in it. If the range is not valid, it answers 400.
//
// https://developers.procore.com/documentation/filtering-on-list-actions
func filtered[T updatable](c *call, all []T) ([]T, bool) {
	text := c.r.URL.Query().Get("filters[updated_at]")
	if text == "" {
		return all, true
	}
	first, last, _ := strings.Cut(text, "...")
	from, errFrom := time.Parse(time.RFC3339, first)
	to, errTo := time.Parse(time.RFC3339, last)
	if errFrom != nil || errTo != nil || to.Before(from) {
		return nil, c.fail(http.StatusBadRequest, "filters[updated_at] must be two times of ISO 8601 with ... between them.")
	}
	var found []T
	for _, item := range all {
		if c.opts.lists.admits(item.updated(), from, to) {
			found = append(found, item)
		}
	}
	return found, true
}

// arranged returns the items in the order of the list. Where an item moves, the first request
// for a later page finds the last item at the beginning, so that those who read page by page
// meet one item twice and miss another.
func arranged[T updatable](c *call, all []T) []T {
	if order := c.opts.lists.order; order != nil {
		all = slices.Clone(all)
		slices.SortStableFunc(all, func(a, b T) int { return order(a, b) })
	}
	q := c.r.URL.Query()
	later := q.Get("page") != "" && q.Get("page") != "1"
	if q.Del("page"); !c.opts.lists.moves || !later || len(all) == 0 || !c.meet("moved "+c.r.URL.Path+"?"+q.Encode()) {
		return all
	}
	return slices.Concat(all[len(all)-1:], all[:len(all)-1])
}

// isV2 reports whether the call is one of REST v2.
func (c *call) isV2() bool { return strings.HasPrefix(c.r.URL.Path, "/rest/v2.") }

// answerList answers a page of a list, in the form of its version of REST. Items are
// rendered only for the page.
func answerList[T updatable](c *call, all []T, render func(T) map[string]any) {
	sizes := v1()
	if c.isV2() {
		sizes = v2()
	}
	cut, ok := page(c, sizes, arranged(c, all))
	if !ok {
		return
	}
	rows := []map[string]any{}
	for _, item := range cut {
		row := render(item)
		if c.opts.lists.undated {
			delete(row, "updated_at")
		}
		rows = append(rows, row)
	}
	c.inVersion(http.StatusOK, rows)
}

// inVersion answers in the form of REST v1, or of v2, where the answer is below data.
func (c *call) inVersion(status int, v any) {
	if c.isV2() {
		v = map[string]any{"data": v}
	}
	writeJSON(c.w, status, v)
}
