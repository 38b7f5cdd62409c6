package procoretest

import (
	"net/http"
	"strconv"
	"time"
)

// owner is whose calls are counted together: those of a user in all companies, or, as
// user 0, those of the service account in one company.
type owner struct{ user, company int64 }

// windows are the two rate limits of one owner.
//
// https://developers.procore.com/documentation/rate-limiting
type windows struct{ hour, spike window }

// window counts calls until it resets.
type window struct {
	used  int
	reset time.Time
}

// roll starts a new window of this length if the last one has ended.
func (w *window) roll(now time.Time, length time.Duration) {
	if !now.Before(w.reset) {
		*w = window{reset: now.Add(length)}
	}
}

// withinLimits reports whether the call is within the limits, and answers 429 if not.
// It counts the call, and writes the headers of the limit that will be hit first.
func (c *call) withinLimits() bool {
	now := c.now()
	o := owner{user: c.pair.userID}
	if o.user == 0 {
		o.company, _ = strconv.ParseInt(c.r.Header.Get(companyHeader), 10, 64)
	}
	w := c.limits[o]
	if w == nil {
		w = &windows{}
		c.limits[o] = w
	}
	w.hour.roll(now, time.Hour)
	w.spike.roll(now, 10*time.Second)
	first, limit := &w.spike, c.opts.SpikeLimit
	if c.opts.HourlyLimit-w.hour.used < c.opts.SpikeLimit-w.spike.used {
		first, limit = &w.hour, c.opts.HourlyLimit
	}
	ok := first.used < limit
	if ok {
		w.hour.used++
		w.spike.used++
	}
	seconds := (first.reset.Sub(now) + time.Second - 1) / time.Second
	h := c.w.Header()
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(limit))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(max(limit-first.used, 0)))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(now.Unix()+int64(seconds), 10))
	if !ok {
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
		return c.fail(http.StatusTooManyRequests,
			"You have surpassed the max number of requests. Please wait until your limit resets.")
	}
	return true
}
