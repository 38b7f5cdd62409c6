package config

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/dynamotest"
)

func lambda() map[string]string {
	return map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "fake-key", "AWS_SECRET_ACCESS_KEY": "fake-secret",
		"AWS_SESSION_TOKEN": "fake-session",
	}
}

// An empty AWS_ENDPOINT_URL_ variable, as a template leaves it, means AWS itself.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	e := env(map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": " http://127.0.0.1:8000 ", "AWS_ENDPOINT_URL_SQS": "", "AWS_ENDPOINT_URL_S3": " "})
	if got := e.Endpoint("DYNAMODB"); got == nil || *got != "http://127.0.0.1:8000" {
		t.Errorf("Endpoint = %v, want the variable's", got)
	}
	for _, service := range []string{"SQS", "S3", "SECRETS_MANAGER"} {
		if got := e.Endpoint(service); got != nil {
			t.Errorf("Endpoint of %s = %q, want none", service, *got)
		}
	}
	if err := e.Err(); err != nil {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	got, err := env(lambda()).AWS().Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "fake-key" || got.SecretAccessKey != "fake-secret" || got.SessionToken != "fake-session" {
		t.Errorf("credentials = %q, %v, want the environment's", got.AccessKeyID, err)
	}
	for _, missing := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		values := lambda()
		delete(values, missing)
		_, err := env(values).AWS().Credentials.Retrieve(t.Context())
		if err == nil || !strings.Contains(err.Error(), missing) || strings.Contains(err.Error(), "fake-") {
			t.Errorf("without %s: %v, want an error that names it alone", missing, err)
		}
	}
}

func TestRegion(t *testing.T) {
	t.Parallel()
	e := env(nil)
	e.AWS()
	if names := named(e.Err()); len(names) != 1 || names[0] != "AWS_REGION" {
		t.Errorf("named = %v, want AWS_REGION", names)
	}
}

// The connection that Warm opens is the one that the service's client uses, for
// all its calls.
func TestWarmIsUsed(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(dynamotest.New())
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := env(lambda()).AWS()
	db := dynamodb.NewFromConfig(c, func(o *dynamodb.Options) { o.BaseEndpoint = &server.URL })
	Warm(t.Context(), c, &server.URL, "dynamodb")
	if got := connections.Load(); got != 1 {
		t.Fatalf("Warm opened %d connections, want 1", got)
	}
	table := "none"
	for range 20 {
		_, _ = db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table}) // answered, if only by an error
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections after the calls, want the warm one alone", got)
	}
}

// Warm returns, whatever the service does.
func TestWarmFails(t *testing.T) {
	t.Parallel()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	c := env(lambda()).AWS()
	for _, endpoint := range []string{endless.URL, silent.URL, "http://127.0.0.1:1", "http://\x7f", ""} {
		start := time.Now()
		Warm(t.Context(), c, &endpoint, "dynamodb")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("Warm of %q took %v", endpoint, took)
		}
	}
}
