package procoretest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// controlRoutes registers the JSON control interface under /_fake/. It mirrors the Go
// methods and refuses unknown fields, so that a misspelt one is not ignored.
func controlRoutes(m *http.ServeMux) {
	handle := func(pattern string, h http.HandlerFunc) {
		m.Handle(pattern, http.NewCrossOriginProtection().Handler(h))
	}
	handle("GET /_fake/state", on(func(s *Server, w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.State())
	}))
	handle("POST /_fake/events", control(func(s *Server, _ *http.Request, e Event) (any, error) { return s.Emit(e) }))
	handle("POST /_fake/batches", control(func(s *Server, _ *http.Request, all []Event) (any, error) { return s.EmitAll(all) }))
	handle("POST /_fake/faults", control(func(s *Server, _ *http.Request, f Fault) (any, error) { return done{true}, s.Fault(f) }))
	handle("DELETE /_fake/faults", on(func(s *Server, w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		writeJSON(w, http.StatusOK, done{true})
	}))
	handle("GET /_fake/answers", on(func(s *Server, w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Answers())
	}))
	handle("POST /_fake/answers", orForm(control(func(s *Server, _ *http.Request, a Answer) (any, error) { return done{true}, s.Answer(a) })))
	handle("DELETE /_fake/answers", on(func(s *Server, w http.ResponseWriter, _ *http.Request) {
		s.ClearAnswers()
		writeJSON(w, http.StatusOK, done{true})
	}))
	handle("PATCH /_fake/hooks/{id}", control(func(s *Server, r *http.Request, p HookPatch) (any, error) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			return nil, err
		}
		return done{true}, s.UpdateHook(id, p)
	}))
	handle("POST /_fake/redeliveries", control(func(s *Server, _ *http.Request, d redelivery) (any, error) {
		return done{true}, s.Redeliver(d.DeliveryID)
	}))
	handle("POST /_fake/overwrite", control(func(s *Server, _ *http.Request, _ struct{}) (any, error) { return done{true}, s.Overwrite() }))
	handle("POST /_fake/end-access", control(func(s *Server, _ *http.Request, e endAccess) (any, error) { return done{true}, s.EndAccess(e.UserID) }))
	handle("PATCH /_fake/companies/{id}", control(func(s *Server, r *http.Request, p CompanyPatch) (any, error) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			return nil, err
		}
		if err := s.UpdateCompany(id, p); err != nil {
			return nil, err
		}
		return s.Company(id), nil
	}))
	handle("POST /_fake/companies", control(func(s *Server, _ *http.Request, c Company) (any, error) { return c, s.AddCompany(c) }))
	handle("POST /_fake/users", control(func(s *Server, _ *http.Request, u User) (any, error) { return u, s.AddUser(u) }))
	handle("PATCH /_fake/options", control(func(s *Server, _ *http.Request, p OptionsPatch) (any, error) { return done{true}, s.UpdateOptions(p) }))
	handle("POST /_fake/clock", control((*Server).serveClock))
	handle("/_fake/", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusNotFound, controlError{"no such endpoint"})
	})
}

// redelivery is the body of POST /_fake/redeliveries.
type redelivery struct {
	DeliveryID int64 `json:"delivery_id"`
}

// endAccess is the body of POST /_fake/end-access.
type endAccess struct {
	UserID int64 `json:"user_id"`
}

// done is the answer of an endpoint that has nothing to return.
type done struct {
	OK bool `json:"ok"`
}

type controlError struct {
	Error string `json:"error"`
}

// clockRequest is the body of POST /_fake/clock.
type clockRequest struct {
	AdvanceSeconds int64 `json:"advance_seconds"`
}

func (s *Server) serveClock(_ *http.Request, c clockRequest) (any, error) {
	if c.AdvanceSeconds < 0 || c.AdvanceSeconds > maxSeconds {
		return nil, fmt.Errorf("advance_seconds is %d, not 0 to %d", c.AdvanceSeconds, maxSeconds)
	}
	s.Advance(time.Duration(c.AdvanceSeconds) * time.Second)
	return map[string]time.Time{"now": s.Now()}, nil
}

// control returns a handler that decodes the body, applies it, and answers what
// apply returns, or 400 with its error.
func control[T any](apply func(*Server, *http.Request, T) (any, error)) http.HandlerFunc {
	return on(func(s *Server, w http.ResponseWriter, r *http.Request) {
		var v T
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil && err != io.EOF {
			writeJSON(w, http.StatusBadRequest, controlError{err.Error()})
			return
		}
		result, err := apply(s, r, v)
		if err != nil {
			writeJSON(w, http.StatusBadRequest, controlError{err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, result)
	})
}
