package procore

import (
	"net/http"
	"time"
)

// An Answer is what the header of an answer reports about Procore, whatever was asked.
type Answer struct {
	// Date is Procore's clock when it answered, in whole seconds; zero if it does not
	// report that.
	Date time.Time
	// HourlyLimit is the limit of calls in an hour, 0 if the header reports the short
	// window, as it usually does, or none.
	HourlyLimit int
}

// WithAnswers calls note for each answer, also to a call that failed, before the call
// returns.
func WithAnswers(note func(Answer)) Option {
	return func(a *api) { a.answered = note }
}

func (a *api) noteAnswer(resp *http.Response) {
	if a.answered == nil {
		return
	}
	var answer Answer
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		answer.Date = date
	}
	now := a.clock.Now()
	if w, ok := windowOf(resp, now); ok && w.end.Sub(now) > spikeWindow+2*time.Second {
		answer.HourlyLimit = w.limit
	}
	a.answered(answer)
}
