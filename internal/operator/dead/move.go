package dead

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Move is a task of SQS that moves messages back.
type Move struct {
	Running bool      `json:"running"`
	Moved   int64     `json:"moved"`
	Total   int64     `json:"total"` // when it began
	Started time.Time `json:"started"`
	Failure string    `json:"failure,omitempty"` // why it ended early
}

// ErrMoves means that the move goes on at AWS without this process.
var ErrMoves = errors.New("the move goes on at AWS")

// betweenLooks is how often a move is asked for its progress.
const betweenLooks = time.Second

// Move moves all messages back to the queues that they came from, and returns when that has ended. progress may be nil. If
// a move of this queue runs already, it waits for that one.
//
// SQS itself moves them, oldest first, in FIFO queues too, and gives each one a new id and receive count. So a process that
// dies loses none, and sends none twice: once the task has started, an error of ctx matches [ErrMoves]. The caller needs
// sqs:StartMessageMoveTask, ListMessageMoveTasks, ReceiveMessage, DeleteMessage and GetQueueAttributes of this queue, and
// sqs:SendMessage of the other one. SQS refuses a queue to which Lambda or SNS sends its failures.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
func (q Queue) Move(ctx context.Context, progress func(Move)) (Move, error) {
	m, err := q.Last(ctx)
	if err == nil && (m == nil || !m.Running) {
		err = q.start(ctx)
	}
	if err != nil {
		return Move{}, err
	}
	for {
		m, err = q.Last(ctx)
		if err == nil && m == nil {
			err = errors.New("SQS does not know the move that it has started")
		}
		if err == nil && !m.Running {
			if m.Failure != "" {
				err = fmt.Errorf("SQS stopped the move after %d of %d messages: %s", m.Moved, m.Total, m.Failure)
			}
			return *m, err
		}
		if err == nil {
			if progress != nil {
				progress(*m)
			}
			err = q.Clock.Sleep(ctx, betweenLooks)
		}
		if err != nil {
			return Move{}, fmt.Errorf("%w: %w", ErrMoves, err)
		}
	}
}

func (q Queue) start(ctx context.Context) error {
	arn, err := q.arn(ctx)
	if err == nil {
		_, err = q.Client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &arn})
	}
	if err != nil {
		return fmt.Errorf("the messages of %s cannot be moved: %w", q.URL, err)
	}
	return nil
}

// Last returns the last move of the queue, nil if there was none.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html
func (q Queue) Last(ctx context.Context) (*Move, error) {
	arn, err := q.arn(ctx)
	if err != nil {
		return nil, err
	}
	out, err := q.Client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn})
	if err != nil {
		return nil, fmt.Errorf("the moves of %s cannot be read: %w", q.URL, err)
	}
	if len(out.Results) == 0 {
		return nil, nil //nolint:nilnil // there was none
	}
	r := out.Results[0]
	m := &Move{Moved: r.ApproximateNumberOfMessagesMoved, Total: aws.ToInt64(r.ApproximateNumberOfMessagesToMove), Started: time.UnixMilli(r.StartedTimestamp).UTC()}
	switch status := aws.ToString(r.Status); status {
	case "RUNNING", "CANCELLING":
		m.Running = true
	case "COMPLETED":
	default:
		m.Failure = status
		if r.FailureReason != nil {
			m.Failure += ": " + *r.FailureReason
		}
	}
	return m, nil
}

// arn returns the queue's ARN.
func (q Queue) arn(ctx context.Context) (string, error) {
	a, err := q.attributes(ctx, types.QueueAttributeNameQueueArn)
	return a[string(types.QueueAttributeNameQueueArn)], err
}
