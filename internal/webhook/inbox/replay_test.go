package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/queue"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

const company = 5678

// world is an inbox, a queue, and a clock that each delivery advances by a second.
type world struct {
	inbox.Replay
	t      *testing.T
	dynamo *dynamotest.Server
	db     *dynamodb.Client
	queue  *awstest.Queue
	start  time.Time
	now    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dynamo: dynamotest.New(), start: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	w.now = w.start
	w.db = dynamotest.Client(w.dynamo.Start(t))
	w.Inbox = &inbox.Store{DB: w.db, Table: tables.CreateForTest(t, w.db).Inbox, Clock: procore.Clock{Time: func() time.Time { return w.now }}}
	queues := awstest.NewQueues()
	var err error
	if w.queue, err = queues.Create("events.fifo", awstest.QueueOptions{}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&awstest.Services{Queues: queues})
	t.Cleanup(server.Close)
	events := queue.New(aws.Config{Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		})}, &server.URL, awstest.QueueURL(server.URL, "events.fifo"))
	w.Send = func(ctx context.Context, m inbox.Message) error { return events.SendMessage(ctx, queue.Message(m)) }
	return w
}

// arrive stores events, named "company resource-id event-id", a second apart.
func (w *world) arrive(names ...string) {
	w.t.Helper()
	for _, name := range names {
		body := payload(w.t, name)
		e, err := procore.DecodeEvent([]byte(body))
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.Inbox.Add(w.t.Context(), e, []byte(body)); err != nil {
			w.t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
}

func (w *world) quarantine(bodies ...string) {
	w.t.Helper()
	for _, body := range bodies {
		if _, err := w.Inbox.Quarantine(w.t.Context(), company, "an older release did not know it", []byte(body)); err != nil {
			w.t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
}

func payload(t *testing.T, name string) string {
	t.Helper()
	f := strings.Fields(name)
	return fmt.Sprintf(`{"id":%s,"company_id":%s,"resource_name":"Direct Cost Line Items","resource_id":%s,"event_type":"update","timestamp":"2026-11-01T12:00:00Z"}`, f[2], f[0], f[1])
}

func (w *world) run(s inbox.Selection) inbox.Report {
	w.t.Helper()
	s.CompanyID = company
	if s.From.IsZero() {
		s.From = w.start
	}
	report, err := w.Run(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// fates returns the lines of a report: the end of the delivery's name, and its fate.
func fates(r inbox.Report) (all []string) {
	for _, i := range r.Items {
		line := fmt.Sprintf("%s %s: %s", i.Resource[strings.LastIndex(i.Resource, "#")+1:], i.EventID, i.Fate)
		all = append(all, line)
	}
	return all
}

// received returns the events in the queue, in order, and does not delete them.
func (w *world) received() (all []awstest.Message) {
	w.t.Helper()
	for {
		batch, err := w.queue.Receive(w.t.Context(), 10, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(batch) == 0 {
			return all
		}
		for _, m := range batch {
			all = append(all, m)
			if err := w.queue.Delete(m.Receipt); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func (w *world) wantEvents(got []awstest.Message, want ...string) {
	w.t.Helper()
	var ids []string
	for _, m := range got {
		e, err := procore.ParseEvent([]byte(m.Body))
		if err != nil {
			w.t.Fatal(err)
		}
		if e.ReplayedAt.IsZero() {
			w.t.Errorf("event %s is not marked", e.ID)
		}
		if want := "5678%23Direct%20Cost%20Line%20Items%23" + fmt.Sprint(e.ResourceID); m.Group != want {
			w.t.Errorf("event %s in group %s, want %s", e.ID, m.Group, want)
		}
		ids = append(ids, e.ID)
	}
	if diff := cmp.Diff(ids, want); diff != "" {
		w.t.Errorf("events in the queue (-got +want):\n%s", diff)
	}
}

// Each replay sends what arrived in the range in order of arrival, marked, in its
// group. It sends nothing else.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.arrive("5678 1 9", "5678 1 10", "5679 1 11", "5678 2 12", "5678 1 2")
	w.quarantine("x")
	want := []string{"1 10: handed on", "2 12: handed on"}
	middle := inbox.Selection{From: w.start.Add(time.Second), To: w.start.Add(4 * time.Second)}
	dry := middle
	dry.DryRun = true
	if diff := cmp.Diff(fates(w.run(dry)), want); diff != "" {
		t.Errorf("dry run (-got +want):\n%s", diff)
	}
	w.wantEvents(w.received())
	for range 2 { // the second within the queue's five minutes
		got := w.run(middle)
		if diff := cmp.Diff(fates(got), want); diff != "" || got.Position != "" || got.Counts[inbox.HandedOn] != 2 {
			t.Errorf("%v, position %q (-got +want):\n%s", got.Counts, got.Position, diff)
		}
		w.wantEvents(w.received(), "10", "12")
	}
	w.run(inbox.Selection{})
	w.wantEvents(w.received(), "9", "10", "12", "2")
	w.run(inbox.Selection{Resource: "5678#Direct Cost Line Items#1"})
	w.wantEvents(w.received(), "9", "10", "2")
}

// Count counts what Run would replay, from a position on, without reading it.
func TestCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.arrive("5678 1 9", "5678 1 10", "5679 1 11", "5678 2 12", "5678 1 2")
	w.quarantine("x")
	count := func(s inbox.Selection) inbox.Count {
		t.Helper()
		if s.CompanyID = company; s.From.IsZero() {
			s.From = w.start
		}
		c, err := w.Count(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	at := func(seconds int) time.Time { return w.start.Add(time.Duration(seconds) * time.Second) }
	skip := func(a inbox.Arrival) bool { return a.ID == "12" }
	for name, tt := range map[string]struct {
		s    inbox.Selection
		want inbox.Count
	}{
		"all":         {inbox.Selection{}, inbox.Count{Deliveries: 4, Resources: 2, First: at(0), Last: at(4)}},
		"a time":      {inbox.Selection{From: at(1), To: at(4)}, inbox.Count{Deliveries: 2, Resources: 2, First: at(1), Last: at(3)}},
		"one":         {inbox.Selection{Resource: "5678#Direct Cost Line Items#1"}, inbox.Count{Deliveries: 3, Resources: 1, First: at(0), Last: at(4)}},
		"quarantined": {inbox.Selection{Quarantined: true}, inbox.Count{Deliveries: 1, Resources: 1, First: at(5), Last: at(5)}},
		"some":        {inbox.Selection{Skip: skip}, inbox.Count{Deliveries: 3, Resources: 1, First: at(0), Last: at(4)}},
		"the rest": {
			inbox.Selection{Position: w.run(inbox.Selection{Limit: 2, DryRun: true}).Position},
			inbox.Count{Deliveries: 2, Resources: 2, First: at(3), Last: at(4)},
		},
		"nothing": {inbox.Selection{From: at(9), To: at(10)}, inbox.Count{}},
	} {
		if d := cmp.Diff(count(tt.s), tt.want); d != "" {
			t.Errorf("%s (-got +want):\n%s", name, d)
		}
	}
	w.run(inbox.Selection{Skip: skip})
	w.wantEvents(w.received(), "9", "10", "2")
}

// A replay in parts sends each event once, in order, and continues after an error
// where it was. A message that may have been sent before the error is not sent twice.
func TestReplayInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.arrive("5678 1 1", "5678 2 2", "5678 1 3", "5678 1 4", "5678 2 5")
	s := inbox.Selection{CompanyID: company, From: w.start, To: w.now, Limit: 2}
	send, calls := w.Send, 0
	w.Send = func(ctx context.Context, m inbox.Message) error {
		if calls++; calls == 4 {
			return errors.Join(send(ctx, m), errors.New("the answer was lost"))
		}
		return send(ctx, m)
	}
	var sizes []int
	for range 10 {
		report, err := w.Run(t.Context(), s)
		if (err != nil) != (calls == 4 && len(report.Items) == 1) {
			t.Fatalf("after %d messages: %v", calls, err)
		}
		sizes = append(sizes, len(report.Items))
		if s.Position = report.Position; s.Position == "" {
			break
		}
	}
	if diff := cmp.Diff(sizes, []int{2, 1, 2}); diff != "" {
		t.Errorf("deliveries per call (-got +want):\n%s", diff)
	}
	w.wantEvents(w.received(), "1", "2", "3", "4", "5")
}

// More than a page of the index, most of it of another resource.
func TestReplayPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 1100 {
		w.arrive(fmt.Sprintf("5678 %d %d", n%400+1, n+1))
	}
	w.run(inbox.Selection{Resource: "5678#Direct Cost Line Items#300"})
	w.wantEvents(w.received(), "300", "700", "1100")
}

// A quarantined body is decoded again. If it is an event now, it is stored like any
// other.
func TestReplayQuarantined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	known, foreign := payload(t, "5678 1 2"), payload(t, "5679 1 3")
	w.arrive("5678 1 2")
	w.quarantine(payload(t, "5678 1 1"), "nonsense", known, foreign, payload(t, "5678 1 4")+strings.Repeat(" ", 128<<10))
	want := []inbox.Fate{inbox.StoredNow, inbox.NotUnderstood, inbox.StoredBefore, inbox.NotUnderstood, inbox.Truncated}
	for _, dry := range []bool{true, false} {
		report := w.run(inbox.Selection{Quarantined: true, DryRun: dry})
		var got []inbox.Fate
		for _, i := range report.Items {
			got = append(got, i.Fate)
			if (i.Reason == "") != (i.Fate == inbox.StoredNow || i.Fate == inbox.StoredBefore) {
				t.Errorf("%s for the reason %q", i.Fate, i.Reason)
			}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("dry run %v (-got +want):\n%s", dry, diff)
		}
		if records := w.stream(); len(records) != map[bool]int{true: 1, false: 2}[dry] {
			t.Errorf("dry run %v: the stream has %d envelopes", dry, len(records))
		}
	}
	e, err := procore.ParseEvent([]byte(w.stream()[1]))
	if err != nil || e.ID != "1" || e.ReplayedAt.IsZero() {
		t.Errorf("handed on: %+v, %v, want event 1, marked", e, err)
	}
	w.wantEvents(w.received()) // the dispatcher fills the queue, not the replay
	if got := w.run(inbox.Selection{Quarantined: true}).Counts[inbox.StoredBefore]; got != 2 {
		t.Errorf("again: %d duplicates, want 2", got)
	}
}

// stream returns the envelopes of what was inserted.
func (w *world) stream() (envelopes []string) {
	w.t.Helper()
	out, err := w.dynamo.Feed(w.t.Context(), w.Inbox.Table, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range out {
		if e := envelopeOf(w.t, r.NewImage); e != "" && r.Event == "INSERT" {
			envelopes = append(envelopes, e)
		}
	}
	return envelopes
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.arrive("5678 1 1", "5678 1 2")
	position := w.run(inbox.Selection{Limit: 1, DryRun: true}).Position
	for name, s := range map[string]inbox.Selection{
		"no company":               {From: w.start},
		"no time":                  {CompanyID: company, From: w.start, To: w.start},
		"quarantined and resource": {CompanyID: company, From: w.start, Quarantined: true, Resource: "5678#RFIs#1"},
		"limit":                    {CompanyID: company, From: w.start, Limit: -1},
		"position":                 {CompanyID: company, From: w.start, Position: "e30"},
		"long position":            {CompanyID: company, From: w.start, Position: strings.Repeat("A", 5000)},
		"another's position":       {CompanyID: company + 1, From: w.start, Position: position},
	} {
		if _, err := w.Run(t.Context(), s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	w.wantEvents(w.received())
}
