package awstest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/streamtest"
)

// A person with a browser, curl or the AWS CLI is answered in the service's own form, with what helps.
func TestOddCalls(t *testing.T) {
	t.Parallel()
	db := dynamotest.New()
	s := &awstest.Services{
		DynamoDB: db, Streams: streamtest.Streams(db),
		Secrets: awstest.NewSecrets(nil), Queues: awstest.NewQueues(), Topics: awstest.NewTopics("topic"),
		Stacks: awstest.NewStacks(), Functions: awstest.NewFunctions(),
	}
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	signed := func(service string) string {
		return "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=0"
	}
	for _, tt := range []struct {
		name, method, path, target, authorization, contentType, body string
		status                                                       int
		wants                                                        []string // in the body
	}{
		{name: "a browser", method: "GET", path: "/", status: 200, wants: []string{"stands in for AWS: DynamoDB, DynamoDB Streams, Secrets Manager, SQS, SNS, CloudWatch, CloudWatch Logs, CloudFormation, Lambda and STS", "AWS_ENDPOINT_URL=http://example.com"}},
		{name: "a browser elsewhere", method: "GET", path: "/favicon.ico", status: 404, wants: []string{"stands in for AWS"}},
		{name: "DynamoDB, not signed", method: "POST", path: "/", target: "DynamoDB_20120810.ListTables", body: "{}",
			status: 400, wants: []string{`"__type":"MissingAuthenticationTokenException"`, "any key does"}},
		{name: "a stream, not signed", method: "POST", path: "/", target: "DynamoDBStreams_20120810.ListStreams", body: "{}",
			status: 400, wants: []string{`"__type":"MissingAuthenticationTokenException"`}},
		{name: "a secret, not signed", method: "POST", path: "/", target: "secretsmanager.GetSecretValue", body: "{}",
			status: 400, wants: []string{`"__type":"MissingAuthenticationTokenException"`}},
		{name: "a queue, not signed", method: "POST", path: "/", target: "AmazonSQS.ReceiveMessage", body: "{}",
			status: 400, wants: []string{`"__type":"MissingAuthenticationTokenException"`}},
		{name: "a topic, not signed", method: "POST", path: "/", contentType: form, body: "Action=Publish",
			status: 400, wants: []string{"<ErrorResponse", "<Code>MissingAuthenticationTokenException</Code>"}},
		{name: "an unknown operation of DynamoDB", method: "POST", path: "/", target: "DynamoDB_20120810.ListBackups", authorization: signed("dynamodb"), body: "{}",
			status: 400, wants: []string{`"__type":"UnknownOperationException"`, "ListBackups", "only CreateTable, DeleteItem"}},
		{name: "an unknown operation of a stream", method: "POST", path: "/", target: "DynamoDBStreams_20120810.Stop", authorization: signed("dynamodb"), body: "{}",
			status: 400, wants: []string{"UnknownOperationException", "only DescribeStream, "}},
		{name: "an unknown operation of a secret", method: "POST", path: "/", target: "secretsmanager.ListSecrets", authorization: signed("secretsmanager"), body: "{}",
			status: 400, wants: []string{`"__type":"UnknownOperationException"`, "only CreateSecret, DescribeSecret, GetSecretValue, PutSecretValue"}},
		{name: "an unknown operation of a topic", method: "POST", path: "/", authorization: signed("sns"), contentType: form, body: "Action=ListTopics",
			status: 400, wants: []string{"<Code>UnknownOperationException</Code>", "only ListSubscriptionsByTopic, Publish"}},
		{name: "an unknown service with JSON", method: "POST", path: "/", target: "AWSEvents.PutEvents", authorization: signed("events"), body: "{}",
			status: 400, wants: []string{`"__type":"UnknownOperationException"`, "AWSEvents.PutEvents", "only DynamoDB, "}},
		{name: "who asks", method: "POST", path: "/", authorization: signed("sts"), contentType: form, body: "Action=GetCallerIdentity",
			status: 200, wants: []string{"<Arn>arn:aws:iam::000000000000:user/"}},
		{name: "an unknown operation of STS", method: "POST", path: "/", authorization: signed("sts"), contentType: form, body: "Action=AssumeRole",
			status: 400, wants: []string{"<ErrorResponse", "only GetCallerIdentity"}},
		{name: "an unknown service with a form", method: "POST", path: "/", authorization: signed("iam"), contentType: form, body: "Action=ListUsers",
			status: 400, wants: []string{"<ErrorResponse", "there is no service &#34;iam&#34; here", "Lambda and STS"}},
		{name: "S3", method: "GET", path: "/", authorization: signed("s3"), status: 400, wants: []string{"<Error><Code>UnknownOperationException</Code>", "&#34;s3&#34;"}},
		{name: "Lambda", method: "GET", path: "/2015-03-31/functions", authorization: signed("lambda"), status: 400, wants: []string{`{"__type":"UnknownOperationException"`, "only GET /2015-03-31/functions/{name}/configuration and POST "}},
		{name: "a function that does not exist", method: "GET", path: "/2015-03-31/functions/none/configuration?Qualifier=live", authorization: signed("lambda"), status: 404, wants: []string{`{"__type":"ResourceNotFoundException"`}},
		{name: "a function's unpublished version", method: "GET", path: "/2015-03-31/functions/none/configuration", authorization: signed("lambda"), status: 400, wants: []string{`{"__type":"InvalidParameterValueException"`}},
		{name: "a stack that does not exist", method: "POST", path: "/", authorization: signed("cloudformation"), contentType: form, body: "Action=DescribeStacks&StackName=none",
			status: 400, wants: []string{"<Code>ValidationError</Code>", "Stack with id none does not exist"}},
		{name: "an unknown operation of a stack", method: "POST", path: "/", authorization: signed("cloudformation"), contentType: form, body: "Action=ListStacks",
			status: 400, wants: []string{"<Code>UnknownOperationException</Code>", "only DescribeStacks"}},
		{name: "EC2", method: "GET", path: "/", authorization: signed("ec2"), status: 400, wants: []string{`{"__type":"UnknownOperationException"`, `\"ec2\"`}},
		{name: "curl", method: "POST", path: "/", body: "{}", status: 400, wants: []string{"without X-Amz-Target", "GET http://example.com/"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader(tt.body))
			for name, value := range map[string]string{"X-Amz-Target": tt.target, "Authorization": tt.authorization, "Content-Type": tt.contentType} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			for _, want := range tt.wants {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("the answer lacks %q:\n%s", want, w.Body)
				}
			}
		})
	}
	var none awstest.Services
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	if none.ServeHTTP(w, r); w.Code != http.StatusBadRequest {
		t.Errorf("a service that is not there: %d, want 400", w.Code)
	}
}
