// Package eventqueue puts events into the FIFO queue of EVENTS_QUEUE_URL, for
// [inbox.Replay]. It is a package of its own so that the webhook receiver, which
// only stores, does not link a client of SQS.
package eventqueue

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/webhook/inbox"
)

// Queue is the events queue.
type Queue struct {
	Client *sqs.Client
	URL    string
}

// New makes the queue of a program; endpoint nil is AWS itself.
func New(c aws.Config, endpoint *string, url string) *Queue {
	return &Queue{Client: sqs.NewFromConfig(c, func(o *sqs.Options) { o.BaseEndpoint = endpoint }), URL: url}
}

// Send is for inbox.Replay.Send. A repetition within five minutes is dropped by the
// queue.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func (q *Queue) Send(ctx context.Context, m inbox.Message) error {
	_, err := q.Client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &q.URL, MessageBody: &m.Body, MessageGroupId: &m.Group, MessageDeduplicationId: &m.Dedup,
	})
	if err != nil {
		return fmt.Errorf("events queue: %w", err)
	}
	return nil
}
