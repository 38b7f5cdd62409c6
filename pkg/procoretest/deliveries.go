package procoretest

import (
	"net/http"
	"slices"
	"strconv"
)

// listDeliveries answers the API's list. filter[status] is any, successful,
// discarded or failing. Procore's guide has both spellings of the parameter.
func (c *call) listDeliveries() {
	h, _, ok := c.hook()
	if !ok {
		return
	}
	q := c.r.URL.Query()
	wanted, known := map[string][]string{
		"":           {OutcomeOK, OutcomeFailed, OutcomeRetried, OutcomeDiscarded},
		"any":        {OutcomeOK, OutcomeFailed, OutcomeRetried, OutcomeDiscarded},
		"successful": {OutcomeOK}, "discarded": {OutcomeDiscarded}, "failing": {OutcomeFailed, OutcomeRetried},
	}[or(q.Get("filter[status]"), q.Get("filters[status]"))]
	if !known {
		c.fail(http.StatusBadRequest, "filter[status] is not any, successful, discarded or failing.")
		return
	}
	var all []*Delivery
	for _, d := range h.deliveries {
		if slices.Contains(wanted, d.Outcome) {
			all = append(all, d)
		}
	}
	if c.opts.DeliveryPaging == ByCursor {
		c.deliveriesAfter(all)
		return
	}
	if c.opts.DeliveryPaging == NewestFirst {
		slices.Reverse(all)
	}
	if cut, ok := page(c, v1(), all); ok {
		writeJSON(c.w, http.StatusOK, deliveryList(cut))
	}
}

// deliveriesAfter pages as in the reference: by page_size and page_start, the last id
// of the previous page, and without a Link header.
//
// https://developers.procore.com/reference/rest/deliveries?version=latest
func (c *call) deliveriesAfter(all []*Delivery) {
	q := c.r.URL.Query()
	size, err := strconv.Atoi(or(q.Get("page_size"), "100"))
	after, err2 := strconv.ParseInt(or(q.Get("page_start"), "0"), 10, 64)
	if err != nil || err2 != nil || size < 1 {
		c.fail(http.StatusBadRequest, "page_size and page_start must be numbers.")
		return
	}
	all = slices.DeleteFunc(all, func(d *Delivery) bool { return d.ID <= after })
	writeJSON(c.w, http.StatusOK, deliveryList(all[:min(len(all), size)]))
}

func deliveryList(all []*Delivery) []any {
	list := []any{}
	for _, d := range all {
		list = append(list, deliveryJSON(d))
	}
	return list
}

// deliveryJSON is a delivery as the API returns it. The event's id is as in the
// payload, and the response fields are null if there was no response.
func deliveryJSON(d *Delivery) map[string]any {
	return map[string]any{
		"id": d.ID, "event_id": d.Event["id"], "event": d.Event, "outcome": d.Outcome,
		"started_at": d.StartedAt, "completed_at": d.CompletedAt,
		"response_status": nullable(d.ResponseStatus), "response_headers": d.ResponseHeaders,
		"response_error": nullable(d.ResponseError), "response_body": nullable(d.ResponseBody),
	}
}
