package awstest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
)

func create(t *testing.T, s *awstest.Queues, name string, o awstest.QueueOptions) *awstest.Queue {
	t.Helper()
	q, err := s.Create(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func send(t *testing.T, q *awstest.Queue, messages ...awstest.Message) {
	t.Helper()
	for _, m := range messages {
		if _, _, err := q.Send(m); err != nil {
			t.Fatal(err)
		}
	}
}

// bodies receives without waiting.
func bodies(t *testing.T, q *awstest.Queue, limit int) (got []string, receipts []string) {
	t.Helper()
	messages, err := q.Receive(t.Context(), limit, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		got, receipts = append(got, m.Body), append(receipts, m.Receipt)
	}
	return got, receipts
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("%s (-got +want):\n%s", what, d)
	}
}

func TestGroupOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := create(t, awstest.NewQueues(), "q.fifo", awstest.QueueOptions{VisibilityTimeout: 10 * time.Second})
		for i := range 3 {
			send(t, q, awstest.Message{Body: fmt.Sprint("a", i), Group: "a", Dedup: fmt.Sprint("a", i)})
		}
		send(t, q, awstest.Message{Body: "b0", Group: "b", Dedup: "b0"})

		got, first := bodies(t, q, 2)
		expect(t, "first batch", got, []string{"a0", "a1"})
		got, _ = bodies(t, q, 10)
		expect(t, "while a is in flight", got, []string{"b0"})

		if err := q.Delete(first[0]); err != nil {
			t.Fatal(err)
		}
		got, _ = bodies(t, q, 10)
		expect(t, "while a1 is in flight", got, []string(nil))

		time.Sleep(10 * time.Second) // a1 and b0 become visible again
		got, _ = bodies(t, q, 10)
		expect(t, "after the visibility timeout", got, []string{"a1", "a2", "b0"})
		if err := q.Delete(first[1]); err == nil {
			t.Error("the receipt of an earlier delivery deleted the message")
		}
	})
}

// With the scope messageGroup, as template.yaml has it, an id counts in its group alone.
func TestDeduplicationPerGroup(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		o    awstest.QueueOptions
		want int
	}{
		"queue":        {awstest.QueueOptions{}, 1},
		"messageGroup": {awstest.QueueOptions{GroupDedup: true}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := awstest.NewQueues().Create("q.fifo", test.o)
			if err != nil {
				t.Fatal(err)
			}
			for _, group := range []string{"a", "b", "a"} {
				send(t, q, awstest.Message{Body: "m", Group: group, Dedup: "d"})
			}
			if waiting, _, _ := q.Counts(); waiting != test.want {
				t.Errorf("%d messages, want %d", waiting, test.want)
			}
		})
	}
}

func TestDeduplication(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := create(t, awstest.NewQueues(), "q.fifo", awstest.QueueOptions{})
		m := awstest.Message{Body: "first", Group: "g", Dedup: "d"}
		id, sequence, err := q.Send(m)
		if err != nil {
			t.Fatal(err)
		}
		_, receipts := bodies(t, q, 1)
		if err := q.Delete(receipts[0]); err != nil {
			t.Fatal(err)
		}
		m.Body = "second"
		again, sequence2, err := q.Send(m)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "id and sequence of the duplicate", []string{again, sequence2}, []string{id, sequence})
		got, _ := bodies(t, q, 1)
		expect(t, "the duplicate of a deleted message", got, []string(nil))

		time.Sleep(5 * time.Minute)
		send(t, q, m)
		got, _ = bodies(t, q, 1)
		expect(t, "after five minutes", got, []string{"second"})
	})
}

func TestLongPollingAndVisibility(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := create(t, awstest.NewQueues(), "q", awstest.QueueOptions{VisibilityTimeout: 5 * time.Second})
		go func() {
			time.Sleep(3 * time.Second)
			q.Send(awstest.Message{Body: "m"})
		}()
		began := time.Now()
		messages, err := q.Receive(t.Context(), 1, 20*time.Second)
		if err != nil || len(messages) != 1 {
			t.Fatalf("received %v, %v", messages, err)
		}
		expect(t, "wait for the message", time.Since(began), 3*time.Second)

		if messages, err = q.Receive(t.Context(), 1, 20*time.Second); err != nil || len(messages) != 1 {
			t.Fatalf("received %v, %v", messages, err)
		}
		expect(t, "wait for the visibility timeout", time.Since(began), 8*time.Second)
		expect(t, "receive count", messages[0].Received, 2)

		if err := q.ChangeVisibility(messages[0].Receipt, time.Minute); err != nil {
			t.Fatal(err)
		}
		if messages, err = q.Receive(t.Context(), 1, 20*time.Second); err != nil || len(messages) != 0 {
			t.Fatalf("received %v, %v while the message was hidden", messages, err)
		}
		expect(t, "long poll that finds nothing", time.Since(began), 28*time.Second)
	})
}

func TestRedrive(t *testing.T) {
	t.Parallel()
	s := awstest.NewQueues()
	dead := create(t, s, "dead.fifo", awstest.QueueOptions{})
	q := create(t, s, "q.fifo", awstest.QueueOptions{DeadLetters: dead, MaxReceiveCount: 2})
	send(t, q, awstest.Message{Body: "bad", Group: "g", Dedup: "1"}, awstest.Message{Body: "good", Group: "g", Dedup: "2"})
	for range 2 {
		got, receipts := bodies(t, q, 1)
		expect(t, "delivery", got, []string{"bad"})
		if err := q.ChangeVisibility(receipts[0], 0); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := bodies(t, q, 1)
	expect(t, "after two deliveries", got, []string{"good"})
	got, _ = bodies(t, dead, 1)
	expect(t, "dead letters", got, []string{"bad"})
}

func TestQueuesOverTheWire(t *testing.T) {
	t.Parallel()
	c := sqs.NewFromConfig(config(t, &awstest.Services{Queues: awstest.NewQueues()}))
	made, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: new("q.fifo"), Attributes: map[string]string{
		"FifoQueue": "true", "VisibilityTimeout": "60",
	}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: new("q.fifo")})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "queue URL", *found.QueueUrl, *made.QueueUrl)
	url := made.QueueUrl

	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: new("é one"), MessageGroupId: new("g"), MessageDeduplicationId: new("1"),
		MessageAttributes: map[string]types.MessageAttributeValue{"kind": {DataType: new("String"), StringValue: new("x")}},
	}); err != nil {
		t.Fatal(err)
	}
	sent, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: new("x"), MessageBody: new("two"), MessageGroupId: new("g"), MessageDeduplicationId: new("2")},
		{Id: new("y"), MessageBody: new("no group")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(sent.Successful) != 1 || len(sent.Failed) != 1 || *sent.Failed[0].Id != "y" {
		t.Errorf("batch = %+v, want x sent and y failed", sent)
	}
	got, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"},
	})
	if err != nil || len(got.Messages) != 2 {
		t.Fatalf("received %+v, %v", got, err)
	}
	m := got.Messages[0]
	expect(t, "body", *m.Body, "é one")
	expect(t, "group", m.Attributes["MessageGroupId"], "g")
	expect(t, "receive count", m.Attributes["ApproximateReceiveCount"], "1")
	expect(t, "attribute", *m.MessageAttributes["kind"].StringValue, "x")

	counts, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "in flight", counts.Attributes["ApproximateNumberOfMessagesNotVisible"], "2")

	if _, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 90}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	deleted, err := c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: new("x"), ReceiptHandle: got.Messages[1].ReceiptHandle}, {Id: new("y"), ReceiptHandle: new("nonsense")},
	}})
	if err != nil || len(deleted.Successful) != 1 || len(deleted.Failed) != 1 {
		t.Errorf("deleted %+v, %v; want one deleted and one failed", deleted, err)
	}
	if _, err := c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: url}); err != nil {
		t.Fatal(err)
	}
}

func TestQueueErrors(t *testing.T) {
	t.Parallel()
	s := awstest.NewQueues()
	create(t, s, "q.fifo", awstest.QueueOptions{})
	c := sqs.NewFromConfig(config(t, &awstest.Services{Queues: s}))
	url := new(awstest.QueueURL("http://localhost", "q.fifo"))

	_, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: new("http://localhost/000000000000/absent")})
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
		t.Errorf("absent queue: %v, want QueueDoesNotExist", err)
	}
	_, err = c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: new("x")})
	if _, ok := errors.AsType[*types.ReceiptHandleIsInvalid](err); !ok {
		t.Errorf("bad receipt: %v, want ReceiptHandleIsInvalid", err)
	}
	for name, test := range map[string]struct {
		in   sqs.SendMessageInput
		want string
	}{
		"no group":   {sqs.SendMessageInput{MessageBody: new("m"), MessageDeduplicationId: new("d")}, "MissingParameter"},
		"no dedup":   {sqs.SendMessageInput{MessageBody: new("m"), MessageGroupId: new("g")}, "InvalidParameterValue"},
		"blank":      {sqs.SendMessageInput{MessageBody: new("m"), MessageGroupId: new("a b"), MessageDeduplicationId: new("d")}, "InvalidParameterValue"},
		"long group": {sqs.SendMessageInput{MessageBody: new("m"), MessageGroupId: new(strings.Repeat("g", 129)), MessageDeduplicationId: new("d")}, "InvalidParameterValue"},
		"long body":  {sqs.SendMessageInput{MessageBody: new(strings.Repeat("m", 1<<20+1)), MessageGroupId: new("g"), MessageDeduplicationId: new("d")}, "InvalidParameterValue"},
		"control":    {sqs.SendMessageInput{MessageBody: new("\x01"), MessageGroupId: new("g"), MessageDeduplicationId: new("d")}, "InvalidMessageContents"},
	} {
		test.in.QueueUrl = url
		_, err := c.SendMessage(t.Context(), &test.in)
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	_, err = c.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "UnknownOperationException" {
		t.Errorf("unknown operation: %v, want UnknownOperationException", err)
	}
}
