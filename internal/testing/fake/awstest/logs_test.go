package awstest_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"

	"procore-connect/internal/testing/fake/awstest"
)

// logsClient returns a client of a CloudWatch Logs with the group g.
func logsClient(t *testing.T) (*cloudwatchlogs.Client, *awstest.Logs) {
	t.Helper()
	fake := awstest.NewLogs(nil, "g")
	server := httptest.NewServer(&awstest.Services{Logs: fake})
	t.Cleanup(server.Close)
	return cloudwatchlogs.New(cloudwatchlogs.Options{
		BaseEndpoint: &server.URL, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	}), fake
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// A query of another form than the operator's is malformed, as the service would not accept most of these.
func TestLogsQueries(t *testing.T) {
	t.Parallel()
	client, _ := logsClient(t)
	ask := func(query string, groups ...string) error {
		_, err := client.StartQuery(t.Context(), &cloudwatchlogs.StartQueryInput{
			LogGroupNames: groups, QueryString: &query, StartTime: aws.Int64(0), EndTime: aws.Int64(1),
		})
		return err
	}
	const before, after = "fields @timestamp, @log, @logStream, @message | filter ", " | sort @timestamp asc | limit 10"
	for _, good := range []string{
		`@message like "a b"`, `msg in ["handled", "not handled"]`, `company_id = 5678`, `(a = 1)`, `(a = 1 and (b = 2 or b = 3) and @message like "x | y")`,
	} {
		if err := ask(before+good+after, "g"); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a", `a = "b"`, `a = b`, `a in []`, `a in ["b",]`, `a in ["b"`, `a in "b"`, `a like "b"`, `@message = 1`, `@message like /x/`, `@message like "a"b"`, `a = 1 b`,
		`a = 1 and b = 1`, `(a = 1 and b = 1 or c = 1)`, `(a = 1`, `()`, `a = 1)`, `@message like "a\" or "`,
	} {
		if got := code(ask(before+bad+after, "g")); got != "MalformedQueryException" {
			t.Errorf("%s: got %q, want MalformedQueryException", bad, got)
		}
	}
	const good = before + "a = 1" + after
	for want, err := range map[string]error{
		"MalformedQueryException":   errors.Join(ask("fields @message", "g"), nil),
		"ResourceNotFoundException": ask(good, "g", "h"),
		"InvalidParameterException": ask(good, slices.Repeat([]string{"g"}, 51)...),
	} {
		if got := code(err); got != want {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	_, err := client.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: aws.String("x")})
	if code(err) != "ResourceNotFoundException" {
		t.Errorf("results of an unknown query: %v", err)
	}
	if _, err := client.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{}); code(err) != "UnknownOperationException" {
		t.Errorf("another operation: %v", err)
	}
}

func TestLogsPut(t *testing.T) {
	t.Parallel()
	client, fake := logsClient(t)
	ctx, now := t.Context(), time.Now()
	put := func(group string, at ...time.Time) (*cloudwatchlogs.PutLogEventsOutput, error) {
		in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: aws.String("s")}
		for _, one := range at {
			in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: aws.Int64(one.UnixMilli()), Message: aws.String(`{"msg":"m"}`)})
		}
		return client.PutLogEvents(ctx, in)
	}
	if _, err := put("g", now); code(err) != "ResourceNotFoundException" {
		t.Errorf("without a stream: %v", err)
	}
	for i, want := range []string{"", "ResourceAlreadyExistsException"} {
		_, err := client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
		if code(err) != want {
			t.Errorf("CreateLogStream, call %d: %v, want %q", i+1, err, want)
		}
	}
	if _, err := put("h", now); code(err) != "ResourceNotFoundException" {
		t.Errorf("without a group: %v", err)
	}
	if _, err := put("g"); err == nil {
		t.Error("an empty batch was stored")
	}
	if _, err := put("g", now, now.Add(-time.Second)); code(err) != "InvalidParameterException" {
		t.Errorf("not in order: %v", err)
	}
	out, err := put("g", now.Add(-15*24*time.Hour), now, now.Add(3*time.Hour))
	if err != nil || out.RejectedLogEventsInfo == nil || aws.ToInt32(out.RejectedLogEventsInfo.TooOldLogEventEndIndex) != 1 || aws.ToInt32(out.RejectedLogEventsInfo.TooNewLogEventStartIndex) != 2 {
		t.Errorf("got %+v, %v, want the first and the last rejected", out.RejectedLogEventsInfo, err)
	}
	if got := fake.Messages("g"); len(got) != 1 {
		t.Errorf("stored: %v", got)
	}
}

// A group has a bound, and keeps its last lines.
func TestLogsBound(t *testing.T) {
	t.Parallel()
	fake := awstest.NewLogs(nil, "g")
	for range 9 {
		fake.Put("g", time.Now(), strings.Repeat("x", 1<<20))
	}
	fake.Put("g", time.Now(), "last")
	if got := fake.Messages("g"); len(got) != 8 || got[7] != "last" {
		t.Errorf("%d lines remain, want the last 8", len(got))
	}
	fake.Put("h", time.Now(), "of no group")
}

// All lines of a time are on pages, of which the first has none. A pattern is refused.
func TestLogsFilter(t *testing.T) {
	t.Parallel()
	client, fake := logsClient(t)
	began := time.UnixMilli(1_800_000_000_000)
	for i := range 250 {
		fake.Put("g", began.Add(time.Duration(i)*time.Second), "a line")
	}
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String("g"), StartTime: aws.Int64(began.Add(10 * time.Second).UnixMilli()), EndTime: aws.Int64(began.Add(240 * time.Second).UnixMilli()),
	}
	lines, pages := 0, 0
	for p := cloudwatchlogs.NewFilterLogEventsPaginator(client, in); p.HasMorePages(); pages++ {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if pages == 0 && len(page.Events) > 0 {
			t.Error("the first page has lines")
		}
		lines += len(page.Events)
	}
	if lines != 230 || pages != 4 {
		t.Errorf("%d lines on %d pages, want 230 on 4", lines, pages)
	}
	for want, in := range map[string]*cloudwatchlogs.FilterLogEventsInput{
		"ResourceNotFoundException": {LogGroupName: aws.String("h")},
		"SerializationException":    {LogGroupName: aws.String("g"), FilterPattern: aws.String("erase")},
	} {
		if _, err := client.FilterLogEvents(t.Context(), in); code(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
