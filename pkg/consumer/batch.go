package consumer

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// answerMargin is the part of the function's time that is reserved for its answer. If
// Lambda killed it before, all messages would be redelivered.
const answerMargin = 3 * time.Second

// inOrder passes the messages of a FIFO queue's batch to finish, one after the other,
// and returns those that it did not finish, to be redelivered. After the first failure of a group, the rest
// of the group is not handled, so that the order of a resource's events is kept.
// Other groups continue. When the time is up, the rest is not handled either. The
// event source mapping needs ReportBatchItemFailures.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func inOrder(ctx context.Context, e events.SQSEvent, finish func(context.Context, events.SQSMessage) bool) events.SQSEventResponse {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerMargin))
		defer cancel()
	}
	var out events.SQSEventResponse
	stopped := map[string]bool{}
	for _, m := range e.Records {
		group := m.Attributes["MessageGroupId"]
		if !stopped[group] && ctx.Err() == nil && finish(ctx, m) {
			continue
		}
		stopped[group] = true
		out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	return out
}
