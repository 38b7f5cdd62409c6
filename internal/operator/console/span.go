package console

import (
	"net/url"
	"regexp"
	"strconv"
	"time"

	"procore-connect/internal/operator"
)

const (
	day = 24 * time.Hour

	shortestSpan = 5 * time.Minute
	longestSpan  = 14 * day
	oldestSpan   = 400 * day // before now
	usualSpan    = 7 * day

	// maxColumns is how many columns a timeline has, and one more at each end that is cut.
	maxColumns = 24
)

// span is the time of a timeline. It is divided into columns, each of which leads to its own time, and these into bars.
type span struct {
	From, To    time.Time
	Column, Bar time.Duration
	Label       time.Duration // between two times at the axis
	Now         bool          // it was asked for as a time that ends now
}

// spanOf reads the query from=&to=. Each is a time in UTC, or how long ago, such as 7d, 24h or 90m. One that is neither is as
// if it were missing, and what is too long, too short, too old or in the future is cut.
func spanOf(q url.Values, now time.Time) span {
	now = now.UTC()
	from, to := momentOf(q.Get("from"), now), momentOf(q.Get("to"), now)
	s := span{Now: to.IsZero()}
	if to.IsZero() || to.After(now) {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-usualSpan)
	}
	length := min(max(to.Sub(from), shortestSpan), longestSpan)
	if earliest := now.Add(length - oldestSpan); to.Before(earliest) {
		to = earliest
	}
	s.divide(length)
	s.To = to.Add(s.Column - 1).Truncate(s.Column)
	if s.From = to.Add(-length).Truncate(s.Column); s.Now {
		s.From = s.To.Add(-length).Truncate(s.Column)
	}
	return s
}

// divide chooses the columns and bars of a length.
func (t *span) divide(length time.Duration) {
	for _, d := range []struct{ column, bar, label time.Duration }{
		{time.Minute, 10 * time.Second, time.Minute},
		{5 * time.Minute, time.Minute, 15 * time.Minute},
		{15 * time.Minute, 5 * time.Minute, time.Hour},
		{time.Hour, 30 * time.Minute, 4 * time.Hour},
		{6 * time.Hour, 2 * time.Hour, day},
		{day, 3 * time.Hour, day},
	} {
		if t.Column, t.Bar, t.Label = d.column, d.bar, d.label; length < (maxColumns+1)*d.column {
			break
		}
	}
	switch {
	case length > 8*day:
		t.Bar, t.Label = 6*time.Hour, 2*day
	case t.Column == time.Minute && length > 8*time.Minute:
		t.Label = 5 * time.Minute
	}
}

var agoForm = regexp.MustCompile(`^([1-9][0-9]{0,4})([dhm])$`)

// momentOf reads a time, or how long ago. It is zero if it is neither.
func momentOf(text string, now time.Time) time.Time {
	if parts := agoForm.FindStringSubmatch(text); parts != nil {
		n, _ := strconv.Atoi(parts[1])
		return now.Add(-time.Duration(n) * map[string]time.Duration{"d": day, "h": time.Hour, "m": time.Minute}[parts[2]])
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// bars is how many bars it has.
func (t span) bars() int { return int(t.To.Sub(t.From) / t.Bar) }

// has reports whether a time is in the span.
func (t span) has(at time.Time) bool { return !at.Before(t.From) && at.Before(t.To) }

// column returns the beginning of the column that a time is in.
func (t span) column(at time.Time) time.Time { return at.Truncate(t.Column) }

// query is the query of a time.
func query(from, to time.Time) url.Values {
	const form = "2006-01-02T15:04Z"
	return url.Values{"from": {from.UTC().Format(form)}, "to": {to.UTC().Format(form)}}
}

// zooms are the spans that end now.
func zooms() []string { return []string{"14d", "7d", "24h", "1h"} }

// lengthOf is how a person reads a span such as 7d.
func lengthOf(d time.Duration) string {
	if d == day {
		return "24 h"
	}
	return operator.Length(d)
}
