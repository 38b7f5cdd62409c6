package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
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
	// OnAnswer is called when an actor gets the answer to an operation that succeeded.
	// mentions reports whether the request contains this text. nil: it is not called.
	OnAnswer func(a *Actor, operation string, mentions func(text string) bool)

	world  *World
	client *dynamodb.Client
	names  []string
	quick  quickTables // nil: dynamo
	dynamo *dynamotest.Server
	feeds  map[string]uint64
	outage atomic.Bool // storage refuses everything
}

// newTables makes the tables, quick ones or on dynamotest.
func newTables(w *World, client *dynamodb.Client, schemas []*dynamodb.CreateTableInput, quick bool) *Tables {
	t := &Tables{world: w, client: client, feeds: map[string]uint64{}}
	for _, s := range schemas {
		t.names = append(t.names, *s.TableName)
	}
	if quick {
		t.quick = newQuickTables(schemas)
		return t
	}
	t.dynamo = dynamotest.New()
	t.dynamo.Now = w.Now
	for _, s := range schemas {
		if a := t.raw("CreateTable", creation(s)); a.status != http.StatusOK {
			panic(a.body.String())
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
	if t.quick != nil {
		return t.quick[table].get(key)
	}
	out, err := t.client.GetItem(t.world.Context(), &dynamodb.GetItemInput{TableName: &table, Key: key})
	if err != nil {
		panic(err)
	}
	return out.Item
}

// Items reads a whole table.
func (t *Tables) Items(table string) (all []invariants.Item) {
	if t.quick != nil {
		for _, i := range t.quick[table].all() {
			all = append(all, invariants.ItemOf(i))
		}
		return all
	}
	out, err := t.client.Scan(t.world.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		panic(err)
	}
	for _, i := range out.Items {
		all = append(all, invariants.ItemOf(i))
	}
	return all
}

// Put puts an item, as an operator does who restores one.
func (t *Tables) Put(table string, item Item) {
	if _, err := t.client.PutItem(t.world.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		panic(err)
	}
}

// call is one request on its way to either kind of tables.
type call[Out any] struct {
	apply    func(by string) (Out, error)   // does it
	fail     func(code string) (Out, error) // the answer of storage that did nothing
	mentions func(text string) bool
}

// errWire is a connection that broke.
var errWire = errors.New("the connection was reset")

// faultsOf lists how an operation of storage may fail.
func faultsOf(operation string) []Fault {
	switch operation {
	case "GetItem", "Query", "Scan":
		return []Fault{Refused, Crash}
	case "TransactWriteItems":
		return []Fault{Refused, Conflict, Throttled, Lost, Late, Crash, CrashAfter}
	}
	return []Fault{Refused, Conflict, Lost, Late, Crash, CrashAfter}
}

// pass takes a request through its gate.
func pass[Out any](ctx context.Context, t *Tables, operation string, c call[Out]) (none Out, err error) {
	f := Fine
	if t.outage.Load() && ActorOf(ctx) != nil {
		if Gate(ctx, operation+" in the outage"); t.outage.Load() {
			return c.fail("InternalServerError")
		}
	} else {
		f = Gate(ctx, operation, faultsOf(operation)...)
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
		t.world.late = append(t.world.late, operationOf(operation, by, func() { _, _ = c.apply(by) }))
		return none, errWire
	}
	answer, err := c.apply(by)
	if f == CrashAfter {
		die(ctx)
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

// apply does an operation on dynamotest, and reads what it wrote from the streams.
func (t *Tables) apply(by, operation string, body []byte) *http.Response {
	w := t.raw(operation, body)
	if !slices.Contains([]string{"GetItem", "Query", "Scan"}, operation) && t.OnWrite != nil {
		for _, name := range t.names {
			t.follow(by, name)
		}
	}
	return response(w.status, w.body.Bytes())
}

// over is a context that does not wait.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// follow reports the writes of a table since the last time.
func (t *Tables) follow(by, table string) {
	records, err := t.dynamo.Feed(over, table, t.feeds[table])
	if err != nil {
		return // there is no new record
	}
	for _, r := range records {
		t.feeds[table] = r.Sequence
		if len(r.NewImage) == 0 {
			continue
		}
		var item invariants.Item
		if err := json.Unmarshal(r.NewImage, &item); err != nil {
			panic(err)
		}
		for _, a := range item {
			slices.Sort(a.SS)
		}
		t.OnWrite(by, table, item)
	}
}

// creation is the request that makes a table, with a stream.
func creation(s *dynamodb.CreateTableInput) []byte {
	m := map[string]any{"TableName": *s.TableName, "BillingMode": "PAY_PER_REQUEST",
		"StreamSpecification": map[string]any{"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"}}
	var attributes, indexes []map[string]any
	for _, a := range s.AttributeDefinitions {
		attributes = append(attributes, map[string]any{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
	}
	for _, i := range s.GlobalSecondaryIndexes {
		projection := map[string]any{"ProjectionType": string(i.Projection.ProjectionType)}
		if names := i.Projection.NonKeyAttributes; names != nil {
			projection["NonKeyAttributes"] = names
		}
		indexes = append(indexes, map[string]any{"IndexName": *i.IndexName, "KeySchema": keySchema(i.KeySchema), "Projection": projection})
	}
	m["AttributeDefinitions"], m["KeySchema"] = attributes, keySchema(s.KeySchema)
	if len(indexes) > 0 {
		m["GlobalSecondaryIndexes"] = indexes
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return text
}
