package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/testing/fake/awstest"
)

// Message is one of a queue.
type Message = awstest.Message

// QueueSettings are those of one queue.
type QueueSettings struct {
	Visibility time.Duration // 0: 30 s
	GroupDedup bool          // of a FIFO queue: deduplication ids count within their group
	Dead       string        // the queue of dead letters; empty: there is none
	MaxReceive int           // after which a message is a dead letter
}

const (
	retention     = 14 * 24 * time.Hour // of each of the template's queues
	dedupInterval = 5 * time.Minute
	// moveEvery is how long a task that moves dead letters back takes for each.
	moveEvery = 100 * time.Millisecond
)

// sqsQueue is one queue. Its time is that of the clocks on the wall: SQS itself never
// freezes.
type sqsQueue struct {
	changed chan struct{} // closed when a message is added
	QueueSettings
	name     string
	dead     *sqsQueue
	messages []*queued // in order of arrival
	groups   map[string][]*queued
	oldest   time.Time // none was sent before that
	dedup    map[string]accepted
	order    []string // keys of dedup, the oldest first
	sequence int
	moves    []*moveTask
}

type queued struct {
	Message
	hidden time.Time // until when
}

// accepted is a message whose deduplication id is known.
type accepted struct {
	id, sequence string
	until        time.Time
}

// moveTask is a task that moves dead letters back.
type moveTask struct {
	handle       string
	started      time.Time
	moved, total int
	done         bool
}

func (q *sqsQueue) fifo() bool { return strings.HasSuffix(q.name, ".fifo") }

// expire drops what is too old.
func (q *sqsQueue) expire(w *World, now time.Time) {
	for len(q.order) > 0 && !now.Before(q.dedup[q.order[0]].until) {
		delete(q.dedup, q.order[0])
		q.order = q.order[1:]
	}
	if now.Sub(q.oldest) < retention {
		return
	}
	q.oldest = now
	for _, m := range slices.Clone(q.messages) {
		if now.Sub(m.Sent) >= retention {
			w.Happened("message expired")
			q.remove(m)
		} else if m.Sent.Before(q.oldest) {
			q.oldest = m.Sent
		}
	}
}

// add adds a message, unless it is a duplicate. Then it returns the first one.
func (q *sqsQueue) add(m Message, id string, now time.Time) Message {
	key := m.Dedup
	if q.GroupDedup {
		key = m.Group + " " + m.Dedup
	}
	if a, duplicate := q.dedup[key]; q.fifo() && duplicate {
		m.ID, m.Sequence = a.id, a.sequence
		return m
	}
	m.ID, m.Sent = id, now
	m = q.append(m)
	if q.fifo() {
		q.dedup[key] = accepted{m.ID, m.Sequence, now.Add(dedupInterval)}
		q.order = append(q.order, key)
	}
	return m
}

// append adds a message that is visible at once.
func (q *sqsQueue) append(m Message) Message {
	close(q.changed)
	q.changed = make(chan struct{})
	if q.fifo() {
		q.sequence++
		m.Sequence = fmt.Sprintf("%020d", q.sequence)
	}
	if m.Sent.Before(q.oldest) {
		q.oldest = m.Sent
	}
	one := &queued{Message: m}
	q.messages = append(q.messages, one)
	q.groups[m.Group] = append(q.groups[m.Group], one)
	return m
}

// busy reports whether a message of a FIFO queue's group is in flight.
func (q *sqsQueue) busy(group string, now time.Time) bool {
	return q.fifo() && slices.ContainsFunc(q.groups[group], func(m *queued) bool { return now.Before(m.hidden) })
}

// receive returns up to most messages and hides them. One that was received too often is
// a dead letter instead, and the next of its group is received in its place.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
func (q *sqsQueue) receive(w *World, most int, hidden time.Duration, f Fault) (got []Message) {
	now := w.Now()
	if f == Few {
		most = 1
	}
	all := q.messages
	if f == Unordered {
		all = slices.Clone(all)
		slices.Reverse(all)
	}
	busy := map[string]bool{} // before this call
	var dead []*queued
	for _, m := range all {
		if len(got) == most {
			break
		}
		if now.Before(m.hidden) && f != Again {
			continue
		}
		if _, known := busy[m.Group]; !known {
			busy[m.Group] = q.busy(m.Group, now)
		}
		if busy[m.Group] {
			continue
		}
		if q.dead != nil && m.Received >= q.MaxReceive {
			dead = append(dead, m)
			continue
		}
		if m.Received++; m.Received > 1 {
			w.Happened("redelivered")
		} else {
			m.FirstReceived = now
		}
		m.Receipt = fmt.Sprintf("%s/%s/%d", q.name, m.ID, m.Received)
		m.hidden = now.Add(hidden)
		got = append(got, m.Message)
	}
	for _, m := range dead {
		w.Happened("dead letter")
		q.remove(m)
		q.dead.bury(m.Message, now)
	}
	return got
}

// bury adds a dead letter. In a FIFO queue its time begins again, and its deduplication
// id is its message's.
func (q *sqsQueue) bury(m Message, now time.Time) {
	if q.fifo() {
		m.Sent, m.Dedup = now, m.ID
	}
	q.append(m)
}

func (q *sqsQueue) remove(m *queued) {
	if i := slices.Index(q.messages, m); i >= 0 {
		q.messages = slices.Delete(q.messages, i, i+1)
	}
	q.groups[m.Group] = slices.DeleteFunc(q.groups[m.Group], func(one *queued) bool { return one == m })
	if len(q.groups[m.Group]) == 0 {
		delete(q.groups, m.Group)
	}
}

// held returns the message of a receipt, nil if it was deleted. The receipt of an earlier
// delivery no longer counts, nor, on a FIFO queue, one that has expired.
func (q *sqsQueue) held(receipt string, now time.Time) (*queued, error) {
	parts := strings.Split(receipt, "/")
	if len(parts) != 3 || parts[0] != q.name {
		return nil, errorOf("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	i := slices.IndexFunc(q.messages, func(m *queued) bool { return m.ID == parts[1] })
	switch {
	case i < 0:
		return nil, nil //nolint:nilnil // it was deleted
	case q.messages[i].Receipt == receipt && (!q.fifo() || now.Before(q.messages[i].hidden)):
		return q.messages[i], nil
	case q.fifo():
		return nil, errorOf("InvalidParameterValue", "The receipt handle has expired.")
	}
	return nil, nil //nolint:nilnil // SQS accepts it, and does nothing
}

// delete deletes the message of a receipt.
func (q *sqsQueue) delete(receipt string, now time.Time) error {
	m, err := q.held(receipt, now)
	if m != nil {
		q.remove(m)
	}
	return err
}

// hide changes for how long the message of a receipt remains hidden.
func (q *sqsQueue) hide(receipt string, now time.Time, d time.Duration) error {
	m, err := q.held(receipt, now)
	if err == nil && (m == nil || !now.Before(m.hidden)) {
		err = errorOf("MessageNotInflight", "The specified message isn't in flight.")
	}
	if err != nil {
		return err
	}
	m.hidden = now.Add(d)
	return nil
}

// counts returns how many messages are visible and in flight.
func (q *sqsQueue) counts(now time.Time) (visible, inFlight int) {
	for _, m := range q.messages {
		if now.Before(m.hidden) {
			inFlight++
		}
	}
	return len(q.messages) - inFlight, inFlight
}

// next returns when a message can be received, which may be in the past.
func (q *sqsQueue) next(now time.Time) (at time.Time, ok bool) {
	for _, m := range q.messages {
		if !now.Before(m.hidden) && q.busy(m.Group, now) {
			continue // it waits for those in flight
		}
		if !ok || m.hidden.Before(at) {
			at, ok = m.hidden, true
		}
	}
	return at, ok
}
