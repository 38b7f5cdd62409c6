// Command dispatcher is the Lambda function between the Inbox table's stream and the
// events queue.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/webhook/dispatch"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/wire"
)

func main() {
	d, err := newDispatcher()
	if err != nil {
		fmt.Fprintln(os.Stderr, "dispatcher:", err)
		os.Exit(1)
	}
	lambda.Start(d.Handle)
}

func newDispatcher() (*dispatch.Dispatcher, error) {
	base, err := wire.New()
	if err != nil {
		return nil, err
	}
	d := &dispatch.Dispatcher{
		Inbox:    &inbox.Store{DB: base.DB, Table: base.Env.Require("INBOX_TABLE")},
		Queue:    sqs.NewFromConfig(base.AWS, func(o *sqs.Options) { o.BaseEndpoint = base.Env.Endpoint("SQS") }),
		QueueURL: base.Env.Require("EVENTS_QUEUE_URL"),
		Log:      base.Log,
	}
	return d, base.Env.Err()
}
