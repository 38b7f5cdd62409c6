package procoretest

import (
	"net/http"
	"strings"
	"time"
)

// updatable is what a list can be limited to the latest of.
type updatable interface{ updated() time.Time }

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
		if at := item.updated(); !at.Before(from) && !at.After(to) {
			found = append(found, item)
		}
	}
	return found, true
}

// isV2 reports whether the call is one of REST v2.
func (c *call) isV2() bool { return strings.HasPrefix(c.r.URL.Path, "/rest/v2.") }

// answerList answers a page of a list, in the form of its version of REST. Items are
// rendered only for the page.
func answerList[T any](c *call, all []T, render func(T) map[string]any) {
	sizes := v1()
	if c.isV2() {
		sizes = v2()
	}
	cut, ok := page(c, sizes, all)
	if !ok {
		return
	}
	rows := []map[string]any{}
	for _, item := range cut {
		rows = append(rows, render(item))
	}
	c.inVersion(rows)
}

// inVersion answers in the form of REST v1, or of v2, where the answer is below data.
func (c *call) inVersion(v any) {
	if c.isV2() {
		v = map[string]any{"data": v}
	}
	writeJSON(c.w, http.StatusOK, v)
}
