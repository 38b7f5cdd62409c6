package procore

import (
	"net/http"
	"strconv"
	"time"
)

// maxLimit is the largest limit that is believed, so that nothing overflows.
const maxLimit = 1 << 30

// A window is one rate limit until it resets. Two answers describe the same window if
// their resets, in Procore's own time, are the same.
type window struct {
	limit     int
	used      int       // by all processes, as far as answers reported it
	firstUsed int       // used when an answer reported the window first
	ownUsed   int       // used by this process since then
	reset     int64     // Unix seconds of Procore's clock
	end       time.Time // in local time; not before the reset
}

// count adds a call of this process whose answer described the other window.
func (w *window) count() {
	w.used++
	w.ownUsed++
}

// share returns this process's part of what is left if every process continues at its
// rate. Other processes show only in what was used besides its own calls.
func (w window) share() int {
	return (w.limit - w.used) * (w.ownUsed + 1) / max(w.used-w.firstUsed+1, w.ownUsed+1)
}

// hold returns how long a call has to wait for this window. used may or may not include
// the calls in flight, so they count twice at worst.
func (w window) hold(inFlight int, last time.Time) hold {
	share := w.share()
	left := max(share-inFlight, 0)
	switch {
	case w.used >= w.limit:
		return hold{until: w.end, usedUp: true, limit: w.limit}
	case inFlight >= max(share/quarter, 1):
		return hold{until: w.end}
	case left*quarter < w.limit && last.Before(w.end):
		return hold{slower: last.Add(w.end.Sub(last) / time.Duration(left+1))}
	}
	return hold{}
}

// sameAs reports whether two answers describe one window. The resets may differ by a
// second, because a server may compute them from the time left.
func (w window) sameAs(o window) bool { return max(w.reset-o.reset, o.reset-w.reset) <= 1 }

// merge adds the report of another answer. Answers overtake each other, so the one that
// counts more calls is right. Each reports a latest end, so the earliest end is right.
// merge returns false for an answer of an earlier window.
func (w *window) merge(o window, now time.Time) bool {
	switch {
	case now.Before(w.end) && w.sameAs(o):
		w.limit, w.used = o.limit, max(o.used, w.used)
		w.ownUsed++
		if o.end.Before(w.end) {
			w.end = o.end
		}
	case now.Before(w.end) && o.reset < w.reset:
		return false
	default:
		before := *w
		*w = o
		w.firstUsed = o.used
		if now.Sub(before.end) < spikeWindow {
			w.firstUsed -= (before.used - before.firstUsed) / 2
			w.ownUsed = before.ownUsed / 2
		}
	}
	return true
}

// windowOf returns the window that an answer describes. It measures the end from the
// answer's own Date, so a wrong local clock does not matter. It adds a second, because
// both are whole seconds, and Procore asks clients to wait until after the reset.
//
// https://procore.github.io/documentation/rate-limiting, "Interpret Rate Limit Headers"
func windowOf(resp *http.Response, now time.Time) (window, bool) {
	h := resp.Header
	remaining, err := strconv.Atoi(h.Get("X-Rate-Limit-Remaining"))
	if err != nil || remaining < 0 {
		return window{}, false
	}
	reset, ok := resetTime(h)
	if !ok {
		return window{}, false
	}
	wait := untilReset(h, reset, now)
	if wait < 0 {
		return window{}, false
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		remaining = 0
	}
	remaining = min(remaining, maxLimit)
	limit, err := strconv.Atoi(h.Get("X-Rate-Limit-Limit"))
	if err != nil || limit < remaining {
		limit = remaining
	}
	end := now.Add(min(wait, hourWindow) + time.Second)
	limit = min(limit, maxLimit)
	return window{limit: limit, used: limit - remaining, reset: reset, end: end}, true
}

// resetTime returns X-Rate-Limit-Reset in Unix seconds.
func resetTime(h http.Header) (int64, bool) {
	n, err := strconv.ParseInt(h.Get("X-Rate-Limit-Reset"), 10, 64)
	return n, err == nil && n > 0 && n < 1<<40
}

// untilReset returns the time from the answer to the reset.
func untilReset(h http.Header, reset int64, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return time.Unix(reset, 0).Sub(now)
}
