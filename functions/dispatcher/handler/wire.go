// Package handler is the function dispatcher, all of whose work is in package dispatch.
package handler

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/webhook/dispatch"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/wire"
)

// New returns the function, made from the base.
func New(base *wire.Base) (func(context.Context, dispatch.Event) (events.DynamoDBEventResponse, error), error) {
	d := &dispatch.Dispatcher{
		Inbox:    &inbox.Store{DB: base.DB, Table: base.Env.Require("INBOX_TABLE"), Clock: base.Clock, Random: base.Random},
		Queue:    sqs.NewFromConfig(base.AWS, func(o *sqs.Options) { o.BaseEndpoint = base.Env.Endpoint("SQS") }),
		QueueURL: base.Env.Require("EVENTS_QUEUE_URL"),
		Log:      base.Log,
		Clock:    base.Clock,
	}
	return d.Handle, base.Env.Err()
}
