package procoretest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// listed is a delivery as the API lists it: an event with the attempts to deliver it.
type listed struct {
	event    *queued
	status   string
	attempts []any
}

// listDeliveries answers the API's list, each event with its attempts.
//
// https://developers.procore.com/reference/rest/deliveries?version=latest
func (c *call) listDeliveries() {
	h, ok := c.hook()
	if !ok {
		return
	}
	q := c.r.URL.Query()
	wanted := q.Get("filter[status]")
	if !slices.Contains([]string{"", "succeeded", "failed", "discarded", "enqueued", "retrying"}, wanted) {
		c.fail(http.StatusBadRequest, "filter[status] is not succeeded, failed, discarded, enqueued or retrying.")
		return
	}
	from, err1 := day(q.Get("filter[start]"))
	to, err2 := day(q.Get("filter[end]"))
	if err1 != nil || err2 != nil {
		c.fail(http.StatusBadRequest, "filter[start] and filter[end] must be dates such as 2026-01-31.")
		return
	}
	all := []map[string]any{}
	for _, l := range h.listed() {
		e := l.event
		switch {
		case wanted != "" && wanted != strings.Replace(l.status, "delivered", "succeeded", 1):
		case q.Get("filter[resource_name]") != "" && q.Get("filter[resource_name]") != e.resourceName:
		case q.Get("filter[event_type]") != "" && q.Get("filter[event_type]") != e.eventType:
		case e.at.Before(from), !to.IsZero() && !e.at.Before(to.AddDate(0, 0, 1)):
		default:
			all = append(all, map[string]any{"id": idText(e.id), "status": l.status, "payload": json.RawMessage(e.body), "delivery_attempts": l.attempts})
		}
	}
	if c.opts.DeliveryOrder == NewestFirst {
		slices.Reverse(all)
	}
	if cut, ok := page(c, v2(), all); ok {
		c.data(http.StatusOK, cut)
	}
}

// day reads a date, zero if there is none.
func day(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.DateOnly, s)
}

// listed returns the hook's deliveries in the order of their first attempts, and then
// those that wait for one.
func (h *hook) listed() []*listed {
	var all []*listed
	byEvent := map[*queued]*listed{}
	of := func(q *queued) *listed {
		if byEvent[q] == nil {
			byEvent[q] = &listed{event: q, status: "enqueued", attempts: []any{}}
			all = append(all, byEvent[q])
		}
		return byEvent[q]
	}
	for _, d := range h.deliveries {
		l := of(d.event)
		switch d.Outcome {
		case OutcomeDiscarded:
			l.status = "discarded"
			continue
		case OutcomeOK:
			l.status = "delivered"
		default:
			l.status = "retrying"
		}
		l.attempts = append(l.attempts, map[string]any{
			"id": idText(d.ID), "success": d.Outcome == OutcomeOK, "started_at": d.StartedAt, "completed_at": d.CompletedAt,
			"response_status": nullable(d.ResponseStatus), "response_headers": d.ResponseHeaders, "response_body": nullable(d.ResponseBody),
		})
	}
	for _, q := range h.queue {
		of(q)
	}
	return all
}
