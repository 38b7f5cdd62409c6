package awstest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
	maxQueryGroups  = 50
	maxQueryText    = 10_000
	maxQueryResults = 100_000

	resultPage = 10_000 // rows of one answer
	maxQueries = 100    // whose results are remembered
)

// logQuery is a query with its results. The first answer about it is that it runs.
type logQuery struct {
	rows    []resultRow
	scanned int
	asked   bool
	done    bool
	stopped bool
}

type resultRow []resultField

type resultField struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

type queryInput struct {
	LogGroupNames      []string
	StartTime, EndTime int64 // seconds
	QueryString        string
	Limit              int
}

func (l *Logs) startQuery(_ context.Context, _ *http.Request, in queryInput) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, err := parseQuery(in.QueryString)
	switch {
	case len(in.LogGroupNames) == 0 || len(in.LogGroupNames) > maxQueryGroups:
		return nil, errorf("InvalidParameterException", "logGroupNames must have 1 to %d names", maxQueryGroups)
	case in.EndTime < in.StartTime || in.StartTime < 0:
		return nil, errorf("InvalidParameterException", "Query time range is invalid")
	case in.Limit != 0:
		return nil, errorf("InvalidParameterException", "this stand-in takes the limit from the query")
	case len(in.QueryString) > maxQueryText:
		return nil, errorf("InvalidParameterException", "1 validation error detected: queryString")
	case err != nil:
		return nil, err
	}
	run := &logQuery{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(in.LogGroupNames))) {
		g := l.groups[name]
		if g == nil {
			return nil, errorf("ResourceNotFoundException", "Log group '%s' does not exist for account ID '%s'", name, account)
		}
		run.add(name, g, q, in)
	}
	slices.SortStableFunc(run.rows, func(a, b resultRow) int { return strings.Compare(a[0].Value, b[0].Value) })
	run.rows = run.rows[:min(len(run.rows), q.limit)]
	return map[string]string{"queryId": l.remember(run)}, nil
}

// add adds the lines of a group. The service turns the seconds of the range into milliseconds, so that of the last second
// only its beginning is included.
//
// https://github.com/aws/aws-sdk/issues/280
func (run *logQuery) add(name string, g *logGroup, q query, in queryInput) {
	for _, line := range g.lines {
		run.scanned++
		if ms := line.at.UnixMilli(); ms < in.StartTime*1000 || ms > in.EndTime*1000 || !q.filter(fieldsOf(line.message)) {
			continue
		}
		run.rows = append(run.rows, resultRow{
			{"@timestamp", line.at.UTC().Format("2006-01-02 15:04:05.000")}, {"@log", account + ":" + name},
			{"@logStream", line.stream}, {"@message", line.message}, {"@ptr", line.id},
		})
	}
}

// remember returns the id of a query. The oldest is forgotten.
func (l *Logs) remember(run *logQuery) string {
	id := newID()
	l.queries[id] = run
	if l.started = append(l.started, id); len(l.started) > maxQueries {
		delete(l.queries, l.started[0])
		l.started = l.started[1:]
	}
	return id
}

type resultsInput struct{ QueryId, NextToken string }

func (l *Logs) getQueryResults(_ context.Context, _ *http.Request, in resultsInput) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	run := l.queries[in.QueryId]
	from, err := strconv.Atoi("0" + in.NextToken)
	switch {
	case run == nil:
		return nil, errorf("ResourceNotFoundException", "Query ID %.100q not found", in.QueryId)
	case err != nil || from > len(run.rows):
		return nil, errorf("InvalidParameterException", "The specified nextToken is invalid.")
	case run.stopped:
		return map[string]any{"status": "Cancelled", "results": []resultRow{}}, nil
	case !run.asked:
		run.asked = true
		return map[string]any{"status": "Running", "results": []resultRow{}}, nil
	}
	run.done = true
	to := min(from+resultPage, len(run.rows))
	out := map[string]any{
		"status": "Complete", "results": append([]resultRow{}, run.rows[from:to]...),
		"statistics": map[string]float64{"recordsMatched": float64(len(run.rows)), "recordsScanned": float64(run.scanned)},
	}
	if to < len(run.rows) {
		out["nextToken"] = strconv.Itoa(to)
	}
	return out, nil
}

func (l *Logs) stopQuery(_ context.Context, _ *http.Request, in struct{ QueryId string }) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	run := l.queries[in.QueryId]
	switch {
	case run == nil:
		return nil, errorf("ResourceNotFoundException", "Query ID %.100q not found", in.QueryId)
	case run.done || run.stopped:
		return nil, errorf("InvalidParameterException", "Query is not running")
	}
	run.stopped = true
	return map[string]bool{"success": true}, nil
}
