package logs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
)

var (
	// ErrMore means that there are more lines than the limit.
	ErrMore = errors.New("there are more lines than the limit; narrow the time, or raise the limit")
	// ErrRetention means that the logs of that time are deleted, or older than the stack.
	ErrRetention = errors.New("the logs of that time are no longer kept; the stack's parameter LogRetentionDays is how long they are")

	errSlow = fmt.Errorf("CloudWatch Logs Insights did not finish within %s: ask for less time", maxWait)
)

// The pauses between two questions about a query. The service accepts about five a second from an account.
const firstPause, lastPause = 100 * time.Millisecond, time.Second

// results waits until a query has ended, and returns its rows. It stops the query if ctx ends.
func (c *Client) results(ctx context.Context, id string) ([]map[string]string, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		out, err := c.API.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: &id})
		if err == nil {
			switch out.Status {
			case types.QueryStatusComplete:
				return c.rest(ctx, id, out)
			case types.QueryStatusScheduled, types.QueryStatusRunning, types.QueryStatusUnknown:
				err = c.Clock.Sleep(ctx, pause)
			default:
				return nil, fmt.Errorf("CloudWatch Logs Insights ended the query as %s; try again, or ask for less time", out.Status)
			}
		}
		if err != nil {
			c.stop(ctx, id)
			return nil, c.explain(ctx, err)
		}
	}
}

// rest returns the rows of all pages.
func (c *Client) rest(ctx context.Context, id string, out *cloudwatchlogs.GetQueryResultsOutput) ([]map[string]string, error) {
	var rows []map[string]string
	for {
		for _, result := range out.Results {
			row := make(map[string]string, len(result))
			for _, f := range result {
				row[aws.ToString(f.Field)] = aws.ToString(f.Value)
			}
			rows = append(rows, row)
		}
		if out.NextToken == nil || len(out.Results) == 0 || len(rows) >= MaxLimit {
			return rows, nil
		}
		var err error
		out, err = c.API.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: &id, NextToken: out.NextToken})
		if err != nil {
			return nil, c.explain(ctx, err)
		}
	}
}

// stop ends a query whose answer is not awaited any longer, because it costs money. That it could not be stopped changes nothing.
func (c *Client) stop(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_, _ = c.API.StopQuery(ctx, &cloudwatchlogs.StopQueryInput{QueryId: &id})
}

// explain says what to do about an error of the service.
func (c *Client) explain(ctx context.Context, err error) error {
	if context.Cause(ctx) == errSlow { //nolint:errorlint // it is this very value
		return errSlow
	}
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return fmt.Errorf("CloudWatch Logs does not answer: %w", err)
	}
	switch e.ErrorCode() {
	case "AccessDeniedException":
		return fmt.Errorf("you may not search the logs, which needs logs:StartQuery, logs:GetQueryResults and logs:StopQuery: %s", e.ErrorMessage())
	case "ResourceNotFoundException":
		return fmt.Errorf("a log group does not exist; compare the output %s and --log-group: %s", GroupsOutput, e.ErrorMessage())
	case "MalformedQueryException":
		// The service has no own code for a time before the group was made, or before its retention.
		if strings.Contains(e.ErrorMessage(), "retention") {
			return ErrRetention
		}
	case "LimitExceededException", "ThrottlingException":
		return fmt.Errorf("too many queries of Logs Insights run in this account; try again in a minute: %s", e.ErrorMessage())
	}
	return fmt.Errorf("CloudWatch Logs: %w", err)
}
