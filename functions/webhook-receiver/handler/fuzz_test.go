package handler

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

// memory returns a client of a DynamoDB without a connection, for thousands of runs.
func memory() (*dynamodb.Client, *dynamotest.Server) {
	s := dynamotest.New()
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", RetryMaxAttempts: 1,
		HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w.Result(), nil
		}),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	return client, s
}

// R4: an authentic delivery is answered 200, whatever it holds, and is one item: an
// event with an envelope of its own company, or a quarantined body. A delivery without
// the credential is not stored.
func FuzzDelivery(f *testing.F) {
	for _, name := range []string{"webhook-v2", "webhook-v2-old", "webhook-v3", "webhook-v4"} {
		f.Add([]byte(sample(f, name)), "")
	}
	f.Add([]byte("nonsense"), "Bearer k1.5678.0.x")
	f.Add([]byte(`{"id":"\u0000","company_id":5678,"resource_name":"#","resource_id":1,"event_type":"x"}`), "a, b")
	f.Add([]byte(`{"id":"1","company_id":5678,"resource_type":"x","resource_id":1,"reason":"x","data":{"title":"`+"\uFFFF"+`"}}`), "")
	f.Fuzz(func(t *testing.T, body []byte, other string) {
		ring, err := credential.Parse(functiontest.WebhookValue)
		if err != nil {
			t.Fatal(err)
		}
		db, _ := memory()
		names := tables.CreateForTest(t, db)
		rows := func() []map[string]types.AttributeValue { return deliveriesOf(t, db, names.Inbox) }
		serve := gateway.Handler(&handler{inbox: &inbox.Store{DB: db, Table: names.Inbox},
			ring: secrettest.Constant(ring)},
			gateway.Options{Log: slog.New(slog.DiscardHandler), MaxBody: -1})
		deliver := func(authorization string) int {
			e := events.APIGatewayV2HTTPRequest{RawPath: path, Body: string(body), Headers: map[string]string{"authorization": authorization}}
			e.RequestContext.HTTP.Method = http.MethodPost
			out, err := serve(t.Context(), e)
			if err != nil || out.Body != "" {
				t.Errorf("got body %q, %v", out.Body, err)
			}
			return out.StatusCode
		}
		good := header(t, functiontest.WebhookValue, company)
		if other != good {
			if got := deliver(other); got != http.StatusUnauthorized || len(rows()) != 0 {
				t.Errorf("%q: got %d and %d rows, want 401 and none", other, got, len(rows()))
			}
		}
		if got := deliver(good); got != http.StatusOK {
			t.Fatalf("got %d, want 200", got)
		}
		all := rows()
		if len(all) != 1 {
			t.Fatalf("got %d rows, want 1", len(all))
		}
		row := all[0]
		if text(row, "company_id") != "5678" {
			t.Errorf("got company %s", text(row, "company_id"))
		}
		if text(row, "resource") == "5678#quarantine" {
			return
		}
		e, err := procore.ParseEvent([]byte(text(row, "envelope")))
		if err != nil {
			t.Fatal(err)
		}
		for want, got := range map[string]string{e.Key(): text(row, "resource"), e.ID: text(row, "event_id")} {
			if long := len(want) > 512; got != want && !long || long && !strings.Contains(got, "sha256#") {
				t.Errorf("got key %q, want %q", got, want)
			}
		}
		q, err := awstest.NewQueues().Create("q.fifo", awstest.QueueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := q.Send(awstest.Message{Body: text(row, "envelope"), Group: text(row, "group_id"), Dedup: text(row, "dedup_id")}); err != nil {
			t.Errorf("the queue would never take it: %v", err)
		}
	})
}
