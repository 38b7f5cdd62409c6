package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/testing/proof/invariants"
)

const (
	connectionsTable = "connections"
	spendsTable      = "spends"
)

// exploreClient is an SDK client whose requests go to the run of their context.
func exploreClient() *dynamodb.Client {
	endpoint := "http://dynamodb"
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: wire{},
		Credentials:                     aws.AnonymousCredentials{},
		DisableValidateResponseChecksum: true,
		AccountIDEndpointMode:           aws.AccountIDEndpointModeDisabled,
	})
}

// wire is the way to storage.
type wire struct{}

// errWire is a connection that broke.
var errWire = errors.New("the connection was reset")

// Do passes one operation through its gate.
func (wire) Do(r *http.Request) (*http.Response, error) {
	x := r.Context().Value(runKey{}).(*run)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	return pass(r.Context(), x, operation, call[*http.Response]{
		apply: func(by string) (*http.Response, error) { return x.apply(by, operation, body), nil },
		fail: func(code string) (*http.Response, error) {
			if code == "InternalServerError" {
				return failure(code, http.StatusInternalServerError), nil
			}
			return failure(code, http.StatusBadRequest), nil
		},
		claims: func(row invariants.Row) bool {
			return operation == "TransactWriteItems" && bytes.Contains(body, []byte(`"`+row.Attempt+`"`)) ||
				operation == "GetItem" && bytes.Contains(body, []byte(`"`+row.CompanyID+`"`))
		},
	})
}

func workerName(ctx context.Context) string {
	if w, ok := ctx.Value(workerKey{}).(*worker); ok {
		return w.name
	}
	return "nobody"
}

// failure is an answer of storage that did nothing.
func failure(code string, status int) *http.Response {
	reasons := ""
	if code == "TransactionCanceledException" {
		reasons = `,"CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]`
	}
	return response(status, fmt.Appendf(nil, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"as the schedule wants it"%s}`, code, reasons))
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

// raw does an operation of storage.
func (x *run) raw(operation string, body []byte) *http.Response {
	r, err := http.NewRequest(http.MethodPost, "/", bytes.NewReader(body)) //nolint:noctx // it never leaves the process
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=explore")
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	x.dynamo.ServeHTTP(w, r)
	return response(w.status, w.body.Bytes())
}

// apply does an operation and reads what it changed from the table's stream.
func (x *run) apply(by, operation string, body []byte) *http.Response {
	answer := x.raw(operation, body)
	if operation != "GetItem" && operation != "Scan" {
		x.observe(by)
	}
	return answer
}

// ended is a context that does not wait.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// observe notes the changes of connections since the last time.
func (x *run) observe(by string) {
	records, err := x.dynamo.Feed(ended, connectionsTable, x.feed)
	if err != nil {
		return
	}
	for _, r := range records {
		x.feed = r.Sequence
		item, err := invariants.ParseItem(r.NewImage)
		if err != nil {
			x.problem("%v", err)
			continue
		}
		x.observed(by, item)
	}
}

// observed checks one change of a connection.
func (x *run) observed(by string, item invariants.Item) {
	if !invariants.IsConnection(item) {
		x.suspects()
		return
	}
	row, err := invariants.RowOf(item)
	if err != nil {
		x.problem("%v", err)
		return
	}
	old := x.rows[row.Key()]
	x.rows[row.Key()] = row
	if x.restoring {
		return
	}
	c := invariants.Change{Old: old, New: row}
	x.writes.Changes = append(x.writes.Changes, c)
	x.note("  row %s rev %d generation %d %s %s", row.Key(), row.Rev, row.Generation, row.State, c.Transition())
	for _, p := range append(invariants.CheckChange(c), invariants.CheckRow(row, x.now().Add(exploreSkew))...) {
		if x.events["backup"] == 0 {
			x.problem("%s", p)
		}
	}
	x.checkEnd(c)
	x.checkPair(c)
}

// confirm notes that a process was told that it holds a claim.
func (x *run) confirm(ctx context.Context, claims func(invariants.Row) bool) {
	w, ok := ctx.Value(workerKey{}).(*worker)
	if !ok {
		return
	}
	for _, r := range x.rows {
		if r.Claimed() && claims(r) {
			x.confirmed[fmt.Sprint(w.proc.id, r.Attempt)] = true
		}
	}
}

// schemas are the two tables, as requests to make them.
var schemas = func() [][]byte {
	connections, spends := tables.Connections(connectionsTable), tables.Spends(spendsTable)
	var all [][]byte
	for _, t := range []*dynamodb.CreateTableInput{connections, spends} {
		m := map[string]any{"TableName": *t.TableName, "BillingMode": "PAY_PER_REQUEST"}
		var attributes, keys []map[string]any
		used := map[string]bool{}
		for _, k := range t.KeySchema {
			used[*k.AttributeName] = true
			keys = append(keys, map[string]any{"AttributeName": *k.AttributeName, "KeyType": string(k.KeyType)})
		}
		for _, a := range t.AttributeDefinitions {
			if used[*a.AttributeName] {
				attributes = append(attributes, map[string]any{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
			}
		}
		m["AttributeDefinitions"], m["KeySchema"] = attributes, keys
		if t == connections {
			m["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"}
		}
		text, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		all = append(all, text)
	}
	return all
}()

func (x *run) storage() {
	if x.explored.quick {
		x.quick = quickTables{connectionsTable: {}, spendsTable: {}}
		return
	}
	x.dynamo = dynamotest.New()
	x.dynamo.Now = x.now
	for _, s := range schemas {
		if a := x.raw("CreateTable", s); a.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(a.Body)
			panic(string(text))
		}
	}
}

// item reads one item by its key, or nil.
func (x *run) item(table string, key row) row {
	out, err := x.explored.db.GetItem(x.context(), &dynamodb.GetItemInput{TableName: &table, Key: key})
	if err != nil {
		panic(err)
	}
	return out.Item
}

// items reads a whole table.
func (x *run) items(table string) []invariants.Item {
	out, err := x.explored.db.Scan(x.context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		panic(err)
	}
	var all []invariants.Item
	for _, i := range out.Items {
		all = append(all, invariants.ItemOf(i))
	}
	return all
}

// save keeps a copy of a row, as a backup does; bring puts it back.
func (x *run) save(key Key) { x.backup[key] = x.item(connectionsTable, key.primaryKey()) }

func (x *run) bring(key Key) {
	table := connectionsTable
	x.restoring = true
	defer func() { x.restoring = false }()
	if _, err := x.explored.db.PutItem(x.context(), &dynamodb.PutItemInput{TableName: &table, Item: x.backup[key]}); err != nil {
		panic(err)
	}
}
