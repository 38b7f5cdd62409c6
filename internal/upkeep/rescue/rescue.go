// Package rescue keeps new token pairs that storage rejected. They wait in an SQS
// queue, sealed, until housekeeping stores them.
package rescue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/platform/queue"
	"procore-connect/pkg/tokens"
)

// batch is how many messages one call of SQS returns at most.
const batch = 10

// Queue is the rescue queue.
type Queue struct{ queue.Queue }

// Send sends a pair to the queue. It is the Rescue of a tokens.Store.
func (q *Queue) Send(ctx context.Context, r tokens.Rescued) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := q.SendMessage(ctx, queue.Message{Body: string(body)}); err != nil {
		return fmt.Errorf("rescue: %w", err)
	}
	return nil
}

// Drain calls store with each message of the queue, and deletes those that were
// stored. SQS redelivers the rest, and moves them to the dead-letter queue in the
// end. Drain stops when the queue is empty or the context ends, and returns the
// first error. The end of the context is an error only if nothing was stored.
func (q *Queue) Drain(ctx context.Context, store func(context.Context, tokens.Rescued) error) (stored int, first error) {
	for ctx.Err() == nil {
		out, err := q.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.URL, MaxNumberOfMessages: batch})
		if err != nil {
			return stored, cmp.Or(first, unlessLate(ctx, stored, fmt.Errorf("rescue queue: %w", err)))
		}
		if len(out.Messages) == 0 {
			return stored, first
		}
		for _, m := range out.Messages {
			r, err := tokens.ParseRescued([]byte(aws.ToString(m.Body)))
			if err == nil {
				err = store(ctx, r)
			}
			if err == nil {
				_, err = q.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.URL, ReceiptHandle: m.ReceiptHandle})
			}
			switch {
			case err == nil:
				stored++
			case first == nil:
				first = unlessLate(ctx, stored, err)
			}
		}
	}
	return stored, first
}

// unlessLate returns err, or nil if the context ended after something was stored.
func unlessLate(ctx context.Context, stored int, err error) error {
	if ctx.Err() != nil && stored > 0 {
		return nil
	}
	return err
}
