package simulation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"procore-connect/internal/testing/fake/awstest"
)

// prepare describes a call of SQS. It changes nothing, because the call has not passed its
// gate yet.
func (q *Queues) prepare(c *remote, in any) {
	c.away, c.faults = &q.away, writeFaults
	switch in := in.(type) {
	case *sqs.SendMessageInput:
		knows(in.DelaySeconds, in.MessageAttributes)
		open, _, _ := strings.Cut(*in.MessageBody, `"sealed":`) // a ciphertext differs each time
		c.about = about(in.QueueUrl, aws.ToString(in.MessageGroupId), digest(open))
		c.do = func(Fault) (any, error) { return q.sendMessage(in) }
	case *sqs.SendMessageBatchInput:
		c.about, c.faults = sends(in), batchFaults(len(in.Entries))
		c.do = func(f Fault) (any, error) { return q.sendMessageBatch(in, f) }
	case *sqs.ReceiveMessageInput:
		c.about, c.faults = about(in.QueueUrl), receiveFaults(q.named(*in.QueueUrl))
		c.do = func(f Fault) (any, error) { return q.receiveMessage(in, f), nil }
	case *sqs.DeleteMessageInput:
		c.about = about(in.QueueUrl, *in.ReceiptHandle)
		if !q.named(*in.QueueUrl).fifo() {
			c.faults = append(slices.Clone(writeFaults), Undeleted)
		}
		c.do = func(f Fault) (any, error) { return &sqs.DeleteMessageOutput{}, q.deleteMessage(in, f) }
	case *sqs.DeleteMessageBatchInput:
		receipt := func(e types.DeleteMessageBatchRequestEntry) *string { return e.ReceiptHandle }
		c.about, c.faults = about(in.QueueUrl, digest(of(in.Entries, receipt)...)), batchFaults(len(in.Entries))
		c.do = func(f Fault) (any, error) { return q.deleteMessageBatch(in, f) }
	default:
		q.prepareRest(c, in)
	}
}

func (q *Queues) prepareRest(c *remote, in any) {
	switch in := in.(type) {
	case *sqs.ChangeMessageVisibilityInput:
		c.about = about(in.QueueUrl, *in.ReceiptHandle)
		c.do = func(Fault) (any, error) {
			return &sqs.ChangeMessageVisibilityOutput{}, q.hide(*in.QueueUrl, *in.ReceiptHandle, in.VisibilityTimeout)
		}
	case *sqs.ChangeMessageVisibilityBatchInput:
		receipt := func(e types.ChangeMessageVisibilityBatchRequestEntry) *string { return e.ReceiptHandle }
		c.about, c.faults = about(in.QueueUrl, digest(of(in.Entries, receipt)...)), batchFaults(len(in.Entries))
		c.do = func(f Fault) (any, error) { return q.changeVisibilityBatch(in, f) }
	case *sqs.GetQueueAttributesInput:
		c.about, c.faults = about(in.QueueUrl), readFaults
		c.do = func(Fault) (any, error) { return q.attributes(in), nil }
	case *sqs.PurgeQueueInput:
		c.about = about(in.QueueUrl)
		c.do = func(Fault) (any, error) {
			one := q.queue(*in.QueueUrl)
			one.messages = nil
			clear(one.groups)
			return &sqs.PurgeQueueOutput{}, nil
		}
	case *sqs.StartMessageMoveTaskInput:
		c.about = about(in.SourceArn)
		c.do = func(Fault) (any, error) { return q.startMove(in) }
	case *sqs.ListMessageMoveTasksInput:
		c.about, c.faults = about(in.SourceArn), readFaults
		c.do = func(Fault) (any, error) { return q.listMoves(in) }
	default:
		panic("the world does not know SQS " + c.operation)
	}
}

// about names a queue by its URL or ARN, and what a call does with it.
func about(address *string, more ...string) string {
	name := (*address)[strings.LastIndexAny(*address, "/:")+1:]
	return strings.Join(append([]string{name}, more...), " ")
}

// sends is about a batch of messages.
func sends(in *sqs.SendMessageBatchInput) string {
	var groups, bodies []string
	for _, e := range in.Entries {
		knows(e.DelaySeconds, e.MessageAttributes)
		groups, bodies = append(groups, aws.ToString(e.MessageGroupId)), append(bodies, *e.MessageBody)
	}
	return about(in.QueueUrl, append(groups, digest(bodies...))...)
}

// batchFaults lists how a batch may fail: also in part, each part in one way.
func batchFaults(entries int) []Fault {
	all := []Fault{RefusesFirst}
	if entries > 1 {
		all = append(all, RefusesLast)
	}
	if entries > 2 {
		all = append(all, RefusesOdd)
	}
	return append(all, writeFaults...)
}

// receiveFaults lists how a receipt may fail. A message in a lost answer remains hidden.
func receiveFaults(from *sqsQueue) []Fault {
	all := []Fault{Refused, Throttled, Lost, Crash, CrashAfter, Few}
	if !from.fifo() {
		all = append(all, Again, Unordered)
	}
	return all
}

// knows panics at what a queue would ignore.
func knows(delay int32, attributes map[string]types.MessageAttributeValue) {
	if delay != 0 || len(attributes) > 0 {
		panic("the world knows neither the delay nor the attributes of a message")
	}
}

func (q *Queues) sendMessage(in *sqs.SendMessageInput) (any, error) {
	m, err := q.send(*in.QueueUrl, Message{
		Body: *in.MessageBody, Group: aws.ToString(in.MessageGroupId), Dedup: aws.ToString(in.MessageDeduplicationId),
	})
	if err != nil {
		return nil, err
	}
	return &sqs.SendMessageOutput{MessageId: &m.ID, SequenceNumber: &m.Sequence}, nil
}

func (q *Queues) sendMessageBatch(in *sqs.SendMessageBatchInput, f Fault) (*sqs.SendMessageBatchOutput, error) {
	out := &sqs.SendMessageBatchOutput{}
	var err error
	ids := of(in.Entries, func(e types.SendMessageBatchRequestEntry) *string { return e.Id })
	out.Failed, err = batch(ids, f, func(i int) error {
		e := in.Entries[i]
		m, err := q.send(*in.QueueUrl, Message{
			Body: *e.MessageBody, Group: aws.ToString(e.MessageGroupId), Dedup: aws.ToString(e.MessageDeduplicationId),
		})
		if err == nil {
			one := types.SendMessageBatchResultEntry{Id: e.Id, MessageId: &m.ID, SequenceNumber: &m.Sequence}
			out.Successful = append(out.Successful, one)
		}
		return err
	})
	return out, err
}

// of lists what the entries of a batch have.
func of[E any](entries []E, what func(E) *string) (texts []string) {
	for _, e := range entries {
		texts = append(texts, *what(e))
	}
	return texts
}

// batch does each entry that the fault does not refuse, and returns those that failed.
func batch(ids []string, f Fault, do func(i int) error) (failed []types.BatchResultErrorEntry, err error) {
	switch {
	case len(ids) == 0:
		return nil, errorOf("EmptyBatchRequest", "There should be at least one entry in the request.")
	case len(ids) > 10:
		return nil, errorOf("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.")
	case len(slices.Compact(slices.Sorted(slices.Values(ids)))) < len(ids):
		return nil, errorOf("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
	}
	for i := range ids {
		if f == RefusesFirst && i == 0 || f == RefusesLast && i == len(ids)-1 || f == RefusesOdd && i%2 == 0 {
			err = refusal("RequestThrottled")
		} else {
			err = do(i)
		}
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			code, message := api.ErrorCode(), api.ErrorMessage()
			failed = append(failed, types.BatchResultErrorEntry{Id: &ids[i], Code: &code, Message: &message})
		}
	}
	return failed, nil
}

func (q *Queues) receiveMessage(in *sqs.ReceiveMessageInput, f Fault) *sqs.ReceiveMessageOutput {
	from := q.queue(*in.QueueUrl)
	hidden := from.Visibility
	if in.VisibilityTimeout != 0 {
		hidden = time.Duration(in.VisibilityTimeout) * time.Second
	}
	out := &sqs.ReceiveMessageOutput{}
	for _, m := range from.receive(q.world, int(max(1, in.MaxNumberOfMessages)), hidden, f) {
		attributes := m.SystemAttributes()
		names := in.MessageSystemAttributeNames
		if !slices.Contains(names, types.MessageSystemAttributeNameAll) {
			maps.DeleteFunc(attributes, func(name, _ string) bool {
				return !slices.Contains(names, types.MessageSystemAttributeName(name))
			})
		}
		out.Messages = append(out.Messages, types.Message{
			MessageId: &m.ID, ReceiptHandle: &m.Receipt, Body: &m.Body, Attributes: attributes,
		})
	}
	return out
}

func (q *Queues) deleteMessage(in *sqs.DeleteMessageInput, f Fault) error {
	if f == Undeleted {
		return nil
	}
	return refusalOf(q.remove(*in.QueueUrl, *in.ReceiptHandle))
}

func (q *Queues) deleteMessageBatch(in *sqs.DeleteMessageBatchInput, f Fault) (*sqs.DeleteMessageBatchOutput, error) {
	out := &sqs.DeleteMessageBatchOutput{}
	var err error
	ids := of(in.Entries, func(e types.DeleteMessageBatchRequestEntry) *string { return e.Id })
	out.Failed, err = batch(ids, f, func(i int) error {
		e := in.Entries[i]
		err := q.remove(*in.QueueUrl, *e.ReceiptHandle)
		if err == nil {
			out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: e.Id})
		}
		return refusalOf(err)
	})
	return out, err
}

func (q *Queues) hide(url, receipt string, seconds int32) error {
	return refusalOf(q.queue(url).hide(receipt, q.world.Now(), time.Duration(seconds)*time.Second))
}

func (q *Queues) changeVisibilityBatch(in *sqs.ChangeMessageVisibilityBatchInput, f Fault) (any, error) {
	out := &sqs.ChangeMessageVisibilityBatchOutput{}
	var err error
	ids := of(in.Entries, func(e types.ChangeMessageVisibilityBatchRequestEntry) *string { return e.Id })
	out.Failed, err = batch(ids, f, func(i int) error {
		e := in.Entries[i]
		err := q.hide(*in.QueueUrl, *e.ReceiptHandle, e.VisibilityTimeout)
		if err == nil {
			out.Successful = append(out.Successful, types.ChangeMessageVisibilityBatchResultEntry{Id: e.Id})
		}
		return err
	})
	return out, err
}

// attributes answers with all attributes that the call names.
func (q *Queues) attributes(in *sqs.GetQueueAttributesInput) *sqs.GetQueueAttributesOutput {
	from := q.queue(*in.QueueUrl)
	visible, inFlight := from.counts(q.world.Now())
	all := map[types.QueueAttributeName]string{
		types.QueueAttributeNameQueueArn:                              awstest.QueueARN(from.name),
		types.QueueAttributeNameVisibilityTimeout:                     strconv.Itoa(int(from.Visibility / time.Second)),
		types.QueueAttributeNameMessageRetentionPeriod:                strconv.Itoa(int(retention / time.Second)),
		types.QueueAttributeNameApproximateNumberOfMessages:           strconv.Itoa(visible),
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: strconv.Itoa(inFlight),
	}
	if from.dead != nil {
		arn := awstest.QueueARN(from.Dead)
		policy := fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, arn, from.MaxReceive)
		all[types.QueueAttributeNameRedrivePolicy] = policy
	}
	out := &sqs.GetQueueAttributesOutput{Attributes: map[string]string{}}
	for name, value := range all {
		if slices.Contains(in.AttributeNames, name) || slices.Contains(in.AttributeNames, types.QueueAttributeNameAll) {
			out.Attributes[string(name)] = value
		}
	}
	return out
}

// startMove starts a task that moves dead letters back.
func (q *Queues) startMove(in *sqs.StartMessageMoveTaskInput) (any, error) {
	from := q.queue(*in.SourceArn)
	switch n := len(from.moves); {
	case in.DestinationArn != nil || in.MaxNumberOfMessagesPerSecond != nil:
		panic("the world does not know these parameters of StartMessageMoveTask")
	case q.source(from) == nil:
		return nil, errorOf("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
	case n > 0 && !from.moves[n-1].done:
		return nil, errorOf("InvalidParameterValue", "There is already a task running.")
	}
	m := &moveTask{handle: q.id(), started: q.world.Now(), total: len(from.messages)}
	from.moves = append(from.moves, m)
	return &sqs.StartMessageMoveTaskOutput{TaskHandle: &m.handle}, nil
}

// listMoves answers with the last tasks of a queue, the newest first.
func (q *Queues) listMoves(in *sqs.ListMessageMoveTasksInput) (any, error) {
	from := q.queue(*in.SourceArn)
	if q.source(from) == nil {
		return nil, errorOf("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
	}
	out := &sqs.ListMessageMoveTasksOutput{}
	for _, m := range slices.Backward(from.moves) {
		if len(out.Results) == int(max(1, aws.ToInt32(in.MaxResults))) {
			break
		}
		e := types.ListMessageMoveTasksResultEntry{
			Status: aws.String("COMPLETED"), SourceArn: in.SourceArn, StartedTimestamp: m.started.UnixMilli(),
			ApproximateNumberOfMessagesMoved:  int64(m.moved),
			ApproximateNumberOfMessagesToMove: aws.Int64(int64(m.total)),
		}
		if !m.done {
			e.Status, e.TaskHandle = aws.String("RUNNING"), &m.handle
		}
		out.Results = append(out.Results, e)
	}
	return out, nil
}
