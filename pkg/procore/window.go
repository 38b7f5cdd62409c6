package procore

import (
	"net/http"
	"strconv"
	"time"
)

const maxLimit = 1 << 30 // more is not believed, so that nothing overflows

// A window is one rate limit until it resets. Two answers describe the same window if
// their resets, in Procore's own time, are the same.
type window struct {
	limit int
	used  int       // by all processes, as far as answers reported it
	reset int64     // Unix seconds of Procore's clock
	end   time.Time // in local time; not before the reset
}

// sameAs reports whether two answers describe one window. The resets may differ by a
// second, because a server may compute them from the time left.
func (w window) sameAs(o window) bool { return max(w.reset-o.reset, o.reset-w.reset) <= 1 }

// merge adds the report of another answer. Answers overtake each other, so the one that
// counts more calls is right. Each reports a latest end, so the earliest end is right.
// merge returns false for an answer of an earlier window.
func (w *window) merge(o window, now time.Time) bool {
	switch {
	case !now.Before(w.end):
	case w.sameAs(o):
		o.used, o.reset = max(o.used, w.used), w.reset
		if w.end.Before(o.end) {
			o.end = w.end
		}
	case o.reset < w.reset:
		return false
	}
	*w = o
	return true
}

// windowOf returns the window that an answer describes. It adds a second to the end,
// because the headers are in whole seconds, and Procore asks clients to wait until after
// the reset.
//
// https://procore.github.io/documentation/rate-limiting, "Interpret Rate Limit Headers"
func windowOf(resp *http.Response, now time.Time) (window, bool) {
	remaining, err := strconv.Atoi(resp.Header.Get("X-Rate-Limit-Remaining"))
	reset, wait, ok := resetTime(resp.Header, now)
	if err != nil || remaining < 0 || !ok || wait < 0 {
		return window{}, false
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		remaining = 0
	}
	limit, err := strconv.Atoi(resp.Header.Get("X-Rate-Limit-Limit"))
	switch {
	case err == nil && limit <= 0 && resp.StatusCode != http.StatusTooManyRequests:
		return window{}, false // a limit of 0 is no limit: the call was answered
	case err != nil || limit < remaining:
		limit = remaining
	}
	limit, remaining = min(limit, maxLimit), min(remaining, maxLimit)
	return window{limit: limit, used: limit - remaining, reset: reset, end: now.Add(min(wait, hourWindow) + time.Second)}, true
}

// resetTime returns X-Rate-Limit-Reset in Unix seconds, and the time from the answer to
// it. It measures from the answer's own Date, so a wrong local clock does not matter.
func resetTime(h http.Header, now time.Time) (reset int64, wait time.Duration, ok bool) {
	reset, err := strconv.ParseInt(h.Get("X-Rate-Limit-Reset"), 10, 64)
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return reset, time.Unix(reset, 0).Sub(now), err == nil && reset > 0 && reset < 1<<40
}
