// Package awstest is Secrets Manager, SQS, SNS, CloudWatch Logs and the metrics of its lines in memory, and the parts of
// CloudFormation, Lambda and STS by which the operator's command finds a stack and itself: the AWS services that the project uses besides DynamoDB.
// The real SDK reaches them over the wire. They serve tests and the local stack.
//
//	secrets := awstest.NewSecrets(map[string]string{"local/app": `{"client_id":"..."}`})
//	queues := awstest.NewQueues()
//	server := httptest.NewServer(&awstest.Services{Secrets: secrets, Queues: queues})
//
// A client of the SDK reaches it by its BaseEndpoint. Signatures are not checked.
// Only the operations in the documentation of [Secrets], [Queues], [Topics], [Stacks], [Functions] and [Logs] exist,
// and GetCallerIdentity of STS. Any other operation, and any unknown parameter, is an error with the service's own code, so
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

	Stacks    *Stacks    // a form that is signed for cloudformation
	Functions *Functions // a path, signed for lambda
	Logs      *Logs      // target Logs_20140328, and what is signed for monitoring

	Watch func(Call) // receives each call before it is answered; may be nil
}

// ServeHTTP passes a signed request to the service that X-Amz-Target names. A person with a browser or curl is answered
// what this is.
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
func (s *Services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	service, _, _ := strings.Cut(target, ".")
	s.watch(r)
	handler := map[string]http.Handler{"DynamoDB_20120810": s.DynamoDB, "DynamoDBStreams_20120810": s.Streams}[service]
	switch {
	case service == "secretsmanager" && s.Secrets != nil:
		handler = s.Secrets
	case service == "Logs_20140328" && s.Logs != nil:
		handler = s.Logs
	case service == "AmazonSQS" && s.Queues != nil:
		handler = s.Queues
	case target == "" && s.Logs != nil && scope(r) == "monitoring":
		handler = http.HandlerFunc(s.Logs.serveMetrics)
	case target == "" && r.Method == http.MethodPost && s.Topics != nil && form(r) && (scope(r) == "sns" || scope(r) == ""):
		handler = s.Topics
	case target == "" && s.Stacks != nil && form(r) && scope(r) == "cloudformation":
		handler = s.Stacks
	case target == "" && s.Functions != nil && scope(r) == "lambda":
		handler = s.Functions
	case target == "" && form(r) && scope(r) == "sts":
		handler = http.HandlerFunc(identity)
	}
	switch {
	case target == "" && r.Method == http.MethodGet && !signed(r):
		s.about(w, r)
	case handler == nil:
		refuse(w, r, errorf("UnknownOperationException", "there is no %s here, only %s; see GET http://%s/", what(r), services, r.Host))
	case !signed(r):
		refuse(w, r, errorf("MissingAuthenticationTokenException", "the request is not signed; any key does, as GET http://%s/ shows", r.Host))
	default:
		handler.ServeHTTP(w, r)
	}
}
