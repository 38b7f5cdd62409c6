package procoretest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kinds of [Fault].
const (
	Drop   = "drop"   // the request takes effect, and the connection closes without an answer
	Reset  = "reset"  // the connection is reset, and the request takes no effect
	Status = "status" // the answer is Fault.Status, and the only effect is that a refresh token is spent
	Delay  = "delay"  // the request takes effect at once, and the answer follows after the delay
	Hangup = "hangup" // a new connection is closed before any of a request is read
	// Partial makes a bulk call of triggers refuse its last one, with status 207. Any other
	// request is served as always.
	Partial = "partial"
)

// Fault makes the next requests to an endpoint fail, for [Server.Fault]. It is the
// body of POST /_fake/faults.
type Fault struct {
	// Endpoint is "token", "revoke", "authorize", "api", or a path that begins with a
	// slash and stands for the paths below it too. Kind Hangup has none, because it
	// knows no request; neither Method nor CompanyID can limit it.
	Endpoint string `json:"endpoint,omitempty"`
	// Method limits the fault to one method. Empty means all methods.
	Method string `json:"method,omitempty"`
	// CompanyID limits the fault to API calls whose company header has this id. Zero
	// means all requests.
	CompanyID int64 `json:"company_id,omitempty"`
	// Kind is Drop, Reset, Status, Delay, Hangup or Partial.
	Kind string `json:"kind"`
	// Times is how many requests fail, or connections of Kind Hangup. Zero means one,
	// or any number with Seconds.
	Times int `json:"times"`
	// Seconds is how long the fault lasts by the fake's clock. Zero means until it has
	// been met Times times.
	Seconds int64 `json:"seconds,omitempty"`
	// Status, Headers and Body are the answer of Kind Status. An empty Body means
	// a JSON object with a message.
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// DelayMS is the delay of Kind Delay, in milliseconds.
	DelayMS int64 `json:"delay_ms,omitempty"`

	until time.Time // zero without Seconds
}

const (
	maxFaults = 1_000
	maxTimes  = 1_000_000
	maxDelay  = 10 * time.Minute
)

// Fault adds a fault. Of several that match a request, the first added applies.
// Kind Hangup needs a server that calls [Server.ConnState], as that of [Start] does.
func (s *Server) Fault(f Fault) (err error) {
	defer s.mu.synced(&err)
	if f.Seconds != 0 {
		f.Times = or(f.Times, maxTimes)
	}
	f.Times = or(f.Times, 1)
	prefix, known := map[string]string{"token": "/oauth/token", "revoke": "/oauth/revoke",
		"authorize": "/oauth/authorize", "api": "/rest/"}[f.Endpoint]
	if known {
		f.Endpoint = prefix
	}
	switch {
	case f.Kind == Hangup:
		if f.Endpoint != "" || f.Method != "" || f.CompanyID != 0 {
			return fmt.Errorf("fault kind %q has no endpoint, method or company_id", f.Kind)
		}
	case !strings.HasPrefix(f.Endpoint, "/") || strings.HasPrefix(f.Endpoint, "/_fake"):
		return fmt.Errorf("fault endpoint %q is not token, revoke, authorize, api or a path", f.Endpoint)
	case !slices.Contains([]string{Drop, Reset, Status, Delay, Partial}, f.Kind):
		return fmt.Errorf("fault kind %q is not drop, reset, status, delay, hangup or partial", f.Kind)
	case f.Kind == Status && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("fault status %d is not 200 to 599", f.Status)
	case f.DelayMS < 0 || f.DelayMS > maxDelay.Milliseconds():
		return fmt.Errorf("fault delay_ms %d is not 0 to %d", f.DelayMS, maxDelay.Milliseconds())
	}
	switch {
	case f.Times < 0 || f.Times > maxTimes:
		return fmt.Errorf("fault times %d is not 1 to %d", f.Times, maxTimes)
	case f.Seconds < 0 || f.Seconds > maxSeconds:
		return fmt.Errorf("fault seconds %d is not 0 to %d", f.Seconds, maxSeconds)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Seconds > 0 {
		f.until = s.now().Add(time.Duration(f.Seconds) * time.Second)
	}
	if len(s.faults) >= maxFaults {
		return fmt.Errorf("there are %d faults already", maxFaults)
	}
	s.faults = append(s.faults, &f)
	s.keepFaults()
	return nil
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	defer s.mu.sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.keepFaults()
}

// takeFault returns the first fault that matches, and counts it as used once. The
// control interface has no faults.
func (s *Server) takeFault(r *http.Request) *Fault {
	if strings.HasPrefix(r.URL.Path, "/_fake") {
		return nil
	}
	return s.take(func(f *Fault) bool { return f.Kind != Hangup && f.matches(r) })
}

// take returns a copy of the first fault that matches, and counts it as used once.
func (s *Server) take(matches func(*Fault) bool) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	all := len(s.faults)
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return !f.until.IsZero() && !now.Before(f.until) })
	i := slices.IndexFunc(s.faults, matches)
	if i >= 0 || len(s.faults) < all {
		s.keepFaults()
	}
	if i < 0 {
		return nil
	}
	taken := *s.faults[i]
	if s.faults[i].Times--; s.faults[i].Times == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return &taken
}

func (f *Fault) matches(r *http.Request) bool {
	rest, below := strings.CutPrefix(r.URL.Path, f.Endpoint)
	below = below && (rest == "" || rest[0] == '/' || strings.HasSuffix(f.Endpoint, "/"))
	return below && (f.Method == "" || f.Method == r.Method) &&
		(f.CompanyID == 0 || r.Header.Get(companyHeader) == strconv.FormatInt(f.CompanyID, 10))
}

// ConnState is the hook of an [http.Server] that serves the fake, under the same name.
// It closes the new connections that meet a fault of Kind [Hangup].
func (s *Server) ConnState(conn net.Conn, state http.ConnState) {
	if state == http.StateNew && s.take(func(f *Fault) bool { return f.Kind == Hangup }) != nil {
		s.mu.sync()
		conn.Close()
	}
}

// serveFault serves a request that met a fault.
func (s *Server) serveFault(w http.ResponseWriter, a *answer, r *http.Request, f *Fault) {
	switch f.Kind {
	case Drop:
		s.serveCrooked(a, r)
		s.mu.sync()
		panic(http.ErrAbortHandler)
	case Delay:
		s.serveCrooked(a, r)
		s.mu.sync()
		timer := time.NewTimer(time.Duration(f.DelayMS) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
			s.send(w, a)
		case <-r.Context().Done():
		case <-s.ctx.Done():
			panic(http.ErrAbortHandler)
		}
	case Partial:
		s.serveCrooked(a, r.WithContext(context.WithValue(r.Context(), partialKey{}, true)))
		s.send(w, a)
	case Reset:
		s.undone(r, 0)
		s.mu.sync()
		reset(w)
	case Status:
		s.undone(r, f.Status)
		a.header.Set("Content-Type", "application/json; charset=utf-8")
		for k, v := range f.Headers {
			a.header.Set(k, v)
		}
		a.status = f.Status
		a.body.WriteString(or(f.Body, fmt.Sprintf(`{"message":"fault: %d"}`, f.Status)))
		s.send(w, a)
	}
}

// partialKey is in the context of a request that met a fault of Kind [Partial].
type partialKey struct{}

// partial reports whether the place in a bulk call is one that a fault refuses.
func (c *call) partial(place, all int) bool {
	return place == all-1 && c.r.Context().Value(partialKey{}) != nil
}

// undone records a request that takes no effect. An API call is recorded. A refresh
// token counts as presented, and is spent unless the connection was reset before
// Procore saw the request.
func (s *Server) undone(r *http.Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/oauth/token" {
		form, _ := formOf(r)
		s.present(form, status != 0 && !s.opts.KeepRefreshTokenOnError)
	}
	if strings.HasPrefix(r.URL.Path, "/rest/") {
		s.record(r, s.access[bearer(r)], status)
	}
}

// reset closes the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
