package procoretest

import (
	"net/http"
	"strconv"
	"time"
)

// Limit is how many calls are allowed per hour and per 10 seconds. Zero means any number.
type Limit struct {
	Hourly int `json:"hourly"`
	Spike  int `json:"spike"`
}

// owner is whose calls are counted together: those of a user in all companies, or, as
// user 0, those of the service account in one company; and besides, those of the app, of
// an access token, or into a company.
type owner struct {
	kind          string
	user, company int64
	token         string
}

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

// allowance is one window with its limit. A hidden one is not reported until it is used up.
type allowance struct {
	*window
	limit  int
	hidden bool
}

func (a allowance) left() int { return a.limit - a.used }

// allowances returns the windows in which the call counts.
func (c *call) allowances() []allowance {
	company, _ := strconv.ParseInt(c.r.Header.Get(companyHeader), 10, 64)
	user := owner{kind: "user", user: c.pair.userID}
	if user.user == 0 {
		user.company = company
	}
	o := c.opts
	all := c.count(nil, user, Limit{o.HourlyLimit, o.SpikeLimit}, o.HideHourlyLimit)
	all = c.count(all, owner{kind: "app"}, o.AppLimit, true)
	all = c.count(all, owner{kind: "token", token: c.pair.access}, o.TokenLimit, true)
	if company != 0 {
		all = c.count(all, owner{kind: "company", company: company}, o.CompanyLimit, true)
	}
	return all
}

// count adds the owner's windows as far as they are limited.
func (c *call) count(all []allowance, o owner, l Limit, hidden bool) []allowance {
	if l == (Limit{}) {
		return all
	}
	w := c.limits[o]
	if w == nil {
		w = &windows{}
		c.limits[o] = w
	}
	now := c.now()
	w.hour.roll(now, time.Hour)
	w.spike.roll(now, 10*time.Second)
	if l.Spike > 0 {
		all = append(all, allowance{&w.spike, l.Spike, false})
	}
	if l.Hourly > 0 {
		all = append(all, allowance{&w.hour, l.Hourly, hidden})
	}
	return all
}

// reported returns the window that the headers report, of which there is always one,
// because a user's spike limit has a default: of those that are not hidden, the
// one with the fewest calls left, and of several without any, the one that resets last.
func reported(all []allowance) (first allowance) {
	for _, a := range all {
		switch {
		case a.hidden && a.left() > 0:
		case first.window == nil, a.left() < first.left(), a.left() <= 0 && a.reset.After(first.reset):
			first = a
		}
	}
	return first
}

// withinLimits reports whether the call is within the limits, and answers 429 if not. It
// counts the call, whatever its answer will be, and writes the headers.
func (c *call) withinLimits() bool {
	all := c.allowances()
	first := reported(all)
	ok := first.left() > 0
	if ok {
		for _, a := range all {
			a.used++
		}
	}
	now := c.now()
	seconds := (first.reset.Sub(now) + time.Second - 1) / time.Second
	h := c.w.Header()
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(first.limit))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(max(first.left(), 0)))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(now.Unix()+int64(seconds), 10))
	if !ok {
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
		return c.fail(http.StatusTooManyRequests,
			"You have surpassed the max number of requests. Please wait until your limit resets.")
	}
	return true
}
