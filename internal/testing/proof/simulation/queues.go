package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/testing/fake/awstest"
)

// Faults of queues.
const (
	RefusesFirst Fault = "refusesFirst" // the first entry of a batch is not accepted
	RefusesLast  Fault = "refusesLast"  // the last one is not
	RefusesOdd   Fault = "refusesOdd"   // every other one is not

	Few       Fault = "few"       // one message is received, although there are others
	Again     Fault = "again"     // a standard queue delivers what is in flight
	Unordered Fault = "unordered" // a standard queue delivers the newest first
	Undeleted Fault = "undeleted" // a standard queue forgets that a message was deleted
)

// The queues of template.yaml.
const (
	EventsQueue       = "events.fifo"
	EventsDeadQueue   = "events-dead.fifo"
	RescueQueue       = "rescue"
	RescueDeadQueue   = "rescue-dead"
	DispatchDeadQueue = "dispatch-dead"
	AnnounceDeadQueue = "announce-dead"
)

// Queues are the queues of template.yaml, as SQS keeps them. A call that finds no message
// is answered at once, however long it would wait: the schedule lets time pass at gates.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
type Queues struct {
	// OnSend is called with each message that a queue accepts, also if it drops it then as
	// a duplicate. nil: it is not called.
	OnSend func(queue string, m Message)
	// OnDelete is called likewise with each message that is deleted.
	OnDelete func(queue string, m Message)

	world *World
	all   []*sqsQueue
	ids   int
	away  atomic.Bool
}

func newQueues(w *World) *Queues {
	q := &Queues{world: w}
	q.create(EventsDeadQueue, QueueSettings{})
	q.create(EventsQueue, QueueSettings{
		Visibility: 6 * time.Minute, GroupDedup: true, Dead: EventsDeadQueue, MaxReceive: 50,
	})
	q.create(RescueDeadQueue, QueueSettings{})
	q.create(RescueQueue, QueueSettings{Visibility: 270 * time.Second, Dead: RescueDeadQueue, MaxReceive: 288})
	q.create(DispatchDeadQueue, QueueSettings{})
	q.create(AnnounceDeadQueue, QueueSettings{})
	return q
}

func (q *Queues) create(name string, s QueueSettings) {
	s.Visibility = cmp.Or(s.Visibility, 30*time.Second)
	one := &sqsQueue{QueueSettings: s, name: name, dedup: map[string]accepted{}, groups: map[string][]*queued{}, changed: make(chan struct{})}
	if s.Dead != "" {
		one.dead = q.named(s.Dead)
	}
	q.all = append(q.all, one)
}

// URL returns the address of a queue.
func (q *Queues) URL(name string) string { return awstest.QueueURL("http://aws", name) }

// Outage makes SQS refuse everything, or ends that.
func (q *Queues) Outage(begins bool) { q.away.Store(begins) }

// named returns a queue by its name, URL or ARN.
func (q *Queues) named(name string) *sqsQueue {
	name = name[strings.LastIndexAny(name, "/:")+1:]
	i := slices.IndexFunc(q.all, func(one *sqsQueue) bool { return one.name == name })
	if i < 0 {
		panic("there is no queue " + name)
	}
	return q.all[i]
}

// queue returns a queue as it is now: what time has done to it is done.
func (q *Queues) queue(name string) *sqsQueue {
	one, now := q.named(name), q.world.Now()
	one.expire(q.world, now)
	if n := len(one.moves); n > 0 && !one.moves[n-1].done {
		q.advance(one, one.moves[n-1], now)
	}
	return one
}

func (q *Queues) id() string {
	q.ids++
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", q.ids)
}

// Send sends a message, as Lambda does to the destination of what failed.
func (q *Queues) Send(name string, m Message) {
	if _, err := q.send(name, m); err != nil {
		panic(err)
	}
}

func (q *Queues) send(name string, m Message) (Message, error) {
	to := q.queue(name)
	if err := awstest.Check(m, to.fifo()); err != nil {
		return m, refusalOf(err)
	}
	if q.OnSend != nil {
		q.OnSend(to.name, m)
	}
	return to.add(m, q.id(), q.world.Now()), nil
}

// Receive receives up to most messages, as an event source mapping does. It passes no
// gate.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func (q *Queues) Receive(name string, most int) (e events.SQSEvent) {
	from := q.queue(name)
	for _, m := range from.receive(q.world, most, from.Visibility, Fine) {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, Attributes: m.SystemAttributes(),
			MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSourceARN:    awstest.QueueARN(from.name), EventSource: "aws:sqs", AWSRegion: "us-east-1",
		})
	}
	return e
}

// Delete deletes a message that was received. It reports an error if the receipt counts
// no longer.
func (q *Queues) Delete(receipt string) error {
	name, _, _ := strings.Cut(receipt, "/")
	return q.remove(name, receipt)
}

func (q *Queues) remove(name, receipt string) error {
	from, now := q.queue(name), q.world.Now()
	m, _ := from.held(receipt, now)
	err := from.delete(receipt, now)
	if err == nil && m != nil && q.OnDelete != nil {
		q.OnDelete(from.name, m.Message)
	}
	return err
}

// Visible makes a message that was received visible again, after some time. It reports an
// error if the receipt counts no longer.
func (q *Queues) Visible(receipt string, after time.Duration) error {
	name, _, _ := strings.Cut(receipt, "/")
	return q.queue(name).hide(receipt, q.world.Now(), after)
}

// Next returns when a message of the queue can be received, which may be in the past, and
// false if there is none.
func (q *Queues) Next(name string) (time.Time, bool) { return q.queue(name).next(q.world.Now()) }

// Changed returns a channel that is closed when a message is added to the queue.
func (q *Queues) Changed(name string) <-chan struct{} { return q.named(name).changed }

// Messages returns what a queue has, in order of arrival.
func (q *Queues) Messages(name string) (all []Message) {
	for _, m := range q.queue(name).messages {
		all = append(all, m.Message)
	}
	return all
}

// advance moves as many dead letters back to the queue that they came from as the time
// allows. Each one is a new message there. Those in flight remain.
func (q *Queues) advance(from *sqsQueue, m *moveTask, now time.Time) {
	to := q.source(from)
	for due := int(now.Sub(m.started) / moveEvery); m.moved < due; m.moved++ {
		i := slices.IndexFunc(from.messages, func(s *queued) bool { return !now.Before(s.hidden) })
		if i < 0 {
			m.done = true
			return
		}
		one := from.messages[i]
		from.remove(one)
		to.append(Message{ID: q.id(), Body: one.Body, Group: one.Group, Dedup: one.Dedup, Sent: now})
	}
}

// source returns the queue whose dead letters a queue has, nil if there is none.
func (q *Queues) source(dead *sqsQueue) *sqsQueue {
	for _, one := range q.all {
		if one.dead == dead {
			return one
		}
	}
	return nil
}
