// Package awstest answers for the AWS services that the project uses beside
// DynamoDB, over the wire of the real SDK: Secrets Manager and SQS, in memory.
// It serves tests and the local stack.
//
//	secrets := awstest.NewSecrets(map[string]string{"local/app": `{"client_id":"..."}`})
//	queues := awstest.NewQueues()
//	server := httptest.NewServer(&awstest.Services{Secrets: secrets, Queues: queues})
//
// A client of the SDK reaches it by its BaseEndpoint. Signatures are not
// checked. Only the operations in the documentation of [Secrets] and [Queues]
// exist; any other operation, and any parameter that is not understood, is an
// error under the service's own name, so that code cannot come to rely on an
// answer that AWS would not give.
package awstest

import (
	"net/http"
	"strings"
)

// Services puts AWS services behind one address, as a regional endpoint of
// its own would be for each: the X-Amz-Target header names the service. A nil
// field is a service that is not offered.
type Services struct {
	DynamoDB http.Handler // target DynamoDB_20120810
	Streams  http.Handler // target DynamoDBStreams_20120810
	Secrets  *Secrets     // target secretsmanager
	Queues   *Queues      // target AmazonSQS

	Watch func(Call) // is told of each call before it is answered; nil: nobody is
}

// ServeHTTP hands the request to the service that X-Amz-Target names.
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
func (s *Services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	service, _, _ := strings.Cut(target, ".")
	s.watch(r)
	switch {
	case target == "" && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("DynamoDB, Secrets Manager and SQS answer here, in memory. Point an AWS SDK or the AWS CLI (--endpoint-url) at this address.\n"))
	case service == "DynamoDB_20120810" && s.DynamoDB != nil:
		s.DynamoDB.ServeHTTP(w, r)
	case service == "DynamoDBStreams_20120810" && s.Streams != nil:
		s.Streams.ServeHTTP(w, r)
	case service == "secretsmanager" && s.Secrets != nil:
		s.Secrets.ServeHTTP(w, r)
	case service == "AmazonSQS" && s.Queues != nil:
		s.Queues.ServeHTTP(w, r)
	default:
		writeError(w, "application/x-amz-json-1.0", unknownOperation(target))
	}
}
