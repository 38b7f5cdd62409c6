package main

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// answerMargin is kept of the function's time, so that it answers which messages
// are done before Lambda kills it and all of them come again.
const answerMargin = 3 * time.Second

// inOrder hands the messages of a FIFO queue's batch to handle, one after the
// other, and answers with those that are to come again. After the first failure of
// a group the rest of the group is left for later, untouched, so that the order
// of a resource's events is kept; other groups go on. When the time is up the
// rest is left for later as well. It needs ReportBatchItemFailures at the event
// source mapping.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func inOrder(ctx context.Context, e events.SQSEvent, handle func(context.Context, events.SQSMessage) error) events.SQSEventResponse {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerMargin))
		defer cancel()
	}
	var out events.SQSEventResponse
	stopped := map[string]bool{}
	for _, m := range e.Records {
		group := m.Attributes["MessageGroupId"]
		if !stopped[group] && ctx.Err() == nil && handle(ctx, m) == nil {
			continue
		}
		stopped[group] = true
		out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	return out
}
