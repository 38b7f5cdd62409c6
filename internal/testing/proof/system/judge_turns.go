package system

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// windows judges when the reconciler reads: not while deliveries wait at Procore, which would all be found as not
// delivered, unless they have waited for a day.
type windows struct {
	court
	until map[int64]time.Time // the last end of a company's windows
}

func newWindows(c court) *windows { return &windows{court: c, until: map[int64]time.Time{}} }

const (
	// settling is how long before it is opened a window ends.
	settling = time.Minute
	// gateFor is how long the calls take at most by which a turn decides whether to open one.
	gateFor = 2 * time.Minute
)

// opened returns when the windows were opened that a row of reconciliation has, zero if the row before has them too, or
// had none: a company's first ones end when its changes are covered from.
func (w *windows) opened(company int64, i invariants.Item) time.Time {
	var end time.Time
	for _, c := range i["cursors"].L {
		for _, name := range []string{"from_ms", "to_ms"} {
			if at := time.UnixMilli(number(c.M, name)); at.After(end) {
				end = at
			}
		}
	}
	before := w.until[company]
	if w.until[company] = end; before.IsZero() || !end.After(before) {
		return time.Time{}
	}
	return end.Add(settling)
}

// judge checks a window that was opened: whether the company's hook failed since before, as its attempts show.
func (w *windows) judge(company int64, opened time.Time, h procoretest.Hook, attempts []procoretest.Delivery) {
	since := failing(h.ID, attempts)
	if !h.Paused || h.Disabled || h.Waiting == 0 || since.IsZero() || !since.Before(opened.Add(-gateFor)) {
		return
	}
	if opened.Sub(since) < discardedAfter {
		w.problem("R9: a window of company %d was opened at %s, although deliveries wait at Procore since %s", company,
			opened.UTC().Format(time.DateTime), since.Format(time.DateTime))
	}
}

// discardedAfter is how long Procore tries deliveries, with some time to spare.
const discardedAfter = 11 * time.Hour

// failing returns since when all attempts of a hook failed, zero if the last one did not.
func failing(hook int64, attempts []procoretest.Delivery) (since time.Time) {
	for _, d := range slices.Backward(attempts) {
		switch {
		case d.HookID != hook:
		case d.Outcome != procoretest.OutcomeFailed:
			return since
		default:
			at, err := time.Parse(time.RFC3339, d.StartedAt)
			must(err)
			since = at
		}
	}
	return since
}

// turned learns of a row of reconciliation: a turn has ended.
func (j *judge) turned(i invariants.Item) {
	company, _ := strconv.ParseInt(strings.TrimPrefix(text(i, "company"), prefix), 10, 64)
	if text(i, "principal") != string(connections.Reconciliation) || number(i, "until_ms") > 0 {
		return
	}
	if ended := j.turns[company]; ended != nil {
		delete(j.turns, company)
		ended <- struct{}{}
	}
	opened, c := j.windows.opened(company, i), j.items.of(company)
	if opened.IsZero() || c.left || len(c.connected) == 0 {
		return
	}
	if id, err := strconv.ParseInt(c.hookID, 10, 64); err == nil {
		h, attempts := j.procore.Hook(id)
		j.windows.judge(company, opened, h, attempts)
	}
}
