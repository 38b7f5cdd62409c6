package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/platform/logging"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/inbox"
)

const queueName = "events.fifo"

// world is a dispatcher with an inbox and a queue over the wire.
type world struct {
	*Dispatcher
	t      *testing.T
	table  string
	server *dynamotest.Server
	queues *awstest.Queues
	queue  *awstest.Queue
	log    bytes.Buffer

	mu       sync.Mutex
	requests [][]string // groups of each request to the queue
	fail     func(request int) bool
	refuse   func(m awstest.Message) error
	accepted map[string][]string // bodies by group, in the order of their first acceptance
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, server: dynamotest.New(), queues: awstest.NewQueues(), accepted: map[string][]string{}}
	db := dynamotest.Client(w.server.Start(t))
	w.table = tables.CreateForTest(t, db).Inbox
	w.queues.Refuse = w.refuses
	var err error
	if w.queue, err = w.queues.Create(queueName, awstest.QueueOptions{GroupDedup: true}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.front(&awstest.Services{Queues: w.queues}))
	t.Cleanup(server.Close)
	log, err := logging.New(&w.log, "debug")
	if err != nil {
		t.Fatal(err)
	}
	o := db.Options()
	w.Dispatcher = &Dispatcher{
		Inbox:    &inbox.Store{DB: db, Table: w.table},
		Queue:    sqs.New(sqs.Options{BaseEndpoint: &server.URL, Region: o.Region, Credentials: o.Credentials, RetryMaxAttempts: 1}),
		QueueURL: awstest.QueueURL(server.URL, queueName),
		Log:      slog.New(log.Handler()),
	}
	return w
}

// front records the requests, and fails those that fail names.
func (w *world) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.t.Error(err)
		}
		var in struct {
			Entries []struct {
				Group string `json:"MessageGroupId"`
			}
		}
		if err := json.Unmarshal(body, &in); err != nil {
			w.t.Error(err)
		}
		var groups []string
		for _, e := range in.Entries {
			groups = append(groups, e.Group)
		}
		w.mu.Lock()
		w.requests = append(w.requests, groups)
		failed := w.fail != nil && w.fail(len(w.requests))
		w.mu.Unlock()
		if failed {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(rw, r)
	})
}

func (w *world) refuses(_ string, m awstest.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		if err := w.refuse(m); err != nil {
			return err
		}
	}
	if !slices.Contains(w.accepted[m.Group], m.Body) {
		w.accepted[m.Group] = append(w.accepted[m.Group], m.Body)
	}
	return nil
}

// event returns the record of a new event. Its name is its group and a number, such as a1.
func event(name string) Record {
	return record(name, fmt.Sprintf("%q", name))
}

func record(name, body string) Record {
	r := Record{ID: "id-" + name, Name: "INSERT"}
	r.Change.SequenceNumber = "seq-" + name
	i := &r.Change.NewImage
	i.Resource.S, i.EventID.S, i.CompanyID.S, i.Envelope.S, i.Group.S, i.Dedup.S = "5678#RFIs#"+name[:1], name, "5678", body, name[:1], name
	return r
}

func eventsOf(names ...string) (e Event) {
	for _, name := range names {
		e.Records = append(e.Records, event(name))
	}
	return e
}

// handle returns the sequence number of the first record to be repeated, or "".
func (w *world) handle(ctx context.Context, e Event) string {
	w.t.Helper()
	out, err := w.Handle(ctx, e)
	if err != nil {
		w.t.Fatal(err)
	}
	switch len(out.BatchItemFailures) {
	case 0:
		return ""
	case 1:
		return out.BatchItemFailures[0].ItemIdentifier
	}
	w.t.Fatalf("%v: only the first failure counts", out)
	return ""
}

// bodies returns what the queue has, by group.
func (w *world) bodies() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, group := range slices.Sorted(maps.Keys(w.accepted)) {
		all = append(all, strings.Join(w.accepted[group], ""))
	}
	return strings.ReplaceAll(strings.Join(all, " "), `"`, "")
}

// lines returns the log lines with a message.
func (w *world) lines(msg string) (all []map[string]any) {
	w.t.Helper()
	for b := range bytes.Lines(w.log.Bytes()) {
		var line map[string]any
		if err := json.Unmarshal(b, &line); err != nil {
			w.t.Fatal(err)
		}
		if line["msg"] == msg {
			all = append(all, line)
		}
	}
	return all
}

// put stores an item for a record's event.
func (w *world) put(r Record) {
	w.t.Helper()
	i := r.Change.NewImage
	_, err := w.Inbox.DB.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.table, Item: map[string]types.AttributeValue{
		"resource": text(i.Resource.S), "event_id": text(i.EventID.S), "company_id": text(i.CompanyID.S),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// mark returns why an event is marked undeliverable.
func (w *world) mark(r Record) string {
	w.t.Helper()
	out, err := w.Inbox.DB.GetItem(w.t.Context(), &dynamodb.GetItemInput{TableName: &w.table, Key: map[string]types.AttributeValue{
		"resource": text(r.Change.NewImage.Resource.S), "event_id": text(r.Change.NewImage.EventID.S),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	v, _ := out.Item["undeliverable"].(*types.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return v.Value
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
