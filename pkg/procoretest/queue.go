package procoretest

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// queued is an event that waits for delivery.
type queued struct {
	id      int64 // of the delivery
	eventID string
	body    []byte
	last    *Delivery // the latest attempt, while it waits
	place   int64     // in the queue, where places grow; 0 if it no longer waits
	at      time.Time

	resourceName, eventType string
	change                  string // for people
}

// enqueue queues the event for the hooks and returns its ids.
func (s *Server) enqueue(hooks []*hook, e Event) []string {
	ids := []string{}
	m := s.newMoment(e.At)
	for i, h := range hooks {
		if i > 0 && !s.opts.OneEventID {
			m = s.newMoment(e.At)
		}
		q := queued{eventID: strconv.FormatInt(m.id, 10), body: payload(h.version, e, m), at: m.at, resourceName: e.ResourceName, eventType: e.EventType,
			change: fmt.Sprintf("%s %s, %s", e.ResourceName, e.ResourceID, e.EventType)}
		if h.version != "v2" { // old hooks send no ulid
			q.eventID = m.ulid
		}
		ids = append(ids, q.eventID)
		if s.loses(h.companyID) {
			s.lose(h, q, e)
			continue
		}
		for range max(e.Copies, 1) {
			next := q
			next.id = s.newID()
			s.insert(h, s.place(h), &next)
		}
		s.wakeWorker(h)
	}
	return ids
}

// place returns where the next event goes in the hook's queue: at its end, or with
// Options.Shuffle somewhere before it, but never before the first event, which may be
// in delivery.
func (s *Server) place(h *hook) int {
	end := len(h.queue)
	if n := min(s.opts.Shuffle, end); n > 0 {
		return end - int(s.opts.Random.Jitter(time.Duration(n)))
	}
	return end
}

// insert inserts an event into the hook's queue. Those after it move by one.
func (s *Server) insert(h *hook, i int, q *queued) {
	h.queue = slices.Insert(h.queue, i, q)
	for ; i < len(h.queue); i++ {
		h.queue[i].place = 1
		if i > 0 {
			h.queue[i].place = h.queue[i-1].place + 1
		}
		s.keepEvent(h, h.queue[i])
	}
}

// leave ends the waiting of an event that is no longer in the queue.
func (s *Server) leave(h *hook, q *queued) {
	q.last, q.place = nil, 0
	s.keepEvent(h, q)
}

// moment is the identity of an event.
type moment struct {
	id   int64
	ulid string
	at   time.Time
}

func (s *Server) newMoment(at time.Time) moment {
	return moment{id: s.newID(), ulid: newULID(at, s.opts.Random), at: at}
}
