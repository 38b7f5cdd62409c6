package procore

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// A DeliveryStatus is the status of a delivery.
type DeliveryStatus string

// The statuses by which the list of deliveries can be filtered. Procore discards a
// delivery after twelve hours of failures; from then on only this list has its event.
const (
	DeliverySucceeded DeliveryStatus = "succeeded" // listed as delivered
	DeliveryFailed    DeliveryStatus = "failed"
	DeliveryDiscarded DeliveryStatus = "discarded"
	DeliveryEnqueued  DeliveryStatus = "enqueued"
	DeliveryRetrying  DeliveryStatus = "retrying"
)

// A Delivery is an event that Procore sends, or has sent, to a hook.
//
// https://developers.procore.com/reference/rest/deliveries?version=latest
type Delivery struct {
	ID     ID             `json:"id"`
	Status DeliveryStatus `json:"status"`
	// Payload is input for [DecodeEvent].
	Payload json.RawMessage `json:"payload"`
	// Attempts are the answers of the receiver so far.
	Attempts []DeliveryAttempt `json:"delivery_attempts"`
}

// A DeliveryAttempt is one request of Procore to a hook's URL.
type DeliveryAttempt struct {
	ID      ID   `json:"id"`
	Success bool `json:"success"`
	// ResponseStatus is the status that the receiver answered, 0 without an answer.
	ResponseStatus int       `json:"response_status"`
	ResponseBody   string    `json:"response_body"`
	StartedAt      time.Time `json:"started_at"`
	CompletedAt    time.Time `json:"completed_at"`
}

// A DeliveryFilter selects deliveries. Empty fields select all.
type DeliveryFilter struct {
	Status    DeliveryStatus
	Resource  string
	EventType EventType
	// From and To are days; Procore reads no finer time.
	From, To time.Time
}

func (f DeliveryFilter) query() url.Values {
	query := url.Values{}
	for name, value := range map[string]string{
		"status": string(f.Status), "resource_name": f.Resource, "event_type": string(f.EventType), "start": day(f.From), "end": day(f.To),
	} {
		if value != "" {
			query.Set("filter["+name+"]", value)
		}
	}
	return query
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// Deliveries lists the deliveries of a hook.
func (c *CompanyClient) Deliveries(ctx context.Context, hookID ID, f DeliveryFilter) iter.Seq2[Delivery, error] {
	return List[Delivery](ctx, c, c.deliveriesPath(hookID), f.query())
}

// DeliveriesPerPage is the page size that [CompanyClient.DeliveryPage] asks for.
const DeliveriesPerPage = 100

// DeliveryPage reads one page of the deliveries of a hook, for a caller that continues
// later; number counts from 1. last reports whether Procore announced that no page
// follows. Where Procore announces nothing, the list ends with a page that has nothing
// new. An item that has neither an id nor a payload is no delivery, and is dropped.
func (c *CompanyClient) DeliveryPage(ctx context.Context, hookID ID, f DeliveryFilter, number int) (all []Delivery, last bool, err error) {
	query := f.query()
	query.Set("page", strconv.Itoa(max(number, 1)))
	query.Set("per_page", strconv.Itoa(DeliveriesPerPage))
	h, err := c.api.do(ctx, call{method: http.MethodGet, path: c.deliveriesPath(hookID), query: query}, &all)
	all = slices.DeleteFunc(all, func(d Delivery) bool { return d.ID == "" && len(d.Payload) == 0 })
	return all, h.Get("Link") != "" && linkTo(h, "next") == "", err
}

func (c *CompanyClient) deliveriesPath(hookID ID) string { return c.hookPath(hookID) + "/deliveries" }
