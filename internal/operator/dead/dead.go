// Package dead reads a dead-letter queue without emptying it, moves its messages back to the queue that they came from, and
// deletes one of them.
//
//	letters, total, err := queue.Peek(ctx, 100)
package dead

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"procore-connect/pkg/procore"
)

const (
	// batch is the most messages of one request.
	batch = 10
	// held is for how many seconds Peek hides a message. It ends early, unless the process is killed.
	held = 30
	// pollSeconds is how long one request waits, so that it asks all of SQS's servers.
	pollSeconds = 1
	// maxExamined is in how many messages Delete searches for one.
	maxExamined = 1000
	// releaseWithin bounds the end of Peek.
	releaseWithin = 10 * time.Second
)

// Queue is a dead-letter queue. Client and URL must be set.
type Queue struct {
	Client *sqs.Client
	URL    string
	Clock  procore.Clock
}

// Letter is one message.
type Letter struct {
	ID       string // of the message; it has another one after a move
	Body     string
	Group    string    // of a FIFO queue
	Since    time.Time // a message of a FIFO queue: when it came here; otherwise, when it was sent to the first queue
	Receipts int       // in all queues, this one included

	receipt string
}

// ErrGone means that the queue does not have the message.
var ErrGone = errors.New("the queue has no such message")

// Peek returns up to limit messages and how many there are, which SQS knows approximately.
//
// It receives the messages, and makes them visible again before it returns. In that time no one else receives them: a move
// that runs leaves them until then. A FIFO queue shows at most ten of a group, because the others wait behind these.
func (q Queue) Peek(ctx context.Context, limit int) (letters []Letter, total int, err error) {
	if total, err = q.Count(ctx); total == 0 || err != nil {
		return nil, 0, err
	}
	letters, err = q.hold(ctx, limit, func(all []Letter) bool { return len(all) >= total })
	err = errors.Join(err, q.release(ctx, letters))
	slices.SortStableFunc(letters, func(a, b Letter) int { return a.Since.Compare(b.Since) })
	return letters, max(total, len(letters)), err
}

// Delete deletes the message with this id for good. The error matches [ErrGone] if it is not found. It is for a standard
// queue: a FIFO queue may hide the message behind others of its group.
func (q Queue) Delete(ctx context.Context, id string) error {
	is := func(l Letter) bool { return l.ID == id }
	letters, err := q.hold(ctx, maxExamined, func(all []Letter) bool { return slices.ContainsFunc(all, is) })
	i := slices.IndexFunc(letters, is)
	switch {
	case err != nil:
	case i < 0:
		err = fmt.Errorf("message %.100q: %w", id, ErrGone)
	default:
		_, err = q.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.URL, ReceiptHandle: &letters[i].receipt})
		if err == nil {
			letters = slices.Delete(letters, i, i+1)
		}
	}
	return errors.Join(err, q.release(ctx, letters))
}

// Count returns how many messages there are, approximately: the last minute's may be missing.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
func (q Queue) Count(ctx context.Context) (n int, err error) {
	a, err := q.attributes(ctx, types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible)
	for _, v := range a {
		one, _ := strconv.Atoi(v)
		n += one
	}
	return n, err
}

func (q Queue) attributes(ctx context.Context, names ...types.QueueAttributeName) (map[string]string, error) {
	out, err := q.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.URL, AttributeNames: names})
	if err != nil {
		return nil, fmt.Errorf("the queue %s cannot be read: %w", q.URL, err)
	}
	return out.Attributes, nil
}

// hold receives messages until there are enough, or no others.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func (q Queue) hold(ctx context.Context, limit int, enough func([]Letter) bool) (letters []Letter, err error) {
	for len(letters) < limit && !enough(letters) {
		most := int32(min(batch, limit-len(letters))) //nolint:gosec // at most ten
		out, err := q.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &q.URL, MaxNumberOfMessages: most, VisibilityTimeout: held, WaitTimeSeconds: pollSeconds,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		if err != nil {
			return letters, fmt.Errorf("the queue %s cannot be read: %w", q.URL, err)
		}
		if len(out.Messages) == 0 {
			return letters, nil
		}
		for _, m := range out.Messages {
			letters = append(letters, letter(m))
		}
	}
	return letters, nil
}

func letter(m types.Message) Letter {
	sent, _ := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
	receipts, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	return Letter{
		ID: aws.ToString(m.MessageId), Body: aws.ToString(m.Body), Group: m.Attributes["MessageGroupId"],
		Since: time.UnixMilli(sent).UTC(), Receipts: receipts, receipt: aws.ToString(m.ReceiptHandle),
	}
}

// release makes messages visible again. If it cannot, they are visible within half a minute.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
func (q Queue) release(ctx context.Context, letters []Letter) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	for some := range slices.Chunk(letters, batch) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.URL}
		for i, l := range some {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &l.receipt})
		}
		if _, err := q.Client.ChangeMessageVisibilityBatch(ctx, in); err != nil {
			return fmt.Errorf("messages of the queue %s remain hidden for %d s: %w", q.URL, held, err)
		}
	}
	return nil
}
