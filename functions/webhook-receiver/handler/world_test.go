package handler

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/inbox"
)

const (
	path    = "/webhooks/procore"
	company = 5678 // of all payloads in events/payloads
)

// receiver is the function and its world.
type receiver struct {
	*functiontest.World
	t     *testing.T
	base  string
	inbox *inbox.Store
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	w := functiontest.New(t)
	r := &receiver{World: w, t: t}
	r.inbox = &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}
	h := receive(w.Ring(), r.inbox)
	r.base = w.Front(func(string) map[string]gateway.Func {
		f := gateway.Handler(h, gateway.Options{Log: w.Log.Logger, MaxBody: -1})
		return map[string]gateway.Func{"POST " + path: f, "POST /webhooks/{proxy+}": f, "HEAD " + path: f, "HEAD /webhooks/{proxy+}": f,
			"GET " + path: f, "PUT " + path: f}
	})
	w.Storage()
	return r
}

// header returns the credential of a company's hook, made with a webhook secret.
func header(t *testing.T, secret string, companyID int64) string {
	t.Helper()
	ring, err := credential.Parse(secret)
	if err != nil {
		t.Fatal(err)
	}
	value, err := ring.Header(companyID)
	if err != nil {
		t.Fatal(err)
	}
	return value.Reveal()
}

// deliver sends a body as Procore would, with any number of Authorization headers.
func (r *receiver) deliver(body string, authorization ...string) functiontest.Page {
	r.t.Helper()
	req := r.request(http.MethodPost, body)
	req.Header["Authorization"] = authorization
	return r.Browser(r.base).Do(req)
}

func (r *receiver) request(method, body string) *http.Request {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return req
}

// good delivers as the company's hook.
func (r *receiver) good(body string) functiontest.Page {
	r.t.Helper()
	return r.deliver(body, header(r.t, functiontest.WebhookValue, company))
}

// row returns the only item of the inbox. The test fails if there is another.
func (r *receiver) row() map[string]types.AttributeValue {
	r.t.Helper()
	rows := r.rows()
	if len(rows) != 1 {
		r.t.Fatalf("got %d rows, want 1", len(rows))
	}
	return rows[0]
}

func (r *receiver) rows() []map[string]types.AttributeValue {
	r.t.Helper()
	return deliveriesOf(r.t, r.DB, r.Tables.Inbox)
}

// deliveriesOf returns the items of an inbox, without the counters of the quarantine.
func deliveriesOf(t *testing.T, db *dynamodb.Client, table string) []map[string]types.AttributeValue {
	t.Helper()
	var all []map[string]types.AttributeValue
	for pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &table}); pages.HasMorePages(); {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out.Items...)
	}
	return slices.DeleteFunc(all, func(i map[string]types.AttributeValue) bool {
		return strings.HasPrefix(text(i, "resource"), "quota#")
	})
}

func text(item map[string]types.AttributeValue, name string) string {
	v, _ := item[name].(*types.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return v.Value
}

// outcomes returns the logged outcomes, in order.
func (r *receiver) outcomes() []string {
	r.t.Helper()
	var all []string
	for _, line := range r.Log.Lines(r.t, "request") {
		word, _ := line["outcome"].(string)
		all = append(all, word)
	}
	return all
}

func sample(t testing.TB, name string) string {
	t.Helper()
	body, err := os.ReadFile("../../../events/payloads/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
