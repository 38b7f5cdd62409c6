package streamtest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
)

const maxReceive = 5

type function func(context.Context, []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

// consumerOf records the bodies that it receives and answers with those for which fail
// is true.
func consumerOf(t *testing.T, batches *[][]string, fail func(batch int, m events.SQSMessage) bool) function {
	t.Helper()
	return func(_ context.Context, payload []byte) ([]byte, error) {
		var e events.SQSEvent
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Error(err)
		}
		var bodies []string
		var out events.SQSEventResponse
		for _, m := range e.Records {
			bodies = append(bodies, m.Body)
			if fail(len(*batches), m) {
				out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
			}
		}
		*batches = append(*batches, bodies)
		return json.Marshal(out)
	}
}

func queueWith(t *testing.T, messages ...string) (q, dead *awstest.Queue) {
	t.Helper()
	s := awstest.NewQueues()
	dead, err := s.Create("dead.fifo", awstest.QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q, err = s.Create("q.fifo", awstest.QueueOptions{DeadLetters: dead, MaxReceiveCount: maxReceive})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if _, _, err := q.Send(awstest.Message{Body: m, Group: m[:1], Dedup: m}); err != nil {
			t.Fatal(err)
		}
	}
	return q, dead
}

// runFor runs the mapping for d of the bubble's time.
func runFor(t *testing.T, m *QueueMapping, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	m.Run(ctx)
}

func TestPartialFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, dead := queueWith(t, "a1", "b1", "a2", "a3", "b2")
		var batches [][]string
		m := &QueueMapping{Queue: q, BatchSize: 10, MaxReceive: maxReceive, Report: func(s string) { t.Error(s) }, Function: consumerOf(t, &batches, func(batch int, m events.SQSMessage) bool {
			return batch == 0 && slices.Contains([]string{"a2", "a3"}, m.Body)
		})}
		runFor(t, m, time.Minute)
		want := [][]string{{"a1", "b1", "a2", "a3", "b2"}, {"a2", "a3"}}
		if d := cmp.Diff(batches, want); d != "" {
			t.Errorf("batches (-got +want):\n%s", d)
		}
		if waiting, inFlight, _ := dead.Counts(); waiting+inFlight > 0 {
			t.Errorf("%d dead letters, want none", waiting+inFlight)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, dead := queueWith(t, "a1", "a2")
		began := time.Now()
		var batches [][]string
		var at []time.Duration
		var reports []string
		m := &QueueMapping{Queue: q, BatchSize: 10, MaxReceive: maxReceive, Report: func(s string) { reports = append(reports, s) }, Function: consumerOf(t, &batches, func(_ int, m events.SQSMessage) bool {
			if m.Body == "a1" {
				at = append(at, time.Since(began))
			}
			return m.Body == "a1"
		})}
		runFor(t, m, 5*time.Minute)
		want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}
		if d := cmp.Diff(at, want); d != "" {
			t.Errorf("deliveries (-got +want):\n%s", d)
		}
		got, err := dead.Receive(t.Context(), 10, 0)
		if err != nil || len(got) != 1 || got[0].Body != "a1" || len(reports) != 1 {
			t.Errorf("dead letters = %v, %v, reports %q; want a1, reported once", got, err, reports)
		}
	})
}

// A patient mapping leaves a message that failed to the queue, whose own time is 30 seconds.
func TestPatient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, _ := queueWith(t, "a1")
		began := time.Now()
		var at []time.Duration
		var batches [][]string
		m := &QueueMapping{
			Queue: q, BatchSize: 10, Patient: true, Report: func(s string) { t.Error(s) },
			Function: consumerOf(t, &batches, func(int, events.SQSMessage) bool {
				at = append(at, time.Since(began))
				return len(at) < 3
			}),
		}
		runFor(t, m, 5*time.Minute)
		if d := cmp.Diff(at, []time.Duration{0, 30 * time.Second, time.Minute}); d != "" {
			t.Errorf("deliveries (-got +want):\n%s", d)
		}
	})
}

// An error fails the whole batch, and so does an answer that makes no sense.
func TestBatchFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		err    error
		again  bool
	}{
		"error":           {"", errors.New("timed out"), true},
		"unknown id":      {`{"batchItemFailures":[{"itemIdentifier":"other"}]}`, nil, true},
		"empty id":        {`{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, true},
		"not JSON":        {`ok`, nil, true},
		"no failures":     {`{"batchItemFailures":[]}`, nil, false},
		"null":            {`null`, nil, false},
		"an empty answer": {`{}`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, _ := queueWith(t, "a1", "b1")
				calls := 0
				m := &QueueMapping{Queue: q, BatchSize: 10, MaxReceive: maxReceive, Report: func(string) {}, Function: function(func(context.Context, []byte) ([]byte, error) {
					if calls++; calls > 1 {
						return []byte(`{}`), nil
					}
					return []byte(test.answer), test.err
				})}
				runFor(t, m, time.Minute)
				if again := calls > 1; again != test.again {
					t.Errorf("invoked %d times, want the batch again: %v", calls, test.again)
				}
			})
		})
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	q, _ := queueWith(t, "a1")
	batch, err := q.Receive(t.Context(), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := (&QueueMapping{Queue: q}).event(batch).Records[0]
	got := []string{r.Body, r.EventSource, r.EventSourceARN, r.Attributes["MessageGroupId"], r.Attributes["MessageDeduplicationId"], r.Attributes["ApproximateReceiveCount"], r.Md5OfBody}
	want := []string{"a1", "aws:sqs", "arn:aws:sqs:us-east-1:000000000000:q.fifo", "a", "a1", "1", awstest.MD5("a1")}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("record (-got +want):\n%s", d)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for received, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 1000: lastRetry} {
		if got := retryAfter(received); got != want {
			t.Errorf("retryAfter(%d) = %v, want %v", received, got, want)
		}
	}
}
