package simulation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"procore-connect/internal/operator/dead"
	"procore-connect/internal/platform/queue"
)

// sqsOf is a queue by the SDK's client, outside of a schedule.
type sqsOf struct {
	*testing.T
	*World
	queue.Queue
}

// inQueue runs a test on a queue of a world.
func inQueue(t *testing.T, name string, test func(q sqsOf)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &World{events: map[string]int{}}
		w.Services = newServices(w)
		test(sqsOf{t, w, queue.New(w.AWS(), nil, w.Queues.URL(name))})
	})
}

// sends sends messages, each of the group that is its first letter.
func (q sqsOf) sends(bodies string) {
	q.Helper()
	for body := range strings.FieldsSeq(bodies) {
		m := queue.Message{Body: body}
		if strings.HasSuffix(q.URL, ".fifo") {
			m.Group, m.Dedup = body[:1], body
		}
		if err := q.SendMessage(q.Context(), m); err != nil {
			q.Fatal(err)
		}
	}
}

func (q sqsOf) Context() context.Context { return q.T.Context() }

// receives receives up to ten messages, and returns their receipts.
func (q sqsOf) receives(want string) []string {
	q.Helper()
	in := &sqs.ReceiveMessageInput{QueueUrl: &q.URL, MaxNumberOfMessages: 10}
	out, err := q.Client.ReceiveMessage(q.Context(), in)
	if err != nil {
		q.Fatal(err)
	}
	var got, receipts []string
	for _, m := range out.Messages {
		got, receipts = append(got, *m.Body), append(receipts, *m.ReceiptHandle)
	}
	if strings.Join(got, " ") != want {
		q.Errorf("received %q, want %q", strings.Join(got, " "), want)
	}
	return receipts
}

// deletes deletes the message of a receipt; code is that of the error, or empty.
func (q sqsOf) deletes(receipt, code string) {
	q.Helper()
	_, err := q.Client.DeleteMessage(q.Context(), &sqs.DeleteMessageInput{QueueUrl: &q.URL, ReceiptHandle: &receipt})
	q.wantCode(err, code)
}

// hides changes for how long the message of a receipt is hidden.
func (q sqsOf) hides(receipt string, d time.Duration, code string) {
	q.Helper()
	_, err := q.Client.ChangeMessageVisibility(q.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &q.URL, ReceiptHandle: &receipt, VisibilityTimeout: int32(d / time.Second),
	})
	q.wantCode(err, code)
}

func (q sqsOf) wantCode(err error, code string) {
	q.Helper()
	got := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		got = api.ErrorCode()
	}
	if got != code || (err != nil) != (code != "") {
		q.Errorf("error %v, want %q", err, code)
	}
}

func (q sqsOf) attributes() map[string]string {
	q.Helper()
	in := &sqs.GetQueueAttributesInput{QueueUrl: &q.URL, AttributeNames: []types.QueueAttributeName{"All"}}
	out, err := q.Client.GetQueueAttributes(q.Context(), in)
	if err != nil {
		q.Fatal(err)
	}
	return out.Attributes
}

func (q sqsOf) wantCounts(visible, inFlight int) {
	q.Helper()
	a := q.attributes()
	got := a["ApproximateNumberOfMessages"] + " " + a["ApproximateNumberOfMessagesNotVisible"]
	if want := fmt.Sprint(visible, inFlight); got != want {
		q.Errorf("%s messages visible and in flight, want %s", got, want)
	}
}

// While a message of a group is in flight, no other one of it is received.
func TestQueueGroups(t *testing.T) {
	inQueue(t, EventsQueue, func(q sqsOf) {
		q.sends("a1 a2 b1 a3")
		first := q.receives("a1 a2 b1 a3")
		q.wantCounts(0, 4)
		q.sends("b2 c1")
		second := q.receives("c1")
		q.deletes(first[2], "")
		q.receives("b2")
		q.deletes(first[0], "")
		q.Advance(6*time.Minute - time.Nanosecond)
		q.receives("")
		q.Advance(time.Nanosecond)
		q.wantCounts(4, 0)
		q.deletes(first[1], "InvalidParameterValue") // it has expired
		q.deletes(second[0], "InvalidParameterValue")
		again := q.receives("a2 a3 b2 c1")
		q.deletes(first[1], "InvalidParameterValue") // it is of an earlier delivery
		q.deletes(again[0], "")
		q.deletes(again[0], "") // again
		q.Freeze(6 * time.Minute)
		q.receives("a3 b2 c1")
	})
}

// A message is visible again when its receipt's holder requires it, and only then its
// group is.
func TestQueueVisibility(t *testing.T) {
	inQueue(t, EventsQueue, func(q sqsOf) {
		q.sends("a1 a2 b1")
		r := q.receives("a1 a2 b1")
		q.hides(r[0], 0, "")
		q.hides(r[0], 0, "InvalidParameterValue")
		q.receives("") // a2 is in flight
		q.hides(r[1], 0, "")
		q.receives("a1 a2")
		q.hides(r[2], 10*time.Second, "")
		q.Advance(10 * time.Second)
		r = q.receives("b1")
		out, err := q.Client.ChangeMessageVisibilityBatch(q.Context(), &sqs.ChangeMessageVisibilityBatchInput{
			QueueUrl: &q.URL, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
				{Id: aws.String("0"), ReceiptHandle: &r[0]},
				{Id: aws.String("1"), ReceiptHandle: aws.String("no receipt")},
			},
		})
		if err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "1" ||
			*out.Failed[0].Code != "ReceiptHandleIsInvalid" {
			t.Errorf("got %v, %v", out, err)
		}
		q.receives("b1")
	})
}

// A FIFO queue drops what it received within five minutes, also if it was deleted, and
// only within its group.
func TestQueueDuplicates(t *testing.T) {
	inQueue(t, EventsQueue, func(q sqsOf) {
		q.sends("a1 a1")
		q.deletes(q.receives("a1")[0], "")
		if err := q.SendMessage(q.Context(), queue.Message{Body: "b1", Group: "b", Dedup: "a1"}); err != nil {
			t.Fatal(err)
		}
		q.Advance(5*time.Minute - time.Nanosecond)
		q.sends("a1")
		q.receives("b1")
		q.Advance(time.Nanosecond)
		q.sends("a1 a1")
		q.receives("a1")
	})
}

// What SQS refuses for ever, and what it refuses of a batch.
func TestQueueRefusals(t *testing.T) {
	inQueue(t, EventsQueue, func(q sqsOf) {
		rescue := queue.Queue{Client: q.Client, URL: q.Queues.URL(RescueQueue)}
		bad, m := queue.Message{Body: "\x00", Group: "a", Dedup: "1"}, queue.Message{Body: "1", Group: "a", Dedup: "1"}
		q.wantCode(q.SendMessage(q.Context(), bad), "InvalidMessageContents")
		q.wantCode(q.SendMessage(q.Context(), queue.Message{Body: "1"}), "MissingParameter")
		q.wantCode(rescue.SendMessage(q.Context(), m), "InvalidParameterValue")
		entry := func(id, body string) types.SendMessageBatchRequestEntry {
			return types.SendMessageBatchRequestEntry{
				Id: &id, MessageBody: &body, MessageGroupId: &body, MessageDeduplicationId: &id,
			}
		}
		send := func(all ...types.SendMessageBatchRequestEntry) (*sqs.SendMessageBatchOutput, error) {
			return q.Client.SendMessageBatch(q.Context(), &sqs.SendMessageBatchInput{QueueUrl: &q.URL, Entries: all})
		}
		out, err := send(entry("0", "a"), entry("1", "\x00"))
		if err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "1" {
			t.Errorf("got %v, %v", out, err)
		}
		_, err = send(entry("0", "a"), entry("0", "b"))
		q.wantCode(err, "BatchEntryIdsNotDistinct")
		_, err = send([]types.SendMessageBatchRequestEntry{}...)
		if err == nil {
			t.Error("no error for an empty batch")
		}
		_, err = send(slices.Repeat([]types.SendMessageBatchRequestEntry{entry("0", "a")}, 11)...)
		q.wantCode(err, "TooManyEntriesInBatchRequest")
	})
}

// After 50 receipts an event is a dead letter, and the next one of its group is received
// in its place. The operator sees it and moves it back, which takes time.
func TestQueueDeadLetters(t *testing.T) {
	inQueue(t, EventsQueue, func(q sqsOf) {
		letters := dead.Queue{Client: q.Client, URL: q.Queues.URL(EventsDeadQueue)}
		q.sends("a1 a2")
		for range 50 {
			e := q.Queues.Receive(EventsQueue, 1)
			if len(e.Records) != 1 || e.Records[0].Body != "a1" || e.Records[0].Attributes["MessageGroupId"] != "a" {
				t.Fatalf("received %+v", e)
			}
			if err := q.Queues.Visible(e.Records[0].ReceiptHandle, 0); err != nil {
				t.Fatal(err)
			}
		}
		q.Advance(time.Hour)
		died := q.Now()
		q.receives("a2")
		all, total, err := letters.Peek(q.Context(), 10)
		if err != nil || total != 1 || all[0].Body != "a1" || all[0].Group != "a" || all[0].Receipts != 51 ||
			!all[0].Since.Equal(died) {
			t.Errorf("got %+v of %d, %v", all, total, err)
		}
		held := q.Queues.Receive(EventsDeadQueue, 1) // someone reads it
		moved, err := letters.Move(q.Context(), nil)
		if err != nil || moved.Moved != 0 || moved.Total != 1 {
			t.Errorf("moved %+v, %v; want none", moved, err)
		}
		if err := q.Queues.Visible(held.Records[0].ReceiptHandle, 0); err != nil {
			t.Fatal(err)
		}
		moved, err = letters.Move(q.Context(), nil)
		if err != nil || moved.Moved != 1 || moved.Total != 1 {
			t.Errorf("moved %+v, %v; want it", moved, err)
		}
		q.receives("") // a2 is in flight
		q.Advance(6 * time.Minute)
		q.receives("a2 a1")
		in := &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(q.attributes()["QueueArn"])}
		_, err = q.Client.StartMessageMoveTask(q.Context(), in)
		q.wantCode(err, "InvalidParameterValue")
	})
}

// A standard queue delivers in order, and accepts any receipt that it knew. A dead letter
// keeps its age there, and each message goes after 14 days.
func TestStandardQueue(t *testing.T) {
	inQueue(t, RescueQueue, func(q sqsOf) {
		sent := q.Now()
		q.sends("1 2 2")
		old := q.receives("1 2 2")
		q.Advance(270 * time.Second)
		r := q.receives("1 2 2")
		q.deletes(old[0], "")
		q.wantCounts(0, 3)
		q.hides(r[0], time.Second, "")
		q.Advance(time.Second)
		q.hides(r[0], 0, "MessageNotInflight") // it is visible
		q.deletes(r[0], "")
		q.deletes(r[0], "")
		q.hides(r[0], 0, "MessageNotInflight") // it is deleted
		q.deletes("no receipt", "ReceiptHandleIsInvalid")
		q.wantCounts(0, 2)
		for range 286 {
			q.Advance(270 * time.Second)
			q.receives("2 2")
		}
		q.Advance(270 * time.Second)
		if n := len(q.Queues.Messages(RescueDeadQueue)); n != 0 {
			t.Errorf("%d dead letters, want none yet", n)
		}
		q.receives("")
		letters := q.Queues.Messages(RescueDeadQueue)
		if len(letters) != 2 || !letters[0].Sent.Equal(sent) || letters[0].Received != 288 {
			t.Errorf("dead letters %+v", letters)
		}
		q.Advance(14*24*time.Hour - q.Now().Sub(sent) - time.Nanosecond)
		if n := len(q.Queues.Messages(RescueDeadQueue)); n != 2 {
			t.Errorf("%d letters before 14 days have passed, want 2", n)
		}
		q.Advance(time.Nanosecond)
		if n := len(q.Queues.Messages(RescueDeadQueue)); n != 0 || q.Events()["message expired"] != 2 {
			t.Errorf("%d letters after 14 days, want none", n)
		}
	})
}

// An event source mapping knows when it can receive, and deletes by a receipt.
func TestQueueSource(t *testing.T) {
	inQueue(t, EventsQueue, func(q sqsOf) {
		next := func(want time.Duration, wantOK bool) {
			q.Helper()
			at, ok := q.Queues.Next(EventsQueue)
			if ok != wantOK || ok && max(0, at.Sub(q.Now())) != want {
				t.Errorf("the next message at %v, %t; want %v, %t", at, ok, want, wantOK)
			}
		}
		next(0, false)
		q.sends("a1 a2 b1")
		next(0, true)
		e := q.Queues.Receive(EventsQueue, 1)
		next(0, true) // b1
		e.Records = append(e.Records, q.Queues.Receive(EventsQueue, 10).Records...)
		if len(e.Records) != 2 || e.Records[1].Body != "b1" ||
			e.Records[1].Attributes["ApproximateReceiveCount"] != "1" ||
			!strings.HasSuffix(e.Records[1].EventSourceARN, ":events.fifo") {
			t.Fatalf("received %+v", e)
		}
		next(6*time.Minute, true)
		if err := q.Queues.Visible(e.Records[1].ReceiptHandle, time.Minute); err != nil {
			t.Error(err)
		}
		next(time.Minute, true)
		if err := q.Queues.Delete(e.Records[0].ReceiptHandle); err != nil {
			t.Error(err)
		}
		next(0, true) // a2
		q.Advance(time.Minute)
		if err := q.Queues.Delete(e.Records[1].ReceiptHandle); err == nil {
			t.Error("no error for a receipt that has expired")
		}
		q.Queues.Send(DispatchDeadQueue, Message{Body: "a position"})
		if _, ok := q.Queues.Next(DispatchDeadQueue); !ok {
			t.Error("no message from Lambda")
		}
		if _, err := q.Client.PurgeQueue(q.Context(), &sqs.PurgeQueueInput{QueueUrl: &q.URL}); err != nil {
			t.Error(err)
		}
		next(0, false)
	})
}

// The queues are those of the template.
func TestQueueSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{
		"EventsQueue": EventsQueue, "EventsDeadLetterQueue": EventsDeadQueue,
		"RescueQueue": RescueQueue, "RescueDeadLetterQueue": RescueDeadQueue,
		"DispatcherDeadLetterQueue": DispatchDeadQueue, "AnnouncerDeadLetterQueue": AnnounceDeadQueue,
	}
	want := map[string]QueueSettings{}
	for id, r := range template.Resources {
		if r.Type != "AWS::SQS::Queue" {
			continue
		}
		var p struct {
			Fifo       bool   `yaml:"FifoQueue"`
			Scope      string `yaml:"DeduplicationScope"`
			Visibility int    `yaml:"VisibilityTimeout"`
			Retention  int    `yaml:"MessageRetentionPeriod"`
			Redrive    struct {
				Target string `yaml:"deadLetterTargetArn"`
				Max    int    `yaml:"maxReceiveCount"`
			} `yaml:"RedrivePolicy"`
		}
		if err := r.Properties.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Fifo != strings.HasSuffix(names[id], ".fifo") || time.Duration(p.Retention)*time.Second != retention {
			t.Errorf("%s is %+v in the template", id, p)
		}
		want[names[id]] = QueueSettings{
			Visibility: max(30*time.Second, time.Duration(p.Visibility)*time.Second),
			GroupDedup: p.Scope == "messageGroup",
			Dead:       names[strings.TrimSuffix(p.Redrive.Target, ".Arn")], MaxReceive: p.Redrive.Max,
		}
	}
	got := map[string]QueueSettings{}
	for _, q := range newQueues(&World{}).all {
		got[q.name] = q.QueueSettings
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("queues (-got +want):\n%s", d)
	}
}

// An event's way through a queue that has a backlog of 1,000.
func BenchmarkQueue(b *testing.B) {
	w := &World{events: map[string]int{}}
	w.Services = newServices(w)
	q := queue.New(w.AWS(), nil, w.Queues.URL(EventsQueue))
	send := func(n int) {
		m := queue.Message{Body: "an event", Group: fmt.Sprint(n), Dedup: fmt.Sprint(n)}
		if err := q.SendMessage(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
	for n := range 1000 {
		send(n)
	}
	n := 1000
	for b.Loop() {
		send(n)
		n++
		if err := w.Queues.Delete(w.Queues.Receive(EventsQueue, 1).Records[0].ReceiptHandle); err != nil {
			b.Fatal(err)
		}
	}
}
