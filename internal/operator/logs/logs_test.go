package logs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/operator/logs"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/kit/clocktest"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// world is a client of the real SDK, and the service that it asks.
type world struct {
	*logs.Client
	aws   *awstest.Logs
	asked *[]string
}

func newWorld(t *testing.T) world {
	t.Helper()
	clock := clocktest.New()
	clock.Set(start.Add(time.Hour))
	fake := awstest.NewLogs(clock.Now, "stack-FunctionsLog-1", "stack-ConsumerLog-2")
	var asked []string
	server := httptest.NewServer(&awstest.Services{Logs: fake, Watch: func(c awstest.Call) { asked = append(asked, c.Action+" "+c.Resource) }})
	t.Cleanup(server.Close)
	return world{&logs.Client{
		API: cloudwatchlogs.New(cloudwatchlogs.Options{
			BaseEndpoint: &server.URL, Region: "us-east-1", RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "operator", SecretAccessKey: "operator"}, nil
			}),
		}),
		Groups: logs.ParseGroups("dispatcher=stack-FunctionsLog-1:stack-DispatcherFunction-1,event-consumer=stack-ConsumerLog-2"),
		Clock:  clock.Seam(),
	}, fake, &asked}
}

// messages asks and returns what lines there are.
func (w world) messages(t *testing.T, q logs.Query) []string {
	t.Helper()
	if q.From.IsZero() {
		q.From = start
	}
	lines, err := w.Lines(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range lines {
		all = append(all, l.Function+": "+l.Message)
	}
	return all
}

func TestLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(group string, after time.Duration, format string, args ...any) {
		w.aws.Put(group, start.Add(after), fmt.Sprintf(format, args...))
	}
	const dispatcher, gone, consumer = "stack-FunctionsLog-1:stack-DispatcherFunction-1", "stack-FunctionsLog-1:stack-GoneFunction-1", "stack-ConsumerLog-2"
	put(consumer, 3*time.Second, `{"level":"INFO","msg":"handled","event_id":"e1","company_id":4294967311}`)
	put(dispatcher, 2*time.Second, `{"time":"2026-03-02T08:00:01Z","level":"INFO","msg":"event dispatched","event_id":"e1","company_id":4294967311}`)
	put(dispatcher, 4*time.Second, "REPORT RequestId: 9a\tDuration: 3 ms\n")
	put(consumer, 5*time.Second, `{"level":"ERROR","msg":"not handled","event_id":"e2","company_id":5678}`)
	put(consumer, time.Minute, `{"level":"INFO","msg":"handled","event_id":"e2","company_id":5678}`)
	put(gone, 2*time.Minute, `{"level":"INFO","msg":"of another version","event_id":"e4"}`)
	for name, tt := range map[string]struct {
		q    logs.Query
		want []string
	}{
		"a function that the stack no longer has":        {logs.Query{Filter: logs.Text("event_id", "e4")}, []string{"stack-GoneFunction-1: of another version"}},
		"one text, in order of what the functions wrote": {logs.Query{Filter: logs.Text("event_id", "e1")}, []string{"dispatcher: event dispatched", "event-consumer: handled"}},
		"a part of a text":                               {logs.Query{Filter: logs.Contains("RequestId: 9a")}, []string{"dispatcher: REPORT RequestId: 9a\tDuration: 3 ms"}},
		"a number":                                       {logs.Query{Filter: logs.Number("company_id", 4294967311)}, []string{"dispatcher: event dispatched", "event-consumer: handled"}},
		"all of several": {
			logs.Query{Filter: logs.All(logs.Text("msg", "handled", "not handled"), logs.Number("company_id", 5678))},
			[]string{"event-consumer: not handled", "event-consumer: handled"},
		},
		"any of several": {
			logs.Query{Filter: logs.Any(logs.Text("msg", "not handled"), logs.Contains("9a"))}, []string{"dispatcher: REPORT RequestId: 9a\tDuration: 3 ms", "event-consumer: not handled"},
		},
		"until a time":  {logs.Query{Filter: logs.Text("event_id", "e2"), To: start.Add(5 * time.Second)}, []string{"event-consumer: not handled"}},
		"from a time":   {logs.Query{Filter: logs.Text("event_id", "e2"), From: start.Add(6 * time.Second)}, []string{"event-consumer: handled"}},
		"nothing found": {logs.Query{Filter: logs.Text("event_id", "e3")}, nil},
	} {
		if d := cmp.Diff(w.messages(t, tt.q), tt.want); d != "" {
			t.Errorf("%s (-got +want):\n%s", name, d)
		}
	}
	if lines, err := w.Lines(t.Context(), logs.Query{Filter: logs.Text("event_id", "e1"), From: start, Limit: 1}); len(lines) != 1 || !errors.Is(err, logs.ErrMore) {
		t.Errorf("with a limit: %d lines, %v", len(lines), err)
	}
}

// What a person types or pastes cannot become a query, and what would search everything is refused.
func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, text := range []string{`x" or @message like "`, `x\`, "x'", "a | stats count()", "a\nb", "", strings.Repeat("x", 201), "`", "\u202e"} {
		for _, f := range []logs.Filter{logs.Contains(text), logs.Text("event_id", "e1", text), logs.Any(logs.Number("a", 1), logs.All(logs.Contains(text)))} {
			if _, err := w.Lines(t.Context(), logs.Query{Filter: f, From: start}); err == nil {
				t.Errorf("%q was searched for", text)
			}
		}
	}
	for name, q := range map[string]logs.Query{
		"no filter": {From: start}, "no time": {Filter: logs.Number("a", 1)}, "no value": {Filter: logs.Text("a"), From: start},
		"a negative limit": {Filter: logs.Number("a", 1), From: start, Limit: -1}, "a large limit": {Filter: logs.Number("a", 1), From: start, Limit: logs.MaxLimit + 1},
		"a long query": {Filter: logs.Text("a", strings.Split(strings.Repeat(strings.Repeat("x", 100)+" ", 100)+"y", " ")...), From: start},
	} {
		if _, err := w.Lines(t.Context(), q); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if *w.asked != nil {
		t.Errorf("the service was asked: %v", *w.asked)
	}
}

// More lines than one answer has are read page by page.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 12_000 {
		w.aws.Put("stack-ConsumerLog-2", start.Add(time.Duration(i)*time.Millisecond), `{"msg":"handled"}`)
	}
	lines, err := w.Lines(t.Context(), logs.Query{Filter: logs.Text("msg", "handled"), From: start, Limit: 20_000})
	if len(lines) != 12_000 || err != nil {
		t.Errorf("%d lines, %v, want 12000", len(lines), err)
	}
}

// Each error says what to do.
func TestErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := logs.Query{Filter: logs.Text("msg", "handled"), From: start}
	for code, want := range map[string]string{
		"AccessDeniedException":     "logs:StartQuery",
		"ResourceNotFoundException": "--log-group",
		"LimitExceededException":    "try again in a minute",
		"InvalidParameterException": "CloudWatch Logs:",
	} {
		w.aws.Fail(&awstest.Error{Code: code, Message: "no"})
		if _, err := w.Lines(t.Context(), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", code, err, want)
		}
	}
	w.aws.Fail(&awstest.Error{Code: "MalformedQueryException", Message: "Query's end date and time is either before the log groups " +
		"creation time or exceeds the log groups log retention settings"})
	if _, err := w.Lines(t.Context(), q); !errors.Is(err, logs.ErrRetention) {
		t.Errorf("after the retention: %v", err)
	}
	w.aws.Fail(nil)
	w.Groups = logs.ParseGroups("", "/mine/consumer")
	if _, err := w.Lines(t.Context(), q); err == nil || !strings.Contains(err.Error(), "'/mine/consumer' does not exist") {
		t.Errorf("an unknown log group: %v", err)
	}
	w.Groups = nil
	if _, err := w.Lines(t.Context(), q); err == nil || !strings.Contains(err.Error(), "LogGroups") {
		t.Errorf("no log group: %v", err)
	}
}

// A query that no one waits for any longer is stopped.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.Clock.Wait = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	if _, err := w.Lines(ctx, logs.Query{Filter: logs.Number("a", 1), From: start}); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	want := []string{"logs:StartQuery stack-ConsumerLog-2", "logs:StartQuery stack-FunctionsLog-1", "logs:GetQueryResults ", "logs:StopQuery "}
	if d := cmp.Diff(*w.asked, want); d != "" {
		t.Errorf("calls (-got +want):\n%s", d)
	}
}
