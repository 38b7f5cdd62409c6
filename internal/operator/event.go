package operator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"procore-connect/internal/operator/logs"
	"procore-connect/internal/platform/logging"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

// inboxLife is how long the inbox has an event.
const inboxLife = 14 * 24 * time.Hour

// Delivery is one event with what Procore sent.
type Delivery struct {
	Event
	Envelope procore.Event `json:"envelope,omitzero"` // without its data
	Body     []byte        `json:"-"`                 // personal data
}

// ErrNoEvent means that no such event is found.
var ErrNoEvent = errors.New("there is no such event, or it arrived more than 14 days ago")

// Event returns the event with this id and what became of it. Without a company (0) the dispatcher's line has to name the
// company and the key, because the inbox has no index of ids; the error matches [ErrNoEvent] if there is no line. An error
// beside an event is about its state.
func (o *Operator) Event(ctx context.Context, id string, companyID int64) (*Delivery, error) {
	found, err := o.find(ctx, id, companyID)
	if err != nil {
		return nil, err
	}
	return o.delivery(ctx, found.Resource, found.ID)
}

// EventOf returns the event that the inbox has by a key, as [Event.Key] returns it. Otherwise it is as Event.
func (o *Operator) EventOf(ctx context.Context, companyID int64, resource, id string) (*Delivery, error) {
	return o.delivery(ctx, strconv.FormatInt(companyID, 10)+"#"+resource, id)
}

func (o *Operator) delivery(ctx context.Context, resource, id string) (*Delivery, error) {
	item, err := o.Inbox.Item(ctx, resource, id)
	if err != nil {
		return nil, err
	}
	if item == nil {
		return nil, fmt.Errorf("event %q: %w", id, ErrNoEvent)
	}
	events := []Event{newEvent(item.CompanyID, inbox.ArrivalOf(item.CompanyID, resource, id, item.ReceivedAt), item)}
	err = o.judgeEvents(ctx, events)
	d := &Delivery{Event: events[0], Envelope: item.Event, Body: item.Body}
	d.Envelope.Data = nil
	return d, err
}

// find returns the key of an event.
func (o *Operator) find(ctx context.Context, id string, companyID int64) (arrival, error) {
	from := o.clock.Now().Add(-inboxLife)
	if companyID != 0 {
		for a, err := range o.Inbox.Latest(ctx, companyID, from) {
			if err != nil || a.ID == id {
				return arrival{a, companyID}, err
			}
		}
		return arrival{}, fmt.Errorf("event %q of company %d: %w", id, companyID, ErrNoEvent)
	}
	lines, err := o.Logs.Lines(ctx, logs.Query{Filter: logs.All(logs.Text("msg", dispatchedLine), logs.Text("event_id", logging.Short(id))), From: from})
	if err != nil {
		return arrival{}, err
	}
	found := map[EventKey]arrival{}
	for _, l := range lines {
		company, _ := strconv.ParseInt(l.Fields.Number("company_id"), 10, 64)
		found[EventKey{company, id}] = arrival{inbox.Arrival{Resource: l.Fields.Text("resource_key"), ID: id}, company}
	}
	for _, a := range found {
		if len(found) == 1 {
			return a, nil
		}
	}
	if len(found) > 1 {
		return arrival{}, fmt.Errorf("%d companies have an event %q: name one with --company", len(found), id)
	}
	return arrival{}, fmt.Errorf("event %q: %w. No line of the dispatcher names it; if you know the company, add --company", id, ErrNoEvent)
}
