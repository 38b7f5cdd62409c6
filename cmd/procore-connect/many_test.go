package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/operator"
	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// many is how many connections there are. Dynoxide writes some fifty rows a second, and has a fifth.
var many = func() int {
	if os.Getenv("DYNAMODB_ENDPOINT") != "" {
		return 2_000
	}
	return 10_000
}()

// Ten thousand connections of as many users cost a list a call for each page of two tables. Those that need a person are
// found by two indexes, and cost three calls each.
func TestListOfTenThousand(t *testing.T) {
	t.Parallel()
	w := worldOfMany(t)
	began := time.Now()
	out, aside, code := w.run("list")
	t.Logf("list of %d connections: %v", many, time.Since(began))
	if lines := strings.Count(out, "\n"); code != exitOK || aside != "" || lines != many+1 {
		t.Fatalf("got exit code %d, %d lines, %q, want %d connections", code, lines, aside, many)
	}
	w.wantCalls(map[string]int{"dynamodb:Scan": 30})
	began = time.Now()
	out, aside, code = w.run("list", "--needs-person")
	t.Logf("list --needs-person among %d connections: %v", many, time.Since(began))
	if lines := strings.Count(out, "\n"); code != exitTrouble || aside != "" || lines != 11 {
		t.Fatalf("got exit code %d, %d lines, %q, want 10 connections", code, lines, aside)
	}
	w.wantCalls(map[string]int{"dynamodb:Query": 1 + 16 + 10 + 10, "dynamodb:GetItem": 10})
	if out, _, _ = w.run("list", "--state", "connected", "--json"); strings.Contains(out, "last_event") {
		t.Errorf("the last events of more than %d companies are read", operator.MaxLastEvents)
	}
}

// wantCalls fails if there were more calls of the tables since it was called last.
func (w *world) wantCalls(most map[string]int) {
	w.t.Helper()
	got := make(map[string]int)
	for _, c := range w.asked {
		if strings.HasPrefix(c.Action, "dynamodb:") {
			got[c.Action]++
		}
	}
	w.asked = nil
	for action, n := range got {
		if n > most[action] {
			w.t.Errorf("%d calls of %s, want at most %d", n, action, most[action])
		}
	}
}

// worldOfMany copies the rows of one connection and its grant. The grants of ten users have ended.
func worldOfMany(t *testing.T) *world {
	t.Helper()
	if racing {
		t.Skip("make test runs it without the race detector")
	}
	w := newWorld(t)
	if endpoint := os.Getenv("DYNAMODB_ENDPOINT"); endpoint != "" { // .ci/with-dynoxide
		w.DB = dynamotest.Client(endpoint)
		to, err := url.Parse(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		w.aws.DynamoDB = httputil.NewSingleHostReverseProxy(to)
	} else {
		storage := dynamotest.New()
		storage.Now = w.Clock.Now
		w.DB = dynamodb.New(dynamotest.Client("http://127.0.0.1:9").Options(), func(o *dynamodb.Options) { o.HTTPClient = inProcess{storage} })
		w.aws.DynamoDB = storage
	}
	w.Tables = tables.CreateForTest(t, w.DB)
	w.deploy()
	w.Authorize(procoretest.Joe)
	w.connect(5678, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksActive)
	connection, grant := w.only(w.Tables.Connections), w.only(w.Tables.Grants)
	for i := range many - 1 {
		id := strconv.Itoa(100_000 + i)
		connection["listed"] = dynamo.Text(fmt.Sprintf("custom#%d", i%connections.Shards))
		connection["company_name"] = dynamo.Text(fmt.Sprintf("%s %s %d", manyNames[i%len(manyNames)], []string{"Builders", "Construction", "Contractors", "Group"}[i/7%4], i))
		connection["company"], connection["principal"] = dynamo.Text("custom#"+id), dynamo.Text("user#"+id)
		grant["grant"], grant["holders"] = dynamo.Text("custom#user#"+id), dynamo.Texts([]string{id})
		row := maps.Clone(grant)
		if i < 10 { // by hand, so that it breaks three invariants
			row["state"], row["due_shard"], row["due_at"] = dynamo.Text("reauthorize"), dynamo.Text("custom#person-0"), dynamo.Number(1)
			delete(row, "seal_key")
		}
		w.put(w.Tables.Connections, connection)
		w.put(w.Tables.Grants, row)
	}
	return w
}

// manyNames are what names of companies begin with.
var manyNames = []string{"Northern", "Harbor", "Summit", "Granite", "Cedar", "Lakeside", "Union", "Pioneer", "Bluestone", "Meridian", "Atlas"}

// only returns the only row of a table.
func (w *world) only(table string) dynamo.Item {
	w.t.Helper()
	out, err := w.DB.Scan(w.t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil || len(out.Items) != 1 {
		w.t.Fatalf("%s: %v, %d rows", table, err, len(out.Items))
	}
	return out.Items[0]
}

func (w *world) put(table string, item map[string]types.AttributeValue) {
	w.t.Helper()
	if _, err := w.DB.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		w.t.Fatal(err)
	}
}

// inProcess makes the requests of a client without a network, for a test with many.
type inProcess struct{ server http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	p.server.ServeHTTP(rec, r)
	return rec.Result(), nil
}
