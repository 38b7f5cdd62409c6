package pipetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
)

const queueName = "events.fifo"

// world is an inbox, its stream and a queue, over the wire.
type world struct {
	t     *testing.T
	db    *dynamodb.Client
	table string
	queue *awstest.Queue
	pipe  Pipe // to be copied

	mu      sync.Mutex
	refuse  int // sends to be refused from now on
	reports []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	queues := awstest.NewQueues()
	var err error
	if w.queue, err = queues.Create(queueName, awstest.QueueOptions{}); err != nil {
		t.Fatal(err)
	}
	services := &awstest.Services{Queues: queues}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.refuses(r) {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		services.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	dynamo := os.Getenv("DYNAMODB_ENDPOINT")
	if dynamo == "" {
		memory := dynamotest.New()
		services.DynamoDB, services.Streams, dynamo = memory, Streams(memory), server.URL
	}
	w.db = dynamotest.Client(dynamo)
	w.table = tables.CreateForTest(t, w.db).Inbox
	o := w.db.Options()
	w.pipe = Pipe{
		Streams: dynamodbstreams.New(dynamodbstreams.Options{BaseEndpoint: &dynamo, Region: o.Region, Credentials: o.Credentials}),
		Queue:   sqs.New(sqs.Options{BaseEndpoint: &server.URL, Region: o.Region, Credentials: o.Credentials, RetryMaxAttempts: 1}),
		Table:   w.table, QueueURL: awstest.QueueURL(server.URL, queueName), Report: w.report,
	}
	return w
}

// refuses reports whether the request is a send that has to fail.
func (w *world) refuses(r *http.Request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse == 0 || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "SendMessage") {
		return false
	}
	w.refuse--
	_, _ = io.Copy(io.Discard, r.Body)
	return true
}

func (w *world) report(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports = append(w.reports, text)
}

// wantReports compares the reports up to the second colon.
func (w *world) wantReports(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, r := range w.reports {
		got = append(got, strings.Join(strings.SplitN(r, ":", 3)[:2], ":"))
	}
	if d := cmp.Diff(got, want); d != "" {
		w.t.Errorf("reports (-got +want):\n%s", d)
	}
}

// start runs a pipe until the test ends or end is called.
func (w *world) start(p Pipe) (end func()) {
	w.t.Helper()
	if err := p.Begin(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Error(err)
			}
		})
	}
	w.t.Cleanup(end)
	return end
}

type item = map[string]types.AttributeValue

func text(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func (w *world) put(n int, attributes item) {
	w.t.Helper()
	i := item{"resource": text("5678#RFIs#1"), "event_id": text(fmt.Sprint(n)), "company_id": text("5678")}
	maps.Copy(i, attributes)
	if _, err := w.db.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.table, Item: i}); err != nil {
		w.t.Fatal(err)
	}
}

func newItem(n int) item {
	return item{"envelope": text(fmt.Sprintf(`{"n":%d}`, n)), "group_id": text("g"), "dedup_id": text(fmt.Sprint(n))}
}

// wantMessages receives until the last message has arrived.
func (w *world) wantMessages(want ...int) {
	w.t.Helper()
	var got []int
	for len(got) == 0 || got[len(got)-1] != want[len(want)-1] {
		messages, err := w.queue.Receive(w.t.Context(), 1, 10*time.Second)
		if err != nil || len(messages) == 0 {
			w.t.Fatalf("after %v nothing more: %v", got, err)
		}
		var body struct{ N int }
		if err := json.Unmarshal([]byte(messages[0].Body), &body); err != nil {
			w.t.Fatal(err)
		}
		got = append(got, body.N)
		if err := w.queue.Delete(messages[0].Receipt); err != nil {
			w.t.Fatal(err)
		}
	}
	if d := cmp.Diff(got, want); d != "" {
		w.t.Errorf("messages (-got +want):\n%s", d)
	}
}

func TestPipe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(1, newItem(1)) // before it begins
	w.start(w.pipe)
	w.put(2, item{"reason": text("quarantined")})
	w.put(3, newItem(3))
	w.put(1, newItem(9)) // a MODIFY
	w.put(4, newItem(4))
	w.wantMessages(1, 3, 4)
	w.wantReports()
}

func TestPipeFromNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(1, newItem(1))
	w.pipe.FromNow = true
	w.start(w.pipe)
	w.put(2, newItem(2))
	w.wantMessages(2)
}

// saved waits until a position is saved.
func saved(t *testing.T, file string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if at, err := load(file); err == nil && at.sequence != "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no position is saved")
		}
	}
}

// The next pipe continues where the last one saved its position.
func TestPipeGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pipe.PositionFile = filepath.Join(t.TempDir(), "position")
	end := w.start(w.pipe)
	w.put(1, newItem(1))
	w.wantMessages(1)
	saved(t, w.pipe.PositionFile)
	w.put(2, newItem(2))
	w.wantMessages(2)
	end()
	w.put(3, item{"envelope": text(`{"n":3}`), "group_id": text("g"), "dedup_id": text("1")}) // dropped: 1 was sent before
	w.put(4, newItem(4))
	w.start(w.pipe)
	w.wantMessages(4)
}

func TestPipePositionCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pipe.PositionFile = filepath.Join(t.TempDir(), "position")
	if err := os.WriteFile(w.pipe.PositionFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.pipe.Begin(t.Context()); err == nil {
		t.Error("begins, want an error")
	}
}

// An event that the queue refuses for now is not lost, and none overtakes it.
func TestPipeWaitsForTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuse = 2
	w.start(w.pipe)
	w.put(1, newItem(1))
	w.put(2, newItem(2))
	w.wantMessages(1, 2)
	w.wantReports("pipe: event 1 has to wait")
}

func TestPipeReportsWhatTheQueueWillNeverTake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(w.pipe)
	w.put(1, item{"envelope": text(`{"n":1}`), "group_id": text("a b"), "dedup_id": text("1")})
	w.put(2, newItem(2))
	w.wantMessages(2)
	w.wantReports("pipe: event 1 is lost")
}

func TestPipeOfATableWithoutAStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pipe.Table = "other"
	if err := w.pipe.Run(t.Context()); err == nil {
		t.Error("runs, want an error")
	}
}

// When the stream has lost records, the pipe reports that and continues with the rest.
func TestPipeFellBehind(t *testing.T) {
	t.Parallel()
	if os.Getenv("DYNAMODB_ENDPOINT") != "" {
		t.Skip("another DynamoDB remembers more")
	}
	w := newWorld(t)
	w.pipe.PositionFile = filepath.Join(t.TempDir(), "position")
	end := w.start(w.pipe)
	w.put(1, newItem(1))
	w.wantMessages(1)
	saved(t, w.pipe.PositionFile)
	end()
	for n := range 10_010 {
		w.put(2, item{"n": text(fmt.Sprint(n))})
	}
	w.put(3, newItem(3))
	w.start(w.pipe)
	w.wantMessages(3)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.ContainsFunc(w.reports, func(r string) bool { return strings.HasPrefix(r, "pipe: events are lost") }) {
		t.Errorf("reports %q, want the loss", w.reports)
	}
}

// A pipe that ends while the queue refuses an event has not saved a position
// behind it: the next one sends it.
func TestEndWhileTheQueueRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuse = 1000
	p := w.pipe
	p.PositionFile = filepath.Join(t.TempDir(), "position")
	first := p
	waits := make(chan struct{}, 1000)
	first.Report = func(string) { waits <- struct{}{} }
	w.put(1, newItem(1))
	end := w.start(first)
	<-waits
	end()
	w.mu.Lock()
	w.refuse = 0
	w.mu.Unlock()
	w.start(p)
	w.wantMessages(1)
}
