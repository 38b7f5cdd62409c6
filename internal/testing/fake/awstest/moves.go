package awstest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// move is a task that moves the messages of a dead-letter queue back. It ends with the process.
type move struct {
	handle  string
	source  *Queue
	started time.Time
	total   int
	moved   int
	done    bool
	rate    int
}

// maxMoves is how many tasks of a queue are remembered.
const maxMoves = 10

type startMoveInput struct {
	SourceArn, DestinationArn    string
	MaxNumberOfMessagesPerSecond *int
}

// startMove moves all messages at once, unless MoveStep is set.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
func (s *Queues) startMove(_ context.Context, _ *http.Request, in startMoveInput) (any, error) {
	q, err := s.arn(in.SourceArn, "SourceArn")
	if err != nil {
		return nil, err
	}
	m := &move{handle: newID(), source: q, started: s.now()}
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if m.rate = *n; m.rate < 1 || m.rate > 500 {
			return nil, errorf("InvalidParameterValue", "Value %d for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500.", m.rate)
		}
	}
	if in.DestinationArn != "" {
		return nil, errorf("InvalidParameterValue", "a DestinationArn is not supported here, only the queue that a message came from")
	}
	defer s.lock()()
	switch {
	case s.sourceOf(q) == nil:
		return nil, errorf("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
	case slices.ContainsFunc(s.moves, func(o *move) bool { return o.source == q && !o.done }):
		return nil, errorf("InvalidParameterValue", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	m.total = len(q.messages)
	s.moves = append(s.moves, m)
	s.advance(m)
	return map[string]string{"TaskHandle": m.handle}, nil
}

// advance moves the oldest messages that no one holds to the queue that they came from, as new messages.
func (s *Queues) advance(m *move) {
	q, to := m.source, s.sourceOf(m.source)
	until := m.moved + s.MoveStep
	for _, one := range slices.Clone(q.messages) {
		if s.MoveStep > 0 && m.moved == until {
			return
		}
		if time.Now().Before(one.visibleAt) {
			continue
		}
		q.remove(one)
		sent := &stored{Message: Message{Body: one.Body, Group: one.Group, Dedup: one.Dedup, Attributes: one.Attributes, ID: newID(), Sent: s.now()}}
		to.number(sent)
		to.add(sent)
		m.moved++
	}
	m.done = true
}

type listMovesInput struct {
	SourceArn  string
	MaxResults *int
}

type moveEntry struct {
	TaskHandle                        string `json:",omitempty"` // only of a running one
	Status                            string
	SourceArn                         string
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	MaxNumberOfMessagesPerSecond      int `json:",omitempty"`
	StartedTimestamp                  int64
}

// listMoves returns the last tasks of a queue, the newest first.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html
func (s *Queues) listMoves(_ context.Context, _ *http.Request, in listMovesInput) (any, error) {
	q, err := s.arn(in.SourceArn, "SourceArn")
	if err != nil {
		return nil, err
	}
	limit := 1
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > maxMoves {
			return nil, errorf("InvalidParameterValue", "Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and 10.", limit)
		}
	}
	defer s.lock()()
	if s.sourceOf(q) == nil {
		return nil, errorf("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
	}
	results := []moveEntry{}
	for _, m := range slices.Backward(s.moves) {
		if m.source != q || len(results) == limit {
			continue
		}
		e := moveEntry{"", "COMPLETED", q.ARN(), m.moved, m.total, m.rate, m.started.UnixMilli()}
		if !m.done {
			e.Status, e.TaskHandle = "RUNNING", m.handle
			s.advance(m)
		}
		results = append(results, e)
	}
	return map[string]any{"Results": results}, nil
}

// arn finds a queue by the ARN of a parameter.
func (s *Queues) arn(arn, parameter string) (*Queue, error) {
	if !strings.HasPrefix(arn, arnPrefix) {
		return nil, errorf("InvalidParameterValue", "You must use this format to specify the %s: arn:<partition>:<service>:<region>:<account-id>:<resource-id>", parameter)
	}
	q, err := s.Queue(arn)
	if err != nil {
		return nil, &Error{Code: "ResourceNotFoundException", Message: "The resource that you specified for the " + parameter + " parameter doesn't exist.", status: http.StatusNotFound}
	}
	return q, nil
}

// sourceOf returns the queue whose dead letters a queue has, nil if there is none. The caller has the lock.
func (s *Queues) sourceOf(dead *Queue) *Queue {
	for _, q := range s.queues {
		if q.deadLetters == dead {
			return q
		}
	}
	return nil
}

// now is the time of messages and tasks.
func (s *Queues) now() time.Time {
	if s.Time != nil {
		return s.Time()
	}
	return time.Now()
}
