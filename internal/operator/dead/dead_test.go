package dead_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/operator/dead"
	"procore-connect/internal/testing/fake/awstest"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// world has a queue of each kind, in which each message was delivered once and became a dead letter.
type world struct {
	queues *awstest.Queues
	url    string
	client *sqs.Client
	mu     sync.Mutex
	asked  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{queues: awstest.NewQueues()}
	w.queues.Time = func() time.Time { return start }
	server := httptest.NewServer(&awstest.Services{Queues: w.queues, Watch: func(c awstest.Call) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked = append(w.asked, c.Action+" "+c.Resource)
	}})
	t.Cleanup(server.Close)
	w.url = server.URL
	w.client = sqs.New(sqs.Options{
		BaseEndpoint: &server.URL, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "operator", SecretAccessKey: "operator"}, nil
		}),
	})
	for _, suffix := range []string{"", ".fifo"} {
		d, err := w.queues.Create("dead"+suffix, awstest.QueueOptions{})
		if err == nil {
			_, err = w.queues.Create("q"+suffix, awstest.QueueOptions{DeadLetters: d, MaxReceiveCount: 1})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) dead(suffix string) dead.Queue {
	return dead.Queue{Client: w.client, URL: awstest.QueueURL(w.url, "dead"+suffix)}
}

func (w *world) queue(t *testing.T, name string) *awstest.Queue {
	t.Helper()
	q, err := w.queues.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// die makes messages dead letters, in order. Of a FIFO queue their group is the first letter.
func (w *world) die(t *testing.T, suffix string, bodies ...string) {
	t.Helper()
	q := w.queue(t, "q"+suffix)
	for _, b := range bodies {
		m := awstest.Message{Body: b}
		if suffix != "" {
			m.Group, m.Dedup = b[:1], b
		}
		if _, _, err := q.Send(m); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second one finds that it was delivered often enough
			got, err := q.Receive(t.Context(), 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range got {
				if err := q.ChangeVisibility(m.Receipt, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func bodies(letters []dead.Letter) (all []string) {
	for _, l := range letters {
		all = append(all, l.Body)
	}
	return all
}

// Peek shows what there is and changes nothing: the next one sees the same.
func TestPeek(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.die(t, ".fifo", "a1", "b1", "a2")
	for range 2 {
		letters, total, err := w.dead(".fifo").Peek(t.Context(), 100)
		if err != nil || total != 3 || len(letters) != 3 {
			t.Fatalf("got %v, %d, %v, want all three", bodies(letters), total, err)
		}
		for _, l := range letters {
			if l.Group != l.Body[:1] || !l.Since.Equal(start) || l.Receipts < 2 {
				t.Errorf("got %+v", l)
			}
		}
	}
	if letters, total, err := w.dead(".fifo").Peek(t.Context(), 2); err != nil || total != 3 || len(letters) != 2 {
		t.Errorf("with a limit: %v of %d, %v", bodies(letters), total, err)
	}
	if letters, total, err := w.dead("").Peek(t.Context(), 2); err != nil || total != 0 || letters != nil {
		t.Errorf("of an empty queue: %v of %d, %v", letters, total, err)
	}
}

// SQS moves the messages back in order, and a process that leaves in between stops nothing.
func TestMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.die(t, ".fifo", "a1", "b1", "a2", "a3", "b2")
	w.queues.MoveStep = 1
	q := w.dead(".fifo")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := q.Move(ctx, func(dead.Move) { cancel() }); !errors.Is(err, dead.ErrMoves) || !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	var seen []string
	q.Clock.Wait = func(context.Context, time.Duration) error { return nil }
	m, err := q.Move(t.Context(), func(m dead.Move) { seen = append(seen, fmt.Sprintf("%d of %d", m.Moved, m.Total)) })
	if err != nil || m.Moved != 5 || m.Running || !m.Started.Equal(start) {
		t.Errorf("got %+v, %v", m, err)
	}
	if d := cmp.Diff(seen, []string{"3 of 5", "4 of 5"}); d != "" {
		t.Errorf("progress (-got +want):\n%s", d)
	}
	var got []string
	events := w.queue(t, "q.fifo")
	for range 5 {
		batch, err := events.Receive(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range batch {
			got = append(got, m.Body)
			if err := events.Delete(m.Receipt); err != nil || m.Received != 1 {
				t.Fatalf("%s: %d receipts, %v", m.Body, m.Received, err)
			}
		}
	}
	if d := cmp.Diff(got, []string{"a1", "b1", "a2", "a3", "b2"}); d != "" {
		t.Errorf("moved (-got +want):\n%s", d)
	}
	needed := []string{
		"sqs:DeleteMessage dead.fifo", "sqs:GetQueueAttributes dead.fifo", "sqs:ListMessageMoveTasks dead.fifo", "sqs:ReceiveMessage dead.fifo",
		"sqs:SendMessage q.fifo", "sqs:StartMessageMoveTask dead.fifo",
	}
	if d := cmp.Diff(slices.Compact(slices.Sorted(slices.Values(w.asked))), needed); d != "" {
		t.Errorf("permissions that a move needs (-got +want):\n%s", d)
	}
	if _, err := (dead.Queue{Client: w.client, URL: awstest.QueueURL(w.url, "q.fifo")}).Move(t.Context(), nil); err == nil {
		t.Error("a queue of no dead letters was moved")
	}
}

// One message is deleted, and the others remain.
func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all []string
	for i := range 12 {
		all = append(all, fmt.Sprintf("m%02d", i))
	}
	w.die(t, "", all...)
	q := w.dead("")
	letters, _, err := q.Peek(t.Context(), 100)
	if err != nil || len(letters) != 12 {
		t.Fatalf("got %v, %v", bodies(letters), err)
	}
	if err := q.Delete(t.Context(), letters[11].ID); err != nil {
		t.Fatal(err)
	}
	if err := q.Delete(t.Context(), letters[11].ID); !errors.Is(err, dead.ErrGone) {
		t.Errorf("again: %v", err)
	}
	if left, total, err := q.Peek(t.Context(), 100); err != nil || total != 11 || len(left) != 11 {
		t.Errorf("left: %v of %d, %v", bodies(left), total, err)
	}
}
