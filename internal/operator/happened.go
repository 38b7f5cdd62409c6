package operator

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"procore-connect/internal/operator/logs"
	"procore-connect/pkg/consumer"
	"procore-connect/pkg/tokens"
)

const (
	// maxHappened is the most lines about a company that are read at once.
	maxHappened = 5000
	// maxHalvings is how often the time is halved if there are more.
	maxHalvings = 4
)

// Happened is what the functions wrote about a company in a time.
type Happened struct {
	From, To time.Time
	Lines    []logs.Line // in order of time
	// Attempts is how often the events queue delivers an event; zero: not known.
	Attempts int
	// Since is from when on the lines are complete. It is after From if there are too many of them.
	Since time.Time
}

// Happened searches the log for what is worth a word about a company: not for each event that was handled. Lines of its
// users' tokens are about all their companies. Of too many lines it returns the last ones.
func (o *Operator) Happened(ctx context.Context, c *Company, from, to time.Time) (Happened, error) {
	h := Happened{From: from, To: to, Since: from}
	for n := 0; ; n++ {
		lines, err := o.Logs.Lines(ctx, logs.Query{Filter: about(c), From: h.Since, To: to, Limit: maxHappened})
		if err != nil && !errors.Is(err, logs.ErrMore) {
			return h, err
		}
		h.Lines = lines
		if err == nil || n == maxHalvings {
			break
		}
		h.Since = to.Add(-to.Sub(h.Since) / 2)
	}
	h.Lines = slices.DeleteFunc(h.Lines, func(l logs.Line) bool {
		of := l.Fields.Number("company_id")
		return of != "" && of != strconv.FormatInt(c.ID, 10)
	})
	return h, o.afterFailures(ctx, c, &h)
}

// about chooses the lines of a company, of its users' tokens, and of the breaker.
func about(c *Company) logs.Filter {
	of := []logs.Filter{logs.Number("company_id", c.ID), logs.Number("claimed_company_id", c.ID), logs.Text("msg", breakerLines()...)}
	if users := c.users(); users != nil {
		of = append(of, logs.Text("principal", users...))
	}
	return logs.All(logs.Any(of...), logs.Any(
		logs.Text("msg", toldLines()...),
		logs.All(logs.Text("msg", handledLine), logs.Text("outcome", string(consumer.Forbidden), string(consumer.NotConnected), string(consumer.UnknownResource))),
		logs.All(logs.Text("msg", requestLine), logs.Text("outcome", "quarantined", "over quota", "rejected", "failed")),
	))
}

// users are the principals of the company's connections, without the service account, whose lines are about all companies.
func (c *Company) users() (all []string) {
	for _, one := range c.Connections {
		if one.Principal != string(tokens.App) && logs.Searchable(one.Principal) {
			all = append(all, one.Principal)
		}
	}
	return all
}

// afterFailures adds whether the last events that a consumer failed to handle were handled later.
func (o *Operator) afterFailures(ctx context.Context, c *Company, h *Happened) (err error) {
	var ids []string
	var since time.Time
	for _, l := range slices.Backward(h.Lines) {
		if id := l.Fields.Text("event_id"); l.Message == failedLine && logs.Searchable(id) && !slices.Contains(ids, id) && len(ids) < idsAtOnce {
			ids = append(ids, id)
		}
		if l.Message == failedLine {
			since = l.Time
		}
	}
	if ids == nil {
		return nil
	}
	var limitErr error
	h.Attempts, limitErr = o.maxAttempts(ctx)
	lines, err := o.Logs.Lines(ctx, logs.Query{
		Filter: logs.All(logs.Text("msg", handledLine), logs.Number("company_id", c.ID), logs.Text("event_id", ids...)), From: since,
	})
	seen := map[string]bool{}
	for _, l := range h.Lines {
		seen[l.ID] = true
	}
	for _, l := range lines {
		if !seen[l.ID] {
			h.Lines = append(h.Lines, l)
		}
	}
	slices.SortStableFunc(h.Lines, func(a, b logs.Line) int { return a.Time.Compare(b.Time) })
	return errors.Join(err, limitErr)
}
