package procoretest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

type hookRecord struct {
	ID, CompanyID, ProjectID, Creator int64
	Namespace, Version, Destination   string
	Headers                           map[string]string
	CreatedAt, UpdatedAt              time.Time
	Disabled                          bool
	Failures                          int
	FailingSince, NextAttempt         time.Time
	Backoff                           time.Duration // in nanoseconds
}

func hookKey(h *hook) string { return numbered("hook", h.id) }

// keepHook keeps a hook without its triggers, queue and deliveries, which are kept one by one.
func (s *Server) keepHook(h *hook) {
	s.mu.mark(hookKey(h), func() any {
		return hookRecord{ID: h.id, CompanyID: h.companyID, ProjectID: h.projectID, Creator: h.creator,
			Namespace: h.namespace, Version: h.version, Destination: h.destination, Headers: h.headers,
			CreatedAt: h.createdAt, UpdatedAt: h.updatedAt, Disabled: h.disabled, Failures: h.failures,
			FailingSince: h.failingSince, NextAttempt: h.nextAttempt, Backoff: h.backoff}
	})
}

// forgetHook deletes a hook from the storage, with all that belongs to it.
func (s *Server) forgetHook(h *hook) {
	s.mu.forget(hookKey(h))
	for _, t := range h.triggers {
		s.mu.forget(triggerKey(t.id))
	}
	for _, q := range h.queue {
		s.mu.forget(eventKey(q))
	}
	for _, d := range h.deliveries {
		s.mu.forget(eventKey(d.event))
		s.mu.forget(deliveryKey(d))
	}
}

func (l *loading) loadHooks(all []hookRecord) error {
	for _, k := range all {
		h := &hook{id: k.ID, companyID: k.CompanyID, projectID: k.ProjectID, creator: k.Creator,
			namespace: k.Namespace, version: k.Version, destination: k.Destination, headers: k.Headers,
			createdAt: k.CreatedAt, updatedAt: k.UpdatedAt, disabled: k.Disabled, failures: k.Failures,
			failingSince: k.FailingSince, nextAttempt: k.NextAttempt, backoff: k.Backoff, wake: make(chan struct{}, 1)}
		l.hooks = append(l.hooks, h)
		l.hook[h.id] = h
		if l.companies[k.CompanyID] == nil {
			return fmt.Errorf("company %d is missing", k.CompanyID)
		}
	}
	return nil
}

type triggerRecord struct {
	ID, HookID                       int64
	ResourceName, EventType, Version string
}

func triggerKey(id int64) string { return numbered("trigger", id) }

func (s *Server) keepTrigger(h *hook, t trigger) {
	s.mu.mark(triggerKey(t.id), func() any { return triggerRecord{t.id, h.id, t.resourceName, t.eventType, t.version} })
}

func (l *loading) loadTriggers(all []triggerRecord) error {
	for _, k := range all {
		h := l.hook[k.HookID]
		if h == nil {
			return fmt.Errorf("hook %d is missing", k.HookID)
		}
		h.triggers = append(h.triggers, trigger{k.ID, k.ResourceName, k.EventType, k.Version})
	}
	return nil
}

type eventRecord struct {
	ID, HookID, Place               int64
	EventID                         string
	Body                            json.RawMessage
	At                              time.Time
	ResourceName, EventType, Change string
}

func eventKey(q *queued) string { return numbered("event", q.id) }

func (s *Server) keepEvent(h *hook, q *queued) {
	s.mu.mark(eventKey(q), func() any {
		return eventRecord{q.id, h.id, q.place, q.eventID, q.body, q.at, q.resourceName, q.eventType, q.change}
	})
}

func (l *loading) loadEvents(all []eventRecord) error {
	for _, k := range all {
		h := l.hook[k.HookID]
		if h == nil {
			return fmt.Errorf("hook %d is missing", k.HookID)
		}
		q := &queued{id: k.ID, place: k.Place, eventID: k.EventID, body: k.Body, at: k.At,
			resourceName: k.ResourceName, eventType: k.EventType, change: k.Change}
		l.event[q.id] = q
		if q.place > 0 {
			h.queue = append(h.queue, q)
		}
	}
	for _, h := range l.hooks {
		slices.SortFunc(h.queue, func(a, b *queued) int { return cmp.Compare(a.place, b.place) })
	}
	return nil
}

// deliveryRecord is a delivery without the payload, which is in its event.
type deliveryRecord struct {
	Delivery
	Of int64 // the event
}

func deliveryKey(d *Delivery) string { return numbered("delivery", d.ID) }

func (s *Server) keepDelivery(d *Delivery) {
	s.mu.mark(deliveryKey(d), func() any {
		k := deliveryRecord{*d, d.event.id}
		k.Event = nil
		return k
	})
}

func (l *loading) loadDeliveries(all []*deliveryRecord) error {
	for _, k := range all {
		d, h := &k.Delivery, l.hook[k.HookID]
		d.event = l.event[k.Of]
		if h == nil || d.event == nil {
			return fmt.Errorf("hook %d or event %d is missing", k.HookID, k.Of)
		}
		d.Event = d.event.body
		h.deliveries = append(h.deliveries, d)
		if d.Outcome != OutcomeDiscarded {
			h.attempts++
		}
		if d.event.place > 0 {
			d.event.last = d
		}
	}
	return nil
}

// report counts the events that were due to a company's hooks.
type report struct {
	CompanyID int64
	Count     uint64
}

func (s *Server) keepReport(company int64) {
	s.mu.mark(numbered("report", company), func() any { return report{company, s.reports[company]} })
}

func (l *loading) loadReports(all []report) error {
	for _, k := range all {
		l.reports[k.CompanyID] = k.Count
	}
	return nil
}

type lostRecord struct {
	Number int64
	Lost
}

func lostKey(n int64) string { return numbered("lost", n) }

// keepLost keeps the latest lost event.
func (s *Server) keepLost() {
	n := s.dropped + int64(len(s.lost))
	k := lostRecord{n, s.lost[len(s.lost)-1]}
	s.mu.mark(lostKey(n), func() any { return k })
}

func (l *loading) loadLost(all []lostRecord) error {
	for _, k := range all {
		l.lost = append(l.lost, k.Lost)
		l.dropped = k.Number - int64(len(l.lost))
	}
	return nil
}
