// Package awstest is Secrets Manager, SQS and SNS in memory, the AWS services that the
// project uses besides DynamoDB. The real SDK reaches them over the wire. They serve
// tests and the local stack.
//
//	secrets := awstest.NewSecrets(map[string]string{"local/app": `{"client_id":"..."}`})
//	queues := awstest.NewQueues()
//	server := httptest.NewServer(&awstest.Services{Secrets: secrets, Queues: queues})
//
// A client of the SDK reaches it by its BaseEndpoint. Signatures are not checked.
// Only the operations in the documentation of [Secrets], [Queues] and [Topics] exist. Any other
// operation, and any unknown parameter, is an error with the service's own code, so
// that code cannot rely on an answer that AWS would not send.
package awstest

import (
	"net/http"
	"strings"
)

// Services serves AWS services at one address, where each would have its own regional
// endpoint: the X-Amz-Target header names the service. A nil field is a service that
// is not supported.
type Services struct {
	DynamoDB http.Handler // target DynamoDB_20120810
	Streams  http.Handler // target DynamoDBStreams_20120810
	Secrets  *Secrets     // target secretsmanager
	Queues   *Queues      // target AmazonSQS
	Topics   *Topics      // no target, but a form

	Watch func(Call) // receives each call before it is answered; may be nil
}

// ServeHTTP passes the request to the service that X-Amz-Target names.
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
func (s *Services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	service, _, _ := strings.Cut(target, ".")
	s.watch(r)
	switch {
	case target == "" && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("DynamoDB, Secrets Manager and SQS run here, in memory. Point an AWS SDK or the AWS CLI (--endpoint-url) at this address.\n"))
	case service == "DynamoDB_20120810" && s.DynamoDB != nil:
		s.DynamoDB.ServeHTTP(w, r)
	case service == "DynamoDBStreams_20120810" && s.Streams != nil:
		s.Streams.ServeHTTP(w, r)
	case service == "secretsmanager" && s.Secrets != nil:
		s.Secrets.ServeHTTP(w, r)
	case service == "AmazonSQS" && s.Queues != nil:
		s.Queues.ServeHTTP(w, r)
	case target == "" && r.Method == http.MethodPost && s.Topics != nil:
		s.Topics.ServeHTTP(w, r)
	default:
		writeError(w, "application/x-amz-json-1.0", unknownOperation(target))
	}
}
