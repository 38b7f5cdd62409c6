package localstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/awstest"
	"procore-connect/internal/gatewaytest"
)

const (
	batchSize  = 10
	longPoll   = 20 * time.Second
	firstRetry = time.Second // doubled with every delivery
	lastRetry  = 30 * time.Second
)

// mapping is the event source mapping that hands messages to the consumer,
// with ReportBatchItemFailures: what the function names as failed comes again,
// what it does not name is deleted. An error fails the whole batch.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
type mapping struct {
	queue    *awstest.Queue
	function gatewaytest.Invoker
	report   func(string)
}

// run handles batches until ctx ends.
func (m *mapping) run(ctx context.Context) {
	for {
		batch, err := m.queue.Receive(ctx, batchSize, longPoll)
		if err != nil { // ctx ended
			return
		}
		if len(batch) > 0 {
			m.handle(ctx, batch)
		}
	}
}

func (m *mapping) handle(ctx context.Context, batch []awstest.Message) {
	failed, err := m.invoke(ctx, batch)
	if err != nil && ctx.Err() == nil {
		m.report(fmt.Sprintf("batch of %d events failed, to be tried again: %v", len(batch), err))
	}
	for _, message := range batch {
		var err error
		if failed[message.ID] {
			if message.Received == maxReceive {
				m.report(fmt.Sprintf("message %s failed %d times and is a dead letter", message.ID, maxReceive))
			}
			err = m.queue.ChangeVisibility(message.Receipt, retryAfter(message.Received))
		} else {
			err = m.queue.Delete(message.Receipt)
		}
		if err != nil {
			m.report(fmt.Sprintf("message %s: %v", message.ID, err))
		}
	}
}

// retryAfter spreads the deliveries of a failing message.
func retryAfter(received int) time.Duration {
	return min(firstRetry<<min(received-1, 10), lastRetry)
}

// invoke gives the ids of the messages that failed; with an error, all of them.
func (m *mapping) invoke(ctx context.Context, batch []awstest.Message) (map[string]bool, error) {
	all := make(map[string]bool)
	for _, message := range batch {
		all[message.ID] = true
	}
	payload, err := json.Marshal(m.event(batch))
	if err != nil {
		return all, err
	}
	answer, err := m.function.Invoke(ctx, payload)
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
			return all, errors.New("the consumer's answer names a message that it did not get")
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

// event is the batch as Lambda hands it over.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func (m *mapping) event(batch []awstest.Message) events.SQSEvent {
	var e events.SQSEvent
	for _, message := range batch {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: message.ID, ReceiptHandle: message.Receipt,
			Body: message.Body, Md5OfBody: awstest.MD5(message.Body),
			Attributes: message.SystemAttributes(), MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSourceARN: m.queue.ARN(), EventSource: "aws:sqs", AWSRegion: "us-east-1",
		})
	}
	return e
}
