package awstest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
)

// filterPage is how many lines an answer has at most. The service has up to 10,000, or fewer, and decides that itself.
const filterPage = 100

type filterInput struct {
	LogGroupName       string
	StartTime, EndTime *int64 // milliseconds
	NextToken          string
}

type filteredEvent struct {
	EventID   string `json:"eventId"`
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

// filterLogEvents answers with the lines of a time, the oldest first. The first answer has none and a token, which the
// service may do at any time: only an answer without a token is the last one.
//
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (l *Logs) filterLogEvents(_ context.Context, _ *http.Request, in filterInput) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[in.LogGroupName]
	if g == nil {
		return nil, noGroup()
	}
	if in.NextToken == "" {
		return map[string]any{"events": []filteredEvent{}, "nextToken": "0"}, nil
	}
	var all []filteredEvent
	for _, line := range g.lines {
		if ms := line.at.UnixMilli(); (in.StartTime == nil || ms >= *in.StartTime) && (in.EndTime == nil || ms < *in.EndTime) {
			all = append(all, filteredEvent{line.id, ms, line.message})
		}
	}
	slices.SortStableFunc(all, func(a, b filteredEvent) int { return int(a.Timestamp - b.Timestamp) })
	from, err := strconv.Atoi(in.NextToken)
	if err != nil || from < 0 || from > len(all) {
		return nil, errorf("InvalidParameterException", "The specified nextToken is invalid.")
	}
	to := min(from+filterPage, len(all))
	out := map[string]any{"events": append([]filteredEvent{}, all[from:to]...)}
	if to < len(all) {
		out["nextToken"] = strconv.Itoa(to)
	}
	return out, nil
}
