package procore

import (
	"net/http"
	"strconv"
	"time"
)

// maxLimit bounds a limit, so that nothing overflows.
const maxLimit = 1 << 30

// A window is one rate limit until it resets: by its reset, Procore's own time,
// two answers are known to speak of the same one.
type window struct {
	limit int
	used  int       // by everybody, as far as answers have told
	first int       // what was used when this process heard of it first
	own   int       // what this process has used since
	reset int64     // Unix seconds of Procore's clock
	end   time.Time // of ours; not earlier than the reset
}

// count takes in a call of this process whose answer spoke of the other window.
func (w *window) count() {
	w.used++
	w.own++
}

// share is this process's part of what is left, if all go on as they did: other
// processes show only in what was used beside its own calls.
func (w window) share() int {
	return (w.limit - w.used) * (w.own + 1) / max(w.used-w.first+1, w.own+1)
}

// hold is until when a call waits for this window, beside those in flight. Of
// them it is not known whether used counts them, so they count twice at worst.
func (w window) hold(inFlight int, last time.Time) hold {
	share := w.share()
	left := max(share-inFlight, 0)
	switch {
	case w.used >= w.limit:
		return hold{until: w.end, usedUp: true, limit: w.limit}
	case inFlight >= max(share/slow, 1):
		return hold{until: w.end}
	case left*slow < w.limit && last.Before(w.end):
		return hold{slower: last.Add(w.end.Sub(last) / time.Duration(left+1))}
	}
	return hold{}
}

// same says that two answers speak of one window. A server that computes the
// reset from the time left gives it a second more or less.
func (w window) same(o window) bool { return max(w.reset-o.reset, o.reset-w.reset) <= 1 }

// merge takes in what another answer said. Answers overtake each other, so the
// one that knows of more calls is right; each gives a latest end, so the earliest
// is. It is false for an answer of an earlier window.
func (w *window) merge(o window, now time.Time) bool {
	switch {
	case now.Before(w.end) && w.same(o):
		w.limit, w.used = o.limit, max(o.used, w.used)
		w.own++
		if o.end.Before(w.end) {
			w.end = o.end
		}
	case now.Before(w.end) && o.reset < w.reset:
		return false
	default:
		before := *w
		*w = o
		w.first = o.used
		if now.Sub(before.end) < spikeWindow {
			w.first -= (before.used - before.first) / 2
			w.own = before.own / 2
		}
	}
	return true
}

// reported is the window that an answer speaks of. Its end is measured from the
// answer's own Date, so that a local clock that is wrong does not matter. A second
// is added, because both are whole seconds, and Procore says: until after the
// reset.
//
// https://procore.github.io/documentation/rate-limiting, "Interpret Rate Limit Headers"
func reported(resp *http.Response, now time.Time) (window, bool) {
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

// resetTime is X-Rate-Limit-Reset, in Unix seconds.
func resetTime(h http.Header) (int64, bool) {
	n, err := strconv.ParseInt(h.Get("X-Rate-Limit-Reset"), 10, 64)
	return n, err == nil && n > 0 && n < 1<<40
}

// untilReset is the time from the answer to the reset.
func untilReset(h http.Header, reset int64, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return time.Unix(reset, 0).Sub(now)
}
