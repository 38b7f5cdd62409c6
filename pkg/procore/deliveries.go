package procore

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// A DeliveryStatus chooses deliveries.
type DeliveryStatus string

// The statuses of the deliveries list. Discarded are those that Procore gave up
// after twelve hours: events that only this list still tells of.
const (
	AnyDelivery          DeliveryStatus = "any"
	SuccessfulDeliveries DeliveryStatus = "successful"
	FailingDeliveries    DeliveryStatus = "failing"
	DiscardedDeliveries  DeliveryStatus = "discarded"
)

// A Delivery is one attempt to send an event to a hook.
//
// https://procore.github.io/documentation/webhooks-api, "Webhooks Deliveries"
type Delivery struct {
	// Outcome is ok, discarded, retried or failed.
	Outcome string `json:"outcome"`
	// ResponseStatus is our answer, 0 without one.
	ResponseStatus int    `json:"response_status"`
	ResponseError  string `json:"response_error"`
	ResponseBody   string `json:"response_body"`
	// StartedAt and CompletedAt are when it was tried.
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
	// Event is the event for [DecodeEvent], with the same id as in the payload but
	// often without ulid and metadata.
	Event json.RawMessage `json:"event"`
}

// Deliveries lists the deliveries of a hook.
func (c *CompanyClient) Deliveries(ctx context.Context, hookID int64, status DeliveryStatus) iter.Seq2[Delivery, error] {
	query := c.inCompany()
	// The guide writes filter[status], the reference filters[status].
	query.Set("filter[status]", string(status))
	query.Set("filters[status]", string(status))
	return List[Delivery](ctx, c, hookPath(hookID)+"/deliveries", query)
}
