package awstest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Call is one action that IAM would have to allow for a request.
type Call struct {
	Caller   string // the access key id: the functions of the local stack have their names
	Action   string // such as dynamodb:GetItem
	Resource string // the name of a table, with /index/ and its name for an index, of a secret or of a queue
	Key      string // the partition key's value of an item, if it is a text
}

// calls returns the actions of a request and restores its body. A transaction is
// authorized by the actions of its items.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
func calls(r *http.Request) []Call {
	body, err := io.ReadAll(io.LimitReader(r.Body, 2*maxRequest))
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	caller := caller(r)
	switch {
	case scope(r) == "lambda":
		return []Call{ofFunction(r, caller)} // the service refuses any other
	case scope(r) == "monitoring": // it has no resource, but IAM's *
		return []Call{{Caller: caller, Action: "cloudwatch:" + strings.TrimPrefix(r.URL.Path, metricsPath)}}
	case r.Header.Get("X-Amz-Target") == "" && r.Method == http.MethodPost:
		form, _ := url.ParseQuery(string(body)) // the service refuses what is not one
		return []Call{ofForm(scope(r), caller, form)}
	}
	var in struct {
		operands
		SecretId      string
		QueueUrl      string
		SourceArn     string // of a dead-letter queue
		LogGroupName  string
		LogGroupNames []string

		SourceTableName, TargetTableName string // of a restore

		TransactItems []map[string]operands
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil // the service refuses it
	}
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch service {
	case "secretsmanager":
		return []Call{{Caller: caller, Action: service + ":" + operation, Resource: in.SecretId}}
	case "Logs_20140328":
		if in.LogGroupNames == nil { // a query that runs has no resource, but IAM's *
			return []Call{{Caller: caller, Action: "logs:" + operation, Resource: in.LogGroupName}}
		}
		var all []Call
		for _, group := range in.LogGroupNames {
			all = append(all, Call{Caller: caller, Action: "logs:" + operation, Resource: group})
		}
		return all
	case "AmazonSQS":
		operation = strings.TrimSuffix(operation, "Batch") // a batch has its operation's permission
		return []Call{{Caller: caller, Action: "sqs:" + operation, Resource: lastPart(cmp.Or(in.QueueUrl, in.SourceArn))}}
	case "DynamoDB_20120810":
		if operation == "RestoreTableToPointInTime" {
			return restores(caller, operation, in.SourceTableName, in.TargetTableName)
		}
		if operation != "TransactWriteItems" {
			return []Call{in.call(caller, operation)}
		}
		var all []Call
		for _, item := range in.TransactItems {
			for kind, o := range item { // Put, Update, Delete or ConditionCheck
				all = append(all, o.call(caller, kind+"Item"))
			}
		}
		return all
	}
	return nil
}

// ofForm returns the action of a service whose requests are forms.
func ofForm(service, caller string, form url.Values) Call {
	switch service {
	case "cloudformation":
		return Call{Caller: caller, Action: "cloudformation:" + form.Get("Action"), Resource: form.Get("StackName")}
	case "sts":
		return Call{Caller: caller, Action: "sts:GetCallerIdentity"} // the service refuses any other
	}
	arn := form.Get("TopicArn")
	return Call{Caller: caller, Action: "sns:" + form.Get("Action"), Resource: arn[strings.LastIndexByte(arn, ':')+1:]}
}

// restores returns what the caller of a restore must be allowed: DynamoDB fills the new table in the caller's name.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/backuprestore_IAM.html
func restores(caller, operation, from, to string) []Call {
	all := []Call{{Caller: caller, Action: "dynamodb:" + operation, Resource: from}}
	for _, action := range []string{"BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"} {
		all = append(all, Call{Caller: caller, Action: "dynamodb:" + action, Resource: to})
	}
	return all
}

// lastPart returns a queue's name in its URL or ARN.
func lastPart(s string) string { return s[strings.LastIndexAny(s, "/:")+1:] }

// operands are the parts of a DynamoDB operation that authorize it.
type operands struct {
	TableName, IndexName string
	Key, Item            map[string]struct{ S string }
}

func (o operands) call(caller, operation string) Call {
	c := Call{Caller: caller, Action: "dynamodb:" + operation, Resource: o.TableName}
	if o.IndexName != "" {
		c.Resource += "/index/" + o.IndexName
	}
	for _, name := range partitions {
		c.Key = cmp.Or(c.Key, o.Key[name].S, o.Item[name].S)
	}
	return c
}

// partitions names the tables' partition keys. grant is after fingerprint, because it is
// an ordinary attribute of a spent token.
var partitions = [...]string{"resource", "session", "fingerprint", "grant", "company"}

// caller returns the access key id of the signature.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func caller(r *http.Request) string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	id, _, _ := strings.Cut(credential, "/")
	return id
}

// watch reports the calls of a request to Watch.
func (s *Services) watch(r *http.Request) {
	if s.Watch == nil || r.Body == nil {
		return
	}
	for _, c := range slices.Compact(calls(r)) {
		s.Watch(c)
		for _, also := range s.implied(c) {
			s.Watch(also)
		}
	}
}

// implied returns what the caller of a move must be allowed besides: SQS receives, deletes and sends in the caller's name.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
func (s *Services) implied(c Call) (all []Call) {
	if c.Action != "sqs:StartMessageMoveTask" || s.Queues == nil {
		return nil
	}
	for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} {
		all = append(all, Call{Caller: c.Caller, Action: action, Resource: c.Resource})
	}
	if dead, err := s.Queues.Queue(c.Resource); err == nil {
		defer s.Queues.lock()()
		if to := s.Queues.sourceOf(dead); to != nil {
			all = append(all, Call{Caller: c.Caller, Action: "sqs:SendMessage", Resource: to.name})
		}
	}
	return all
}
