package handler

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/inbox"
)

// R4: only a stored delivery is answered 200. After a failure the next good one works.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault dynamotest.Fault
	}{
		{"throttled", dynamotest.Fault{Code: "ThrottlingException"}},
		{"over the capacity", dynamotest.Fault{Code: "ProvisionedThroughputExceededException"}},
		{"internal error", dynamotest.Fault{Code: "InternalServerError"}},
		{"not permitted", dynamotest.Fault{Code: "AccessDeniedException"}},
		{"no answer", dynamotest.Fault{Drop: true}},
		{"answer lost", dynamotest.Fault{Drop: true, Applied: true}},
	}
	for _, body := range []string{sample(t, "webhook-v2"), "nonsense"} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				r := newReceiver(t)
				r.Fault(func(string, []byte) dynamotest.Fault { return tt.fault })
				if got := r.good(body).Wants(http.StatusServiceUnavailable); got.Body != "" {
					t.Errorf("got body %q, want none", got.Body)
				}
				if line := r.Log.Last(t); line["outcome"] != "failed" || line["level"] != "ERROR" || line["error"] == nil {
					t.Errorf("logged %v", line)
				}
				r.Fault(nil)
				r.good(body).Wants(http.StatusOK)
				r.row()
			})
		}
	}
}

// transport answers the SDK in memory, so that the time is that of the bubble.
type transport func(*http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func throttles(r *http.Request) (*http.Response, error) {
	s := dynamotest.New()
	s.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "ThrottlingException"} })
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// Procore waits five seconds from connecting. Whatever storage does, the answer is
// there within four, with the SDK's own retries.
func TestAnswersInTime(t *testing.T) {
	t.Parallel()
	ring, err := credential.Parse(functiontest.WebhookValue)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]transport{"hangs": hangs, "throttles": throttles} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := dynamodb.New(dynamodb.Options{
					Region: "us-east-1", HTTPClient: f, RetryMaxAttempts: 10,
					Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
						return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
					}),
				})
				h := &handler{inbox: &inbox.Store{DB: db, Table: "inbox"},
					ring: secrettest.Constant(ring)}
				serve := gateway.Handler(h, gateway.Options{Log: logtest.New(t)})
				e := events.APIGatewayV2HTTPRequest{RawPath: path, Body: sample(t, "webhook-v2"),
					Headers: map[string]string{"authorization": header(t, functiontest.WebhookValue, company)}}
				e.RequestContext.HTTP.Method = http.MethodPost
				start := time.Now()
				out, err := serve(t.Context(), e)
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("answered after %v, want four seconds at most", took)
				}
				if err != nil || out.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("got %d, %v; want 503", out.StatusCode, err)
				}
			})
		})
	}
}
