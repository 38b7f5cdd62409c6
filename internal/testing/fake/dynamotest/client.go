package dynamotest

import (
	"context"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/sdkhttp"
)

// TB is the part of testing.TB that this package needs. A program that imports the package does not link testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start returns a client of an empty server that runs until the test ends. If DYNAMODB_ENDPOINT is set, the client uses
// that server instead, which other tests may share.
func Start(tb TB) *dynamodb.Client {
	tb.Helper()
	if endpoint := os.Getenv("DYNAMODB_ENDPOINT"); endpoint != "" {
		return Client(endpoint)
	}
	return Client(New().Start(tb))
}

// Start serves s on a free loopback port until the test ends. It returns the address, for Client or for the environment
// of another process.
func (s *Server) Start(tb TB) (endpoint string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("dynamotest: %v", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close
	tb.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

// Client returns a client of the endpoint, with made-up credentials. Unless the options change that, it tries an
// operation only once, so that no retry hides an error from a test.
func Client(endpoint string, options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint:     &endpoint,
		Region:           "us-east-1",
		RetryMaxAttempts: 1,
		HTTPClient:       sdkhttp.New(nil),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "dynamotest", SecretAccessKey: "dynamotest"}, nil
		}),
	}, options...)
}
