package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/fake/dynamotest"
)

// Tables are the storage of a world. Each operation of an actor passes a gate, where it
// may fail in every way in which storage fails.
type Tables struct {
	// OnWrite is called after each write of an item, in the order of the tables, with the
	// item as it is now. by is the actor, or empty. Deleted items are omitted. nil: it is
	// not called.
	OnWrite func(by, table string, item invariants.Item)
	// OnDelete is called likewise after an item is deleted, with the item as it was.
	OnDelete func(table string, item invariants.Item)
	// OnAnswer is called when an actor gets the answer to an operation that succeeded.
	// mentions reports whether the request contains this text. nil: it is not called.
	OnAnswer func(a *Actor, operation string, mentions func(text string) bool)

	world   *World
	client  *dynamodb.Client
	names   []string
	dynamo  *dynamotest.Server
	written []written   // by the present operation
	mu      sync.Mutex  // held during an operation: those of no actor pass no gate
	outage  atomic.Bool // storage refuses everything
}

// newTables makes the tables.
func newTables(w *World, client *dynamodb.Client, schemas []*dynamodb.CreateTableInput) *Tables {
	t := &Tables{world: w, client: client, dynamo: dynamotest.New()}
	t.dynamo.Now, t.dynamo.FeedLength = w.Now, feedLength
	t.dynamo.Written, t.dynamo.Deleted = t.note, t.noteDeleted
	for _, s := range schemas {
		t.names = append(t.names, *s.TableName)
		if _, err := t.dynamo.Do(dynamotest.RequestOf(s)); err != nil {
			panic(err)
		}
	}
	return t
}

// Client returns the client by which all processes reach the tables.
func (t *Tables) Client() *dynamodb.Client { return t.client }

// Outage makes storage refuse everything, or ends that.
func (t *Tables) Outage(begins bool) { t.outage.Store(begins) }

// Item reads one item by its key, nil if there is none.
func (t *Tables) Item(table string, key Item) Item {
	return answer[*dynamodb.GetItemOutput](t, &dynamodb.GetItemInput{TableName: &table, Key: key}).Item
}

// Items reads a whole table.
func (t *Tables) Items(table string) (all []invariants.Item) {
	in := &dynamodb.ScanInput{TableName: &table}
	for {
		out := answer[*dynamodb.ScanOutput](t, in)
		for _, i := range out.Items {
			all = append(all, invariants.ItemOf(i))
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return all
		}
	}
}

// answer is that to a request of the world's own, which passes no gate.
func answer[Out any](t *Tables, in any) Out {
	out, err := t.do("", dynamotest.RequestOf(in))
	if err != nil {
		panic(err)
	}
	return out.(Out)
}

// Put puts an item, as an operator does who restores one.
func (t *Tables) Put(table string, item Item) {
	answer[*dynamodb.PutItemOutput](t, &dynamodb.PutItemInput{TableName: &table, Item: item})
}

// call is one request on its way to either kind of tables.
type call[Out any] struct {
	apply    func(by string) (Out, error)   // does it
	fail     func(code string) (Out, error) // the answer of storage that did nothing
	mentions func(text string) bool
	subject  func() string // names what the request is about
}

// errWire is a connection that broke.
var errWire = errors.New("the connection was reset")

// faultsOf lists how an operation of storage may fail.
func faultsOf(operation string) []Fault {
	switch {
	case operation == "GetItem", operation == "Query", operation == "Scan", strings.HasPrefix(operation, "Describe"):
		return []Fault{Refused, Crash}
	case operation == "TransactWriteItems":
		return []Fault{Refused, Conflict, Throttled, Lost, Late, Crash, CrashAfter}
	}
	return []Fault{Refused, Conflict, Lost, Late, Crash, CrashAfter}
}

// pass takes a request through its gate.
func pass[Out any](ctx context.Context, t *Tables, operation string, c call[Out]) (none Out, err error) {
	var f Fault
	if t.outage.Load() && ActorOf(ctx) != nil {
		if f = Gate(ctx, operation+" in the outage"); f == Fine && t.outage.Load() {
			return c.fail("InternalServerError")
		}
	} else {
		f = gateOf(ctx, operation, c.subject, faultsOf(operation))
	}
	if f == Crash {
		return none, errCrashed
	}
	if f == Fine {
		f = t.severed(ActorOf(ctx), faultsOf(operation))
	}
	if ctx.Err() != nil && f != Lost && f != Late {
		return none, ctx.Err() // it was not sent any more
	}
	by := ""
	if a := ActorOf(ctx); a != nil {
		by = a.Name
	}
	switch f {
	case Refused:
		return c.fail("InternalServerError")
	case Throttled:
		return c.fail("ThrottlingException")
	case Conflict:
		if operation == "TransactWriteItems" {
			return c.fail("TransactionCanceledException")
		}
		return c.fail("TransactionConflictException")
	case Late:
		t.world.later(operation, by, func() { _, _ = c.apply(by) })
		return none, errWire
	}
	answer, err := c.apply(by)
	if f == CrashAfter {
		die(ctx)
		return none, errCrashed
	}
	if f == Lost || ctx.Err() != nil {
		return none, errors.Join(errWire, ctx.Err())
	}
	if a := ActorOf(ctx); err == nil && a != nil && t.OnAnswer != nil {
		t.OnAnswer(a, operation, c.mentions)
	}
	return answer, err
}

func operationOf(name, by string, do func()) operation { return operation{name + " of " + by, do} }

// wireClient returns an SDK client whose requests go to dynamotest in the world of their
// context, as text.
func wireClient() *dynamodb.Client {
	endpoint := "http://dynamodb"
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: wire{},
		Credentials:                     aws.AnonymousCredentials{},
		DisableValidateResponseChecksum: true,
		AccountIDEndpointMode:           aws.AccountIDEndpointModeDisabled,
	})
}

// wire is the HTTP client of wireClient.
type wire struct{}

// Do does one operation.
func (wire) Do(r *http.Request) (*http.Response, error) {
	t := worldOf(r.Context()).Tables
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	return pass(r.Context(), t, operation, call[*http.Response]{
		apply: func(by string) (*http.Response, error) { return t.apply(by, operation, body), nil },
		fail: func(code string) (*http.Response, error) {
			if code == "InternalServerError" {
				return failure(code, http.StatusInternalServerError), nil
			}
			return failure(code, http.StatusBadRequest), nil
		},
		mentions: func(text string) bool { return bytes.Contains(body, []byte(`"`+text+`"`)) },
		subject:  func() string { return t.dynamo.Name(dynamotest.WireRequest(operation, body)) },
	})
}

// failure is an answer of storage that did nothing.
func failure(code string, status int) *http.Response {
	text := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": "as the schedule requires"}
	if code == "TransactionCanceledException" {
		text["CancellationReasons"] = []map[string]string{{"Code": "TransactionConflict"}, {"Code": "None"}}
	}
	body, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return response(status, body)
}

func response(status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
}

// recorder is a plain http.ResponseWriter.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// raw does an operation on dynamotest.
func (t *Tables) raw(operation string, body []byte) *recorder {
	r, err := http.NewRequest(http.MethodPost, "/", bytes.NewReader(body)) //nolint:noctx // it never leaves the process
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=simulation")
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	t.dynamo.ServeHTTP(w, r)
	return w
}

// apply does an operation on dynamotest as text, and reports what it wrote.
func (t *Tables) apply(by, operation string, body []byte) *http.Response {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.raw(operation, body)
	if w.status == http.StatusBadRequest && bytes.Contains(w.body.Bytes(), []byte("dynamotest does not support")) {
		panic(operation + ": " + w.body.String())
	}
	t.report(by)
	return response(w.status, w.body.Bytes())
}

// written is a write of an item.
type written struct {
	table   string
	item    invariants.Item
	deleted bool
}

// note notes a write until the operation is done.
func (t *Tables) note(table string, item Item) {
	if t.OnWrite != nil {
		t.written = append(t.written, written{table, invariants.ItemOf(item), false})
	}
}

// noteDeleted notes a deletion likewise.
func (t *Tables) noteDeleted(table string, item Item) {
	if t.OnDelete != nil {
		t.written = append(t.written, written{table, invariants.ItemOf(item), true})
	}
}

// report passes on the writes of an operation.
func (t *Tables) report(by string) {
	all := t.written
	t.written = nil
	for _, name := range t.names {
		for _, w := range all {
			switch {
			case w.table != name:
			case w.deleted:
				t.OnDelete(name, w.item)
			default:
				t.OnWrite(by, name, w.item)
			}
		}
	}
}
