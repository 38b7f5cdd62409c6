package dynamo

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/sdkhttp"
	"procore-connect/internal/testing/fake/dynamotest"
)

// The connection that Warm opens is the one that the client uses for all its calls.
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
	db := client(server.URL, sdkhttp.New(nil))
	Warm(t.Context(), db)
	if got := connections.Load(); got != 1 {
		t.Fatalf("Warm opened %d connections, want 1", got)
	}
	for range 20 {
		_, _ = db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("none")}) // answered, if only by an error
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections after the calls, want the warm one alone", got)
	}
}

// hosts notes where requests go, and answers none.
type hosts []string

func (h *hosts) Do(r *http.Request) (*http.Response, error) {
	*h = append(*h, r.URL.Scheme+"://"+r.URL.Host)
	return nil, net.ErrClosed
}

// Warm asks the host that the client asks, in every partition of AWS.
func TestWarmAsksTheClientsHost(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-central-1":   "https://dynamodb.eu-central-1.amazonaws.com",
		"us-gov-west-1":  "https://dynamodb.us-gov-west-1.amazonaws.com",
		"cn-north-1":     "https://dynamodb.cn-north-1.amazonaws.com.cn",
		"us-iso-east-1":  "https://dynamodb.us-iso-east-1.c2s.ic.gov",
		"eusc-de-east-1": "https://dynamodb.eusc-de-east-1.amazonaws.eu",
	} {
		var asked hosts
		db := client("", &asked, func(o *dynamodb.Options) { o.Region, o.BaseEndpoint = region, nil })
		Warm(t.Context(), db)
		_, _ = db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("none")})
		if len(asked) != 2 || asked[0] != want || asked[1] != want {
			t.Errorf("%s: asked %v, want %s twice", region, asked, want)
		}
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
	for _, endpoint := range []string{endless.URL, silent.URL, "http://127.0.0.1:1", "http://\x7f", ""} {
		start := time.Now()
		Warm(t.Context(), client(endpoint, sdkhttp.New(nil)))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("Warm of %q took %v", endpoint, took)
		}
	}
}

// client returns a client that asks once.
func client(endpoint string, by dynamodb.HTTPClient, options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, HTTPClient: by, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}, options...)
}
