package procoretest

import (
	"net/http"
	"slices"
	"time"
)

// Attempt is one attempt to deliver an event, which the caller of [Server.Next] makes in
// the server's place.
type Attempt struct {
	Request            *http.Request // to the hook's destination
	HookID, DeliveryID int64         // of one event; a repetition has the same
	CompanyID          int64
	EventID            string // as in the payload

	server   *Server
	hook     *hook
	job      job
	delivery *Delivery
}

// Next returns the attempt that is due to a hook, with Options.Deliver. If none is, it
// returns how long it is until the next one, 0 if nothing waits. The caller ends each
// attempt by [Attempt.Answered] or [Attempt.Failed] before it asks for the next one.
func (s *Server) Next(hookID int64) (*Attempt, time.Duration) {
	h := s.hookOf(hookID)
	if h == nil || h.ctx.Err() != nil {
		return nil, 0
	}
	j := s.nextJob(h)
	switch {
	case j.event != nil:
	case s.waiting(h):
		return nil, j.wait
	default:
		return nil, 0
	}
	a := &Attempt{HookID: h.id, DeliveryID: j.event.id, CompanyID: h.companyID, EventID: j.event.eventID,
		server: s, hook: h, job: j, delivery: s.attemptOf(h, j.event, s.Now())}
	r, err := j.request(h.ctx)
	if err == nil {
		r, err = crookedRequest(s.crooked(), r)
	}
	if err != nil { // a destination that was accepted is a URL
		panic("procoretest: " + err.Error())
	}
	a.Request = r
	return a, 0
}

func (s *Server) hookOf(id int64) *hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.hooks, func(h *hook) bool { return h.id == id })
	if i < 0 {
		return nil
	}
	return s.hooks[i]
}

func (s *Server) waiting(h *hook) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(h.queue) > 0
}

// Answered ends the attempt with the destination's answer, whose body it closes.
func (a *Attempt) Answered(r *http.Response) {
	a.delivery.read(r, a.job.headers)
	a.server.finish(a.hook, a.job, a.delivery)
}

// Failed ends the attempt without an answer.
func (a *Attempt) Failed(err error) {
	a.delivery.ResponseError = bounded(err.Error())
	a.server.finish(a.hook, a.job, a.delivery)
}
