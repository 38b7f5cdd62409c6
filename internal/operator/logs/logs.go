// Package logs asks CloudWatch Logs Insights for what the functions wrote.
//
//	lines, err := client.Lines(ctx, logs.Query{Filter: logs.Text("request_id", id), From: now.Add(-24 * time.Hour)})
//
// A line is found seconds after it was written, seldom minutes, and until the retention of its log group has passed
// (parameter LogRetentionDays). So a line that is not found proves nothing within a few minutes.
//
// A query costs money by the bytes that it scans, which are those of the log groups within its range of time.
package logs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"procore-connect/internal/platform/logging/readable"
	"procore-connect/pkg/procore"
)

const (
	// DefaultLimit is how many lines a query returns whose Limit is zero. It is the most that every region returns in one.
	DefaultLimit = 10_000
	// MaxLimit is the most lines of a query.
	//
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
	MaxLimit = 100_000
	// maxGroups is the most log groups of a query.
	maxGroups = 50
	// maxWait is how long a query may run.
	maxWait = time.Minute
)

// Client asks the log groups of one stack. API and Groups must be set.
type Client struct {
	API    *cloudwatchlogs.Client
	Groups Groups
	Clock  procore.Clock
}

// Query chooses lines.
type Query struct {
	Filter   Filter
	From, To time.Time // both inclusive, to the second; a zero To is now
	Limit    int       // the most lines, the oldest first; zero: DefaultLimit
}

// Line is what a function, or Lambda about it, wrote.
type Line struct {
	ID       string          `json:"-"`                // of the line
	Time     time.Time       `json:"time"`             // when the function wrote it; otherwise when Lambda received it
	Function string          `json:"function"`         // such as dispatcher
	Level    string          `json:"level,omitempty"`  // such as INFO; empty for a text
	Message  string          `json:"message"`          // msg, or the whole text if the line is no JSON object
	Fields   readable.Fields `json:"fields,omitempty"` // of the object
}

// Lines returns the lines that the query chooses, in order of time.
//
// The error matches [ErrMore] if there are as many lines as the limit, beside these lines: narrow the time or raise the
// limit. It matches [ErrRetention] if the logs of that time are deleted. Any other error says what to do about it.
func (c *Client) Lines(ctx context.Context, q Query) ([]Line, error) {
	text, err := q.text()
	if err != nil {
		return nil, err
	}
	names := c.Groups.names()
	if len(names) == 0 {
		return nil, fmt.Errorf("the stack has no output %s: deploy this version, or name log groups with --log-group", GroupsOutput)
	}
	if len(names) > maxGroups {
		return nil, fmt.Errorf("CloudWatch Logs Insights searches at most %d log groups, not %d", maxGroups, len(names))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxWait, errSlow)
	defer cancel()
	to := q.To
	if to.IsZero() {
		to = c.Clock.Now()
	}
	started, err := c.API.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
		LogGroupNames: names, QueryString: &text,
		StartTime: aws.Int64(q.From.Unix()), EndTime: aws.Int64(to.Unix() + 1), // of the last second only the beginning is included
	})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	rows, err := c.results(ctx, aws.ToString(started.QueryId))
	if err != nil {
		return nil, err
	}
	lines := c.lines(rows)
	if len(lines) >= q.limit() {
		return lines, fmt.Errorf("%w: these are the first %d", ErrMore, len(lines))
	}
	return lines, nil
}

func (q Query) limit() int { return cmp.Or(q.Limit, DefaultLimit) }

// lines reads rows.
func (c *Client) lines(rows []map[string]string) []Line {
	all := make([]Line, 0, len(rows))
	for _, row := range rows {
		_, group, _ := strings.Cut(row["@log"], ":") // behind the account
		at, _ := time.Parse("2006-01-02 15:04:05.000", row["@timestamp"])
		line := read(c.Groups.of(group, row["@logStream"]), at, row["@message"])
		line.ID = row["@ptr"]
		all = append(all, line)
	}
	slices.SortStableFunc(all, func(a, b Line) int { return a.Time.Compare(b.Time) })
	return all
}

func read(function string, at time.Time, text string) Line {
	fields, ok := readable.Parse([]byte(text))
	if !ok {
		return Line{Time: at, Function: function, Message: strings.TrimRight(text, "\r\n")}
	}
	if t := fields.Time(); !t.IsZero() {
		at = t
	}
	return Line{Time: at, Function: function, Level: fields.Text("level"), Message: fields.Text("msg"), Fields: fields}
}
