package procoretest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// How Procore treats a destination that does not answer 2xx.
//
// https://developers.procore.com/documentation/webhooks
const (
	firstBackoff = time.Second
	lastBackoff  = time.Hour
	flushAfter   = 12 * time.Hour
)

const (
	maxAttempts  = 2_000    // remembered per hook
	maxDiscarded = maxQueue // remembered per hook: a whole queue when it is flushed
	maxAnswer    = 4096     // of a destination's answer
)

// Outcomes of a [Delivery].
const (
	OutcomeOK        = "ok"        // answered 2xx
	OutcomeFailed    = "failed"    // not answered 2xx, and waiting for a retry
	OutcomeRetried   = "retried"   // failed, and retried later
	OutcomeDiscarded = "discarded" // never answered 2xx before the queue was flushed
)

// Delivery is one attempt to deliver an event, or a record that the event was
// discarded. The response fields are empty if there was no response.
type Delivery struct {
	ID              int64             `json:"id"`
	HookID          int64             `json:"hook_id"`
	CompanyID       int64             `json:"company_id"`
	EventID         string            `json:"event_id"` // as in its payload
	StartedAt       string            `json:"started_at"`
	CompletedAt     string            `json:"completed_at"`
	ResponseStatus  int               `json:"response_status"`
	ResponseHeaders map[string]string `json:"response_headers"`
	ResponseError   string            `json:"response_error"` // why no response could be read
	ResponseBody    string            `json:"response_body"`
	Outcome         string            `json:"outcome"` // OutcomeOK and so on
	Event           json.RawMessage   `json:"event"`   // the payload

	event *queued
}

// Change returns the changed resource and the type of the event, for the page.
func (d Delivery) Change() string { return d.event.change }

// attemptOf returns a delivery of an event that begins now.
func (s *Server) attemptOf(h *hook, q *queued, now time.Time) *Delivery {
	return &Delivery{HookID: h.id, CompanyID: h.companyID, EventID: q.eventID, Event: q.body, event: q,
		StartedAt: timestamp(now), ResponseHeaders: map[string]string{}}
}

// newDeliveryClient returns a client that follows no redirects and uses no proxy.
func newDeliveryClient(o Options) *http.Client {
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{DialContext: o.Dial, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}
	}
	return &http.Client{
		Timeout:       o.DeliveryTimeout,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// wakeWorker makes the worker check the queue, or who delivers in its place. The caller
// holds mu.
func (s *Server) wakeWorker(h *hook) {
	if s.opts.Deliver != nil {
		s.opts.Deliver(h.id)
		return
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// startWorker starts a goroutine that delivers the hook's events until the hook is
// deleted or the server is closed, unless [Options] has another who does.
func (s *Server) startWorker(h *hook) {
	ctx, cancel := context.WithCancel(s.ctx)
	h.ctx, h.cancel = ctx, cancel
	if s.opts.Deliver != nil {
		return
	}
	s.workers.Go(func() {
		defer cancel()
		for ctx.Err() == nil {
			j := s.nextJob(h)
			if s.mu.sync() != nil {
				return // what it would deliver may never have happened
			}
			if j.event != nil {
				s.attempt(h, j)
				continue
			}
			timer := time.NewTimer(j.wait)
			select {
			case <-ctx.Done():
			case <-h.wake:
			case <-j.advanced:
			case <-timer.C:
			}
			timer.Stop()
		}
	})
}

// job is what a worker does next: it delivers the event, or waits if event is nil.
type job struct {
	event       *queued
	destination string
	headers     map[string]string
	wait        time.Duration
	advanced    <-chan struct{}
}

// nextJob returns the head of the queue if it is due. Nothing overtakes it.
func (s *Server) nextJob(h *hook) job {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !h.failingSince.IsZero() && now.Sub(h.failingSince) >= flushAfter {
		s.flush(h)
	}
	j := job{wait: time.Hour, advanced: s.advanced}
	if len(h.queue) == 0 {
		return j
	}
	if wait := h.nextAttempt.Sub(now); wait > 0 {
		j.wait = max(wait, 10*time.Millisecond) // a stopped clock must not make the worker spin
		return j
	}
	j.event, j.destination, j.headers = h.queue[0], h.destination, h.headers
	return j
}

// attempt delivers one event and records the outcome.
func (s *Server) attempt(h *hook, j job) {
	d := s.attemptOf(h, j.event, s.Now())
	if r, err := j.request(h.ctx); err != nil {
		d.ResponseError = err.Error()
	} else if resp, err := s.delivery.Do(r); err != nil {
		d.ResponseError = bounded(err.Error())
	} else {
		d.read(resp, j.headers)
	}
	s.finish(h, j, d)
}

// finish records the outcome of an attempt.
func (s *Server) finish(h *hook, j job, d *Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.ctx.Err() != nil || j.event.place == 0 {
		return // the hook was deleted, the event discarded, or the server closed
	}
	defer s.keepHook(h)
	now := s.now()
	d.ID, d.CompletedAt = s.newID(), timestamp(now)
	if j.event.last != nil {
		j.event.last.Outcome = OutcomeRetried
		s.keepDelivery(j.event.last)
	}
	j.event.last = d
	s.remember(h, d)
	if d.ResponseError == "" && d.ResponseStatus >= 200 && d.ResponseStatus <= 299 {
		d.Outcome = OutcomeOK
		h.queue = h.queue[1:]
		s.leave(h, j.event)
		h.failures = 0
		h.resume()
		return
	}
	d.Outcome = OutcomeFailed
	if h.failures++; s.opts.DisableAfter > 0 && h.failures >= s.opts.DisableAfter {
		s.flush(h)
		h.disabled = true
		return
	}
	if h.failingSince.IsZero() {
		h.failingSince = now
	}
	h.backoff = min(max(2*h.backoff, firstBackoff), lastBackoff)
	h.nextAttempt = now.Add(h.backoff)
}

// request returns the request that delivers the event.
func (j job) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, j.destination, bytes.NewReader(j.event.body))
	if err != nil {
		return nil, err
	}
	for k, v := range j.headers {
		req.Header.Set(k, v)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Procore-Webhooks (fake)")
	return req, nil
}

// read records a response, and closes it.
func (d *Delivery) read(resp *http.Response, headers map[string]string) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		d.ResponseError = bounded(err.Error())
	}
	d.ResponseStatus, d.ResponseBody = resp.StatusCode, strings.ToValidUTF8(withoutHeaders(string(body), headers), "?")
	for _, k := range slices.Sorted(maps.Keys(resp.Header)) {
		if len(d.ResponseHeaders) < 50 && k != "Set-Cookie" {
			d.ResponseHeaders[k] = bounded(resp.Header.Get(k))
		}
	}
}

// withoutHeaders removes from an answer what a destination echoes of the hook's headers.
func withoutHeaders(body string, headers map[string]string) string {
	for _, k := range slices.Sorted(maps.Keys(headers)) {
		v := headers[k]
		for _, secret := range []string{v, v[strings.LastIndex(v, " ")+1:]} {
			if len(secret) >= 8 {
				body = strings.ReplaceAll(body, secret, "[removed]")
			}
		}
	}
	return body
}

// flush discards the waiting events and ends the pause. The caller holds mu.
func (s *Server) flush(h *hook) {
	for _, q := range h.queue {
		if q.last != nil {
			q.last.Outcome = OutcomeRetried
			s.keepDelivery(q.last)
		}
		s.leave(h, q)
		d := s.attemptOf(h, q, s.now())
		d.ID, d.CompletedAt, d.Outcome = s.newID(), d.StartedAt, OutcomeDiscarded
		s.remember(h, d)
	}
	h.queue = nil
	h.resume()
	s.keepHook(h)
}

// resume ends a pause.
func (h *hook) resume() {
	h.failingSince, h.nextAttempt, h.backoff = time.Time{}, time.Time{}, 0
}

// remember adds a delivery to the hook's. The caller holds mu, and may still change it.
func (s *Server) remember(h *hook, d *Delivery) {
	discarded := d.Outcome == OutcomeDiscarded
	of, most := h.attempts, maxAttempts
	if discarded {
		of, most = len(h.deliveries)-h.attempts, maxDiscarded
	}
	if of >= most {
		s.forget(h, discarded, most/10)
	}
	if !discarded {
		h.attempts++
	}
	h.deliveries = append(h.deliveries, d)
	s.keepDelivery(d)
}

// forget drops the oldest n records of discarded events, or of attempts, and their events
// if no other record has them.
func (s *Server) forget(h *hook, discarded bool, n int) {
	dropped := map[*queued]bool{}
	h.deliveries = slices.DeleteFunc(h.deliveries, func(d *Delivery) bool {
		drop := n > 0 && discarded == (d.Outcome == OutcomeDiscarded)
		if drop {
			n--
		}
		if drop && !discarded {
			h.attempts--
		}
		if drop {
			s.mu.forget(deliveryKey(d))
			dropped[d.event] = true
		}
		return drop
	})
	for _, d := range h.deliveries {
		delete(dropped, d.event)
	}
	for q := range dropped {
		if q.place == 0 {
			s.mu.forget(eventKey(q))
		}
	}
}
