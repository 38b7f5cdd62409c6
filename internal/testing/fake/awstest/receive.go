package awstest

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Receive returns up to limit messages and hides them for the queue's visibility
// timeout. It waits up to wait for the first message.
func (q *Queue) Receive(ctx context.Context, limit int, wait time.Duration) ([]Message, error) {
	got, err := q.receive(ctx, limit, wait, nil)
	if err := cmp.Or(err, q.queues.sync()); err != nil {
		return nil, err
	}
	return got, nil
}

func (q *Queue) receive(ctx context.Context, limit int, wait time.Duration, visibility *time.Duration) ([]Message, error) {
	deadline := time.Now().Add(wait)
	for {
		got, next, changed := q.takeVisible(limit, visibility)
		now := time.Now()
		if len(got) > 0 || !now.Before(deadline) {
			return got, nil
		}
		until := deadline
		if next.After(now) && next.Before(deadline) {
			until = next
		}
		timer := time.NewTimer(until.Sub(now))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}

// takeVisible returns up to limit messages that are visible now. Without one it
// returns when the next becomes visible.
func (q *Queue) takeVisible(limit int, visibility *time.Duration) (got []Message, next time.Time, changed <-chan struct{}) {
	defer q.queues.lock()()
	now := time.Now()
	until := now.Add(q.visibility)
	if visibility != nil {
		until = now.Add(*visibility)
	}
	blocked := make(map[string]bool) // groups of a FIFO queue
	for _, s := range q.messages {
		if now.Before(s.visibleAt) {
			blocked[s.Group] = q.fifo()
			if next.IsZero() || s.visibleAt.Before(next) {
				next = s.visibleAt
			}
		}
	}
	var dead []*stored
	for _, s := range q.messages {
		if len(got) == limit {
			break
		}
		if now.Before(s.visibleAt) || blocked[s.Group] {
			continue
		}
		if q.maxReceive > 0 && s.Received >= q.maxReceive {
			dead = append(dead, s)
			continue
		}
		s.Received++
		if s.FirstReceived.IsZero() {
			s.FirstReceived = q.queues.now()
		}
		s.Receipt = newID() + "/" + s.ID
		s.visibleAt, s.inFlight = until, true
		q.saveMessage(s)
		got = append(got, s.Message)
	}
	for _, s := range dead {
		q.remove(s)
		q.deadLetters.bury(s)
	}
	return got, next, q.changed
}

// bury adds a dead letter. In a FIFO queue its time begins again, and its deduplication id is its message's.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
func (q *Queue) bury(s *stored) {
	s.inFlight = false
	if q.fifo() {
		s.Sent, s.Dedup = q.queues.now(), s.ID
		q.number(s)
	}
	q.add(s)
}

func (q *Queue) remove(s *stored) {
	if i := slices.Index(q.messages, s); i >= 0 {
		q.messages = slices.Delete(q.messages, i, i+1)
		q.bytes -= len(s.Body)
		q.forgetMessage(s)
		q.wake() // the group's next message may be visible now
	}
}

// Delete removes the message that was received with receipt. It is not an error if
// that was deleted before.
func (q *Queue) Delete(receipt string) error {
	return cmp.Or(q.delete(receipt), q.queues.sync())
}

func (q *Queue) delete(receipt string) error {
	defer q.queues.lock()()
	s, err := q.held(receipt)
	if err != nil || s == nil {
		return err
	}
	q.remove(s)
	return nil
}

// ChangeVisibility hides the message for d from now; zero makes it visible at once.
func (q *Queue) ChangeVisibility(receipt string, d time.Duration) error {
	return cmp.Or(q.changeVisibility(receipt, d), q.queues.sync())
}

func (q *Queue) changeVisibility(receipt string, d time.Duration) error {
	if d < 0 || d > maxVisibility {
		return errorf("InvalidParameterValue", "Value %v for parameter VisibilityTimeout is invalid.", d)
	}
	defer q.queues.lock()()
	s, err := q.held(receipt)
	if err != nil {
		return err
	}
	if s == nil || !time.Now().Before(s.visibleAt) {
		return errorf("MessageNotInflight", "The specified message isn't in flight.")
	}
	s.visibleAt = time.Now().Add(d)
	q.saveMessage(s)
	q.wake()
	return nil
}

// held returns the message of a receipt, or nil if it was deleted. The receipt of an
// earlier delivery no longer counts, nor, on a FIFO queue, one that has expired.
func (q *Queue) held(receipt string) (*stored, error) {
	_, id, ok := strings.Cut(receipt, "/")
	if !ok {
		return nil, errorf("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	for _, s := range q.messages {
		if s.ID != id {
			continue
		}
		stale := s.Receipt != receipt
		if q.fifo() && (stale || !time.Now().Before(s.visibleAt)) {
			return nil, errorf("InvalidParameterValue", "Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
		}
		if stale {
			return nil, nil
		}
		return s, nil
	}
	return nil, nil
}

// Purge deletes all messages.
func (q *Queue) Purge() {
	defer q.queues.lock()()
	for _, s := range q.messages {
		q.forgetMessage(s)
	}
	q.messages, q.bytes = nil, 0
	q.wake()
}

// Counts returns how many messages wait to be received, are in flight and are delayed.
func (q *Queue) Counts() (waiting, inFlight, delayed int) {
	defer q.queues.lock()()
	now := time.Now()
	for _, s := range q.messages {
		switch {
		case !now.Before(s.visibleAt):
			waiting++
		case s.inFlight:
			inFlight++
		default:
			delayed++
		}
	}
	return waiting, inFlight, delayed
}

// SystemAttributes returns the attributes that a receipt can ask for.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func (m *Message) SystemAttributes() map[string]string {
	a := map[string]string{
		"ApproximateReceiveCount":          strconv.Itoa(m.Received),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.FirstReceived.UnixMilli(), 10),
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"SenderId":                         "AIDALOCAL",
	}
	for name, value := range map[string]string{"MessageGroupId": m.Group, "MessageDeduplicationId": m.Dedup, "SequenceNumber": m.Sequence} {
		if value != "" {
			a[name] = value
		}
	}
	return a
}
