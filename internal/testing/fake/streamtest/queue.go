package streamtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/testing/fake/awstest"
)

const (
	longPoll   = 20 * time.Second
	firstRetry = time.Second // doubles with every delivery
	lastRetry  = 30 * time.Second
)

// QueueMapping is the event source mapping that delivers messages to the consumer, with
// ReportBatchItemFailures. A message that the function names as failed is redelivered,
// every other one is deleted. An error fails the whole batch.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
type QueueMapping struct {
	Queue    *awstest.Queue
	Function Function
	// BatchSize is the most messages that the function gets at once.
	BatchSize int
	// MaxReceive is the queue's setting: after that many receipts a message is a dead letter.
	MaxReceive int
	// Patient leaves a message that failed to the queue's time, as the service does. Otherwise it is visible again sooner,
	// because a developer waits.
	Patient bool
	Report  func(string)
}

// Function is what a mapping calls, such as [lambdatest.Function].
type Function interface {
	Invoke(ctx context.Context, payload []byte) (answer []byte, err error)
}

// Run handles batches until ctx ends. Several may run at once.
func (m *QueueMapping) Run(ctx context.Context) {
	for {
		batch, err := m.Queue.Receive(ctx, m.BatchSize, longPoll)
		if err != nil { // ctx ended
			return
		}
		if len(batch) > 0 {
			m.handle(ctx, batch)
		}
	}
}

func (m *QueueMapping) handle(ctx context.Context, batch []awstest.Message) {
	failed, err := m.invoke(ctx, batch)
	if err != nil && ctx.Err() == nil {
		m.Report(fmt.Sprintf("batch of %d events failed and is retried: %v", len(batch), err))
	}
	for _, message := range batch {
		if failed[message.ID] && message.Received == m.MaxReceive {
			m.Report(fmt.Sprintf("message %s failed %d times and is a dead letter", message.ID, m.MaxReceive))
		}
		var err error
		switch {
		case !failed[message.ID]:
			err = m.Queue.Delete(message.Receipt)
		case !m.Patient:
			err = m.Queue.ChangeVisibility(message.Receipt, retryAfter(message.Received))
		}
		if err != nil {
			m.Report(fmt.Sprintf("message %s: %v", message.ID, err))
		}
	}
}

// retryAfter spreads the deliveries of a failing message.
func retryAfter(received int) time.Duration {
	return min(firstRetry<<min(received-1, 10), lastRetry)
}

// invoke returns the ids of the messages that failed. With an error it returns all.
func (m *QueueMapping) invoke(ctx context.Context, batch []awstest.Message) (map[string]bool, error) {
	all := make(map[string]bool)
	for _, message := range batch {
		all[message.ID] = true
	}
	payload, err := json.Marshal(m.event(batch))
	if err != nil {
		return all, err
	}
	answer, err := m.Function.Invoke(ctx, payload)
	if err != nil {
		return all, err
	}
	var out events.SQSEventResponse
	if err := json.Unmarshal(answer, &out); err != nil {
		return all, fmt.Errorf("the consumer's answer is not a list of failures: %w", err)
	}
	failed := make(map[string]bool)
	for _, f := range out.BatchItemFailures {
		if !all[f.ItemIdentifier] {
			return all, errors.New("the consumer's answer names a message that it did not receive")
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

// event returns the batch as Lambda passes it to a function.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func (m *QueueMapping) event(batch []awstest.Message) events.SQSEvent {
	var e events.SQSEvent
	for _, message := range batch {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: message.ID, ReceiptHandle: message.Receipt,
			Body: message.Body, Md5OfBody: awstest.MD5(message.Body),
			Attributes: message.SystemAttributes(), MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSourceARN: m.Queue.ARN(), EventSource: "aws:sqs", AWSRegion: "us-east-1",
		})
	}
	return e
}
