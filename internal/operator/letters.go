package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"procore-connect/internal/operator/dead"
	"procore-connect/pkg/procore"
)

// MaxLetters is how many messages of a dead-letter queue are shown.
const MaxLetters = 200

// Letters is what the dead-letter queues have, but that of rescued pairs.
type Letters struct {
	Events      []DeadEvent `json:"events"`
	EventsTotal int         `json:"events_total"` // about so many; some may wait behind others of their resource
	Move        *dead.Move  `json:"move,omitempty"`
	Positions   []Position  `json:"positions"`
	More        bool        `json:"more_positions,omitempty"`
}

// Any reports whether there is a dead letter.
func (l Letters) Any() bool { return l.EventsTotal > 0 || len(l.Positions) > 0 }

// DeadEvent is an event that the consumer failed on as often as the queue delivers it.
type DeadEvent struct {
	MessageID  string    `json:"message_id"`
	EventID    string    `json:"event_id,omitempty"` // empty: the message is no event
	CompanyID  int64     `json:"company_id,omitempty"`
	Resource   string    `json:"resource,omitempty"`
	ResourceID string    `json:"resource_id,omitempty"`
	Type       string    `json:"type,omitempty"`
	Since      time.Time `json:"since"`    // when it became a dead letter
	Receipts   int       `json:"receipts"` // in both queues, those that only show it included
}

// Position is a place in a stream whose changes were dropped after 22 hours. They are not in the message.
type Position struct {
	MessageID string    `json:"message_id"`
	Of        string    `json:"of"`   // dispatcher or announcer
	From      time.Time `json:"from"` // when the first change was made
	To        time.Time `json:"to"`   // when the last one was
	Changes   int       `json:"changes"`
	Since     time.Time `json:"since"` // when it was dropped
}

// Whose positions are dead letters.
const (
	Dispatcher = "dispatcher" // the changes are events that no consumer received
	Announcer  = "announcer"  // the changes are grants and connections, of which no message was sent
)

// Letters reads the dead-letter queues, and leaves them as they are.
func (o *Operator) Letters(ctx context.Context) (l Letters, err error) {
	events := o.DeadEvents()
	letters, total, err := events.Peek(ctx, MaxLetters)
	if err != nil {
		return l, err
	}
	l.EventsTotal = total
	for _, one := range letters {
		l.Events = append(l.Events, deadEvent(one))
	}
	if l.Move, err = events.Last(ctx); err != nil {
		return l, err
	}
	for _, of := range []string{Dispatcher, Announcer} {
		letters, total, err := o.positions(of).Peek(ctx, MaxLetters)
		if err != nil {
			return l, err
		}
		l.More = l.More || total > len(letters)
		for _, one := range letters {
			l.Positions = append(l.Positions, position(of, one))
		}
	}
	return l, nil
}

// DeadEvents is the queue of events that the consumer failed on.
func (o *Operator) DeadEvents() dead.Queue {
	return o.dead("EventsDeadLetterQueueUrl")
}

func (o *Operator) positions(of string) dead.Queue {
	return o.dead(map[string]string{Dispatcher: "DispatcherDeadLetterQueueUrl", Announcer: "AnnouncerDeadLetterQueueUrl"}[of])
}

func (o *Operator) dead(output string) dead.Queue {
	return dead.Queue{Client: o.EventsQueue.Client, URL: o.Outputs[output], Clock: o.clock}
}

func deadEvent(l dead.Letter) DeadEvent {
	d := DeadEvent{MessageID: l.ID, Since: l.Since, Receipts: l.Receipts}
	if e, err := procore.ParseEvent([]byte(l.Body)); err == nil {
		d.EventID, d.CompanyID, d.Resource, d.ResourceID, d.Type = e.ID, e.CompanyID, e.Resource, string(e.ResourceID), e.Type
	}
	return d
}

// position reads Lambda's message. One that cannot be read has no times.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-errors.html
func position(of string, l dead.Letter) Position {
	var m struct {
		Batch struct {
			First time.Time `json:"approximateArrivalOfFirstRecord"`
			Last  time.Time `json:"approximateArrivalOfLastRecord"`
			Size  int       `json:"batchSize"`
		} `json:"DDBStreamBatchInfo"`
	}
	p := Position{MessageID: l.ID, Of: of, Since: l.Since}
	if err := json.Unmarshal([]byte(l.Body), &m); err == nil {
		p.From, p.To, p.Changes = m.Batch.First.UTC(), m.Batch.Last.UTC(), m.Batch.Size
	}
	return p
}

// First returns what is typed because of a position before it is purged.
func (p Position) First() []string {
	if p.Of != Dispatcher || p.From.IsZero() {
		return []string{"list", "--needs-person"}
	}
	from, to := p.Replay()
	return []string{"replay", "--all-companies", "--from", from, "--to", to}
}

// Replay returns from when until when to replay what a position of the dispatcher has lost, as replay takes it.
func (p Position) Replay() (from, to string) {
	const minute = "2006-01-02T15:04"
	return p.From.UTC().Add(-time.Minute).Format(minute), p.To.UTC().Add(2 * time.Minute).Format(minute)
}

// ErrNoPosition means that no dead letter with this id is a position.
var ErrNoPosition = errors.New("is not the id of a position; procore-connect dead list shows them")

// Position returns a position by the id of its message.
func (o *Operator) Position(ctx context.Context, id string) (Position, error) {
	l, err := o.Letters(ctx)
	if err != nil {
		return Position{}, err
	}
	i := slices.IndexFunc(l.Positions, func(p Position) bool { return p.MessageID == id })
	if i < 0 {
		return Position{}, fmt.Errorf("%.100q %w", id, ErrNoPosition)
	}
	return l.Positions[i], nil
}

// Purge deletes a position.
func (o *Operator) Purge(ctx context.Context, p Position) error {
	return o.positions(p.Of).Delete(ctx, p.MessageID)
}
