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

// A DeliveryStatus filters the deliveries list.
type DeliveryStatus string

// The statuses that the deliveries list accepts. Procore discards a delivery after
// twelve hours of failures; from then on only this list has its event.
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
	// ID is a number or a string; see [Delivery.Cursor].
	ID json.RawMessage `json:"id"`
	// Outcome is ok, discarded, retried or failed.
	Outcome string `json:"outcome"`
	// ResponseStatus is the status that the receiver answered, 0 without an answer.
	ResponseStatus int    `json:"response_status"`
	ResponseError  string `json:"response_error"`
	ResponseBody   string `json:"response_body"`
	// StartedAt and CompletedAt bound the attempt.
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
	// Event is input for [DecodeEvent]. It has the payload's id, but often neither
	// ulid nor metadata.
	Event json.RawMessage `json:"event"`
}

// Cursor returns the delivery's id for [DeliveryPage.After], or "" if it has none.
func (d Delivery) Cursor() string {
	id := strings.Trim(string(d.ID), `"`)
	if id == "null" || len(id) > maxName {
		return ""
	}
	return id
}

// Deliveries lists the deliveries of a hook, as far as Procore links the pages. A
// caller that must not miss one reads each page with [CompanyClient.DeliveryPage].
func (c *CompanyClient) Deliveries(ctx context.Context, hookID int64, status DeliveryStatus) iter.Seq2[Delivery, error] {
	return List[Delivery](ctx, c, deliveriesPath(hookID), c.deliveriesQuery(status))
}

// DeliveriesPerPage is the page size that [CompanyClient.DeliveryPage] asks for.
const DeliveriesPerPage = 100

// A DeliveryPage names one page of the deliveries list. Procore's guide numbers
// the pages of every list. The reference of this list has a cursor instead, the
// last id of the page before. A server that knows only the cursor returns the same
// page for every number.
//
// https://developers.procore.com/reference/rest/deliveries?version=latest
type DeliveryPage struct {
	// Number counts from 1.
	Number int
	// After is the cursor. If it is set, Number is ignored.
	After string
}

// DeliveryPage reads one page of the deliveries of a hook. last reports whether
// Procore announced that no page follows. Where Procore announces nothing, the list
// ends with a page that has nothing new.
func (c *CompanyClient) DeliveryPage(ctx context.Context, hookID int64, status DeliveryStatus, p DeliveryPage) (all []Delivery, last bool, err error) {
	query, size := c.deliveriesQuery(status), strconv.Itoa(DeliveriesPerPage)
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

// deliveriesQuery returns the query that filters by status. The guide writes
// filter[status], the reference filters[status].
func (c *CompanyClient) deliveriesQuery(status DeliveryStatus) url.Values {
	query := c.companyQuery()
	query.Set("filter[status]", string(status))
	query.Set("filters[status]", string(status))
	return query
}

func deliveriesPath(hookID int64) string { return hookPath(hookID) + "/deliveries" }
