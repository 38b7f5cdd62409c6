package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/operator/logs"
	"procore-connect/internal/platform/logging"
)

// What the id of a trace may be.
const (
	ofRequest = "a request"                // the id that a page shows
	ofAPI     = "a request at API Gateway" // the answer's header Apigw-Requestid, and the access log
	ofEvent   = "an event"                 // the envelope's id
	ofProcore = "a request to Procore"     // what its support asks for
	ofText    = "a text"
)

const (
	// maxTraced is the most lines of a trace.
	maxTraced = 2000
	// maxRelated is of how many requests and events the lines are added.
	maxRelated = 20
)

// Trace is what all functions wrote about one id, and about what belongs to it.
type Trace struct {
	ID    string      `json:"id"`
	Is    string      `json:"is"`
	Lines []logs.Line `json:"lines"` // in order of time
	More  bool        `json:"more"`  // there are more lines
}

// Trace searches all log groups from a time on for an id that a person pasted: of a request, as a page shows it or as API
// Gateway names it, of an event, or of Procore's request. What belongs to it is found by a second search: for an event all
// its requests, for a request the events that it received or handled, for one of Procore the request that made it.
func (o *Operator) Trace(ctx context.Context, id string, from time.Time) (*Trace, error) {
	return o.trace(ctx, id, logs.Contains(id), from)
}

// EventTrace searches all log groups for what was written about an event of a company since it arrived. Another company may
// have an event with this id, whose lines are left out.
func (o *Operator) EventTrace(ctx context.Context, e Event) (*Trace, error) {
	id := logging.Short(e.ID)
	t, err := o.trace(ctx, id, logs.All(logs.Text("event_id", id), logs.Number("company_id", e.CompanyID)), e.ReceivedAt.Add(-time.Minute))
	if err != nil {
		return nil, err
	}
	company := strconv.FormatInt(e.CompanyID, 10)
	t.Lines = slices.DeleteFunc(t.Lines, func(l logs.Line) bool {
		of := l.Fields.Number("company_id")
		return of != "" && of != company
	})
	return t, nil
}

// trace searches for the lines that a filter chooses, and for what belongs to them.
func (o *Operator) trace(ctx context.Context, id string, by logs.Filter, from time.Time) (*Trace, error) {
	named, err := o.Logs.Lines(ctx, logs.Query{Filter: by, From: from, Limit: maxTraced})
	more := errors.Is(err, logs.ErrMore)
	if err != nil && !more {
		return nil, err
	}
	if len(named) == 0 {
		return nil, fmt.Errorf("no function wrote %q since %s. Lines are found after some seconds, seldom minutes; --since searches further back, "+
			"up to the retention of the logs", id, clock(from))
	}
	t := &Trace{ID: id, Is: what(named, id), More: more}
	lines := named
	if related, any := relatedTo(named, t.Is); any {
		around := named[0].Time.Add(-time.Hour) // an event was received before it failed
		found, err := o.Logs.Lines(ctx, logs.Query{Filter: related, From: around, Limit: maxTraced})
		if err != nil && !errors.Is(err, logs.ErrMore) {
			return nil, err
		}
		t.More = t.More || err != nil
		lines = append(lines, found...)
	}
	t.add(lines)
	return t, nil
}

// add adds the lines, each once.
func (t *Trace) add(lines []logs.Line) {
	slices.SortStableFunc(lines, func(a, b logs.Line) int { return a.Time.Compare(b.Time) })
	seen := map[string]bool{}
	for _, l := range lines {
		if seen[l.ID] {
			continue
		}
		seen[l.ID] = true
		t.Lines = append(t.Lines, l)
	}
}

// what returns what an id is, by the attribute that has it.
func what(lines []logs.Line, id string) string {
	has := func(attribute, value string) bool {
		return slices.ContainsFunc(lines, func(l logs.Line) bool { return l.Fields.Text(attribute) == value })
	}
	switch {
	case has("event_id", logging.Short(id)):
		return ofEvent
	case has("request_id", id), has("lambdaRequestId", id):
		return ofRequest
	case has("api_request_id", id), has("requestId", id):
		return ofAPI
	case slices.ContainsFunc(lines, func(l logs.Line) bool { return strings.Contains(l.Fields.Text("error"), "equest "+id) }):
		return ofProcore
	}
	return ofText
}

// relatedTo returns a filter of what belongs to the lines. The request of a dispatcher or a consumer has many events, so that
// an event does not lead to the others of its batch.
func relatedTo(lines []logs.Line, is string) (filter logs.Filter, any bool) {
	var filters []logs.Filter
	if ids := values(lines, "event_id"); ids != nil {
		filters = append(filters, logs.Text("event_id", ids...))
	}
	if ids := values(lines, "api_request_id"); ids != nil {
		filters = append(filters, logs.Text("requestId", ids...)) // of the access log
	}
	if is == ofAPI || is == ofProcore {
		// Lambda writes the id into lines without attributes. Of a function that crashed there is no other, and the access log
		// alone has both ids.
		for _, attribute := range []string{"request_id", "lambdaRequestId"} {
			for _, id := range values(lines, attribute) {
				filters = append(filters, logs.Contains(id))
			}
		}
	}
	return logs.Any(filters...), filters != nil
}

// values returns the values of an attribute, each once.
func values(lines []logs.Line, attribute string) (all []string) {
	for _, l := range lines {
		if v := l.Fields.Text(attribute); logs.Searchable(v) && !slices.Contains(all, v) && len(all) < maxRelated {
			all = append(all, v)
		}
	}
	return all
}
