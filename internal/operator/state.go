package operator

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/consumer"
)

// EventState is how far an event came.
type EventState string

// The states of events.
const (
	EventReceived      EventState = "received"      // stored, and not dispatched yet
	EventDispatched    EventState = "dispatched"    // in the queue, or just being handled
	EventHandled       EventState = "handled"       // finished by a consumer, which names an outcome
	EventFailing       EventState = "failing"       // not handled; the queue delivers it again
	EventDead          EventState = "dead"          // not handled as often as the queue delivers it: in the dead-letter queue
	EventQuarantined   EventState = "quarantined"   // not understood; no consumer sees it
	EventUndeliverable EventState = "undeliverable" // no queue accepts it
	EventUnknown       EventState = "unknown"       // no line about it is found
)

// EventStates are all of them.
func EventStates() []EventState {
	return []EventState{
		EventReceived, EventDispatched, EventHandled, EventFailing, EventDead, EventQuarantined, EventUndeliverable, EventUnknown,
	}
}

// EventOutcomes are the words by which events are chosen: the states, and what a consumer reports.
func EventOutcomes() []string {
	var all []string
	for _, s := range EventStates() {
		all = append(all, string(s))
	}
	for _, o := range []consumer.Outcome{
		consumer.Own, consumer.Stale, consumer.NotFound, consumer.Forbidden, consumer.NotConnected, consumer.UnknownResource,
	} {
		all = append(all, string(o))
	}
	return all
}

// underWay is how long an event may be without its next line before its state is unknown. A consumer that is far behind
// takes longer; then it is unknown whether the event is in the queue.
const underWay = 24 * time.Hour

// Event is a delivery, and what became of it.
type Event struct {
	ID         string     `json:"event_id"` // if quarantined, the digest of the delivery
	CompanyID  int64      `json:"company_id"`
	Resource   string     `json:"resource"`
	ResourceID string     `json:"resource_id"`
	Type       string     `json:"type"`
	ProjectID  int64      `json:"project_id,omitzero"`
	UserID     int64      `json:"user_id,omitzero"`
	HappenedAt time.Time  `json:"happened_at,omitzero"` // by Procore's clock
	ReceivedAt time.Time  `json:"received_at"`
	Reconciled bool       `json:"reconciled,omitempty"` // not delivered, but found by reconciliation
	State      EventState `json:"state"`
	Since      time.Time  `json:"since,omitzero"`
	Outcome    string     `json:"outcome,omitempty"` // of a handled one, as the consumer names it
	Reason     string     `json:"reason,omitempty"`  // of what is not handled
	How        string     `json:"how"`               // it is known

	stored inbox.Arrival
}

// Key returns the key of an event in the inbox, without its company.
func (e Event) Key() (resource, id string) {
	_, resource, _ = strings.Cut(e.stored.Resource, "#")
	return resource, e.stored.ID
}

// newEvent returns an event whose state the lines have to tell, unless the inbox knows it.
func newEvent(companyID int64, a inbox.Arrival, item *inbox.Item) Event {
	e := Event{ID: a.ID, CompanyID: companyID, ReceivedAt: a.At, Reconciled: a.Reconciled, State: EventUnknown, stored: a}
	if item == nil {
		e.How = "it has just expired from the inbox"
		return e
	}
	in := item.Event
	e.Resource, e.ResourceID, e.Type = in.Resource, string(in.ResourceID), in.Type
	e.ProjectID, e.UserID, e.HappenedAt = in.ProjectID, in.UserID, in.Timestamp
	e.ID = cmp.Or(in.ID, e.ID) // its key is a hash if the id is long
	switch {
	case a.Quarantined:
		e.State, e.Since, e.Reason, e.How = EventQuarantined, a.At, item.Reason, "the inbox has it in quarantine"
	case item.Undeliverable != "":
		e.State, e.Reason, e.How = EventUndeliverable, item.Undeliverable, "the inbox has the dispatcher's mark"
	}
	return e
}

// judged reports whether the inbox alone knows the state.
func (e Event) judged() bool { return e.How != "" }

// judge sets the state by the lines. maxAttempts is zero if it is not known.
//
// That an event is in the dead-letter queue is inferred from its last attempt. To read the queue means to receive its
// messages, which hides them for a time from everyone else, a person who moves them back included.
func (e *Event) judge(p Progress, logged bool, maxAttempts int, now time.Time) {
	switch {
	case !p.Handled.IsZero() && !p.Handled.Before(p.Failed):
		e.State, e.Since, e.Outcome, e.How = EventHandled, p.Handled, p.Outcome, "a line of "+p.By
	case !p.Failed.IsZero() && maxAttempts > 0 && p.Attempt >= maxAttempts:
		e.State, e.Since, e.Reason = EventDead, p.Failed, p.Error
		e.How = fmt.Sprintf("attempt %d was the last one that the queue makes", p.Attempt)
	case !p.Failed.IsZero() && now.Sub(p.Failed) < underWay:
		e.State, e.Since, e.Reason, e.How = EventFailing, p.Failed, p.Error, fmt.Sprintf("a line of %s about attempt %d", p.By, p.Attempt)
	case !p.Failed.IsZero(): // a consumer that is killed in its last attempt writes no line
		e.Since, e.Reason, e.How = p.Failed, p.Error, fmt.Sprintf("the last line about it is of attempt %d, more than %d hours ago", p.Attempt, underWay/time.Hour)
	case !logged:
		e.Since, e.How = p.Dispatched, "no log group of a consumer is searched; name it with --log-group"
	case !p.Dispatched.IsZero() && now.Sub(p.Dispatched) < underWay:
		e.State, e.Since, e.How = EventDispatched, p.Dispatched, "a line of the dispatcher, and none of a consumer since"
	case p.Dispatched.IsZero() && now.Sub(e.ReceivedAt) < underWay:
		e.State, e.Since, e.How = EventReceived, e.ReceivedAt, "the inbox has it, and there is no line of the dispatcher yet"
	default:
		e.Since, e.How = p.Dispatched, fmt.Sprintf("no line about it is found, for more than %d hours or beyond the retention of the logs", underWay/time.Hour)
	}
}
