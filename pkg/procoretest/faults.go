package procoretest

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kinds of [Fault].
const (
	Drop   = "drop"   // the request takes effect, and the connection closes without an answer
	Reset  = "reset"  // the connection is reset, and the request takes no effect
	Status = "status" // the answer is Fault.Status, and the only effect is that a refresh token is spent
	Delay  = "delay"  // the request takes effect at once, and the answer follows after the delay
)

// Fault makes the next requests to an endpoint fail, for [Server.Fault]. It is the
// body of POST /_fake/faults.
type Fault struct {
	// Endpoint is "token", "revoke", "authorize", "api", or a path prefix that
	// begins with a slash.
	Endpoint string `json:"endpoint"`
	// Method limits the fault to one method. Empty means all methods.
	Method string `json:"method,omitempty"`
	// Kind is Drop, Reset, Status or Delay.
	Kind string `json:"kind"`
	// Times is how many requests fail. Zero means one.
	Times int `json:"times"`
	// Status, Headers and Body are the answer of Kind Status. An empty Body means
	// a JSON object with a message.
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// DelayMS is the delay of Kind Delay, in milliseconds.
	DelayMS int64 `json:"delay_ms,omitempty"`
}

const (
	maxFaults = 1_000
	maxTimes  = 1_000_000
	maxDelay  = 10 * time.Minute
)

// Fault adds a fault. Of several that match a request, the first added applies.
func (s *Server) Fault(f Fault) error {
	f.Times = or(f.Times, 1)
	prefix, known := map[string]string{"token": "/oauth/token", "revoke": "/oauth/revoke",
		"authorize": "/oauth/authorize", "api": "/rest/"}[f.Endpoint]
	if known {
		f.Endpoint = prefix
	}
	switch {
	case !strings.HasPrefix(f.Endpoint, "/") || strings.HasPrefix(f.Endpoint, "/_fake"):
		return fmt.Errorf("fault endpoint %q is not token, revoke, authorize, api or a path", f.Endpoint)
	case !slices.Contains([]string{Drop, Reset, Status, Delay}, f.Kind):
		return fmt.Errorf("fault kind %q is not drop, reset, status or delay", f.Kind)
	case f.Kind == Status && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("fault status %d is not 200 to 599", f.Status)
	case f.DelayMS < 0 || f.DelayMS > maxDelay.Milliseconds():
		return fmt.Errorf("fault delay_ms %d is not 0 to %d", f.DelayMS, maxDelay.Milliseconds())
	case f.Times < 0 || f.Times > maxTimes:
		return fmt.Errorf("fault times %d is not 1 to %d", f.Times, maxTimes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) >= maxFaults {
		return fmt.Errorf("there are %d faults already", maxFaults)
	}
	s.faults = append(s.faults, &f)
	return nil
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault returns the first fault that matches, and counts it as used once. The
// control interface has no faults.
func (s *Server) takeFault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/_fake") {
		return nil
	}
	for i, f := range s.faults {
		if !strings.HasPrefix(r.URL.Path, f.Endpoint) || f.Method != "" && f.Method != r.Method {
			continue
		}
		taken := *f
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return &taken
	}
	return nil
}

// serveFault serves a request that met a fault.
func (s *Server) serveFault(w http.ResponseWriter, a *answer, r *http.Request, f *Fault) {
	switch f.Kind {
	case Drop:
		s.mux.ServeHTTP(a, r)
		panic(http.ErrAbortHandler)
	case Delay:
		s.mux.ServeHTTP(a, r)
		timer := time.NewTimer(time.Duration(f.DelayMS) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
			a.send(w)
		case <-r.Context().Done():
		case <-s.ctx.Done():
			panic(http.ErrAbortHandler)
		}
	case Reset:
		s.undone(r, 0)
		reset(w)
	case Status:
		s.undone(r, f.Status)
		a.header.Set("Content-Type", "application/json; charset=utf-8")
		for k, v := range f.Headers {
			a.header.Set(k, v)
		}
		a.status = f.Status
		a.body.WriteString(or(f.Body, fmt.Sprintf(`{"message":"fault: %d"}`, f.Status)))
		a.send(w)
	}
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
