package procore

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	// ID is the delivery's, a number or a string; see [Delivery.Cursor].
	ID json.RawMessage `json:"id"`
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

// Cursor is the delivery's id for [DeliveryPage.After], empty without one.
func (d Delivery) Cursor() string {
	id := strings.Trim(string(d.ID), `"`)
	if id == "null" || len(id) > maxName {
		return ""
	}
	return id
}

// Deliveries lists the deliveries of a hook, as long as pages are linked. Whoever
// must not miss one asks for a [CompanyClient.DeliveryPage] after the other.
func (c *CompanyClient) Deliveries(ctx context.Context, hookID int64, status DeliveryStatus) iter.Seq2[Delivery, error] {
	return List[Delivery](ctx, c, deliveriesPath(hookID), c.deliveries(status))
}

// DeliveriesPerPage is how many deliveries [CompanyClient.DeliveryPage] asks for.
const DeliveriesPerPage = 100

// A DeliveryPage is one page of the deliveries list. Procore's guide pages all
// lists by number. The reference of this one has a cursor instead, the last id of
// the page before; a server that knows only that answers every number alike.
//
// https://developers.procore.com/reference/rest/deliveries?version=latest
type DeliveryPage struct {
	// Number counts from 1.
	Number int
	// After is the cursor. Set, it takes the number's place.
	After string
}

// DeliveryPage reads one page of the deliveries of a hook. last is whether
// Procore said that none follows; where it says nothing, a page that brings
// nothing new is the end.
func (c *CompanyClient) DeliveryPage(ctx context.Context, hookID int64, status DeliveryStatus, p DeliveryPage) (all []Delivery, last bool, err error) {
	query, size := c.deliveries(status), strconv.Itoa(DeliveriesPerPage)
	if p.After != "" {
		query.Set("page_start", p.After)
		query.Set("page_size", size)
	} else {
		query.Set("page", strconv.Itoa(max(p.Number, 1)))
		query.Set("per_page", size)
	}
	h, err := c.api.do(ctx, call{method: http.MethodGet, path: deliveriesPath(hookID), query: query}, &all)
	return all, h.Get("Link") != "" && linkNext(h) == "", err
}

// deliveries is the query that chooses by status. The guide writes
// filter[status], the reference filters[status].
func (c *CompanyClient) deliveries(status DeliveryStatus) url.Values {
	query := c.inCompany()
	query.Set("filter[status]", string(status))
	query.Set("filters[status]", string(status))
	return query
}

func deliveriesPath(hookID int64) string { return hookPath(hookID) + "/deliveries" }
