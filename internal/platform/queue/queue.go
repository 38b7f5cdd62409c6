// Package queue sends messages to a queue of SQS.
package queue

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Queue is one queue.
type Queue struct {
	Client *sqs.Client
	URL    string
}

// New returns the queue at url. A nil endpoint is AWS itself.
func New(c aws.Config, endpoint *string, url string) Queue {
	return Queue{Client: sqs.NewFromConfig(c, func(o *sqs.Options) { o.BaseEndpoint = endpoint }), URL: url}
}

// A Message is what a queue takes. A FIFO queue needs Group and Dedup: it keeps the
// order within a group, and drops a second message with the same Dedup for five
// minutes. Another queue takes neither.
type Message struct{ Body, Group, Dedup string }

// SendMessage sends m. The SDK repeats a call that failed.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func (q Queue) SendMessage(ctx context.Context, m Message) error {
	in := &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: &m.Body}
	if m.Group != "" {
		in.MessageGroupId, in.MessageDeduplicationId = &m.Group, &m.Dedup
	}
	if _, err := q.Client.SendMessage(ctx, in); err != nil {
		return fmt.Errorf("queue: message not sent: %w", err)
	}
	return nil
}
