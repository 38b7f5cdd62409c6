package procoretest

import (
	"context"
	"slices"
	"time"
)

// State is a snapshot of everything that a test may want to know about the fake. It
// is the answer to GET /_fake/state, and contains no token and no header value.
type State struct {
	Now       time.Time  `json:"now"`
	Users     []User     `json:"users"`
	Companies []Company  `json:"companies"`
	Resources []Resource `json:"resources"`
	// RefreshTokens are the issued ones, oldest first, followed by those that were
	// presented but never issued.
	RefreshTokens []RefreshToken `json:"refresh_tokens"`
	// Calls are the last 10,000 API calls at most, oldest first.
	Calls []Call `json:"calls"`
	Hooks []Hook `json:"hooks"`
	// Deliveries are those of all existing hooks, oldest first.
	Deliveries []Delivery `json:"deliveries"`
	// Lost are the events that [Options] made the fake lose, oldest first.
	Lost []Lost `json:"lost"`
	// TokenLog is what last happened to tokens, 2,000 events at most, oldest first.
	TokenLog []TokenEvent `json:"token_log"`
}

// RefreshToken counts how often one refresh token was presented to the token
// endpoint, including requests that failed or met a fault.
type RefreshToken struct {
	Fingerprint string `json:"fingerprint"` // see [Fingerprint]
	Presented   int    `json:"presented"`
	State       string `json:"state"`   // Live, Spent, Revoked or Unknown
	UserID      int64  `json:"user_id"` // 0 when unknown
}

// Hook is a webhook destination. Of its headers it contains only the names.
type Hook struct {
	ID             int64     `json:"id"`
	CompanyID      int64     `json:"company_id"`
	ProjectID      int64     `json:"project_id"` // 0: company scope
	Namespace      string    `json:"namespace"`
	PayloadVersion string    `json:"payload_version"`
	DestinationURL string    `json:"destination_url"`
	HeaderNames    []string  `json:"header_names"`
	Triggers       []Trigger `json:"triggers"`
	Disabled       bool      `json:"disabled"`
	// Paused is true from a failed delivery until the next success or flush.
	Paused bool `json:"paused"`
	// NextAttempt is when a paused hook retries.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	// Waiting is the number of events in the queue.
	Waiting int `json:"waiting"`
}

// Trigger is one type of event that a hook reports.
type Trigger struct {
	ID           int64  `json:"id"`
	ResourceName string `json:"resource_name"`
	EventType    string `json:"event_type"`
}

// State returns a copy of the fake's state.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state()
}

// Company returns a copy of the company with this id, or the zero Company if it does not exist. It costs less than State.
func (s *Server) Company(id int64) Company {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.companies[id]; c != nil {
		return c.clone()
	}
	return Company{}
}

// Hook returns a copy of the hook with this id and of its deliveries, oldest first, or the zero Hook if it does not exist.
func (s *Server) Hook(id int64) (Hook, []Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hooks {
		if h.id == id {
			var all []Delivery
			for _, d := range h.deliveries {
				all = append(all, *d)
			}
			slices.SortFunc(all, func(a, b Delivery) int { return int(a.ID - b.ID) })
			return h.state(), all
		}
	}
	return Hook{}, nil
}

// Wait returns the first state that is as the caller wants it, as soon as it is. The error
// is that of the context when it ends before, beside the last state.
func (s *Server) Wait(ctx context.Context, wanted func(State) bool) (State, error) {
	for {
		s.mu.Lock()
		st, changed := s.state(), s.mu.nextUnlock()
		s.mu.Mutex.Unlock() // quietly, because nothing changed
		if wanted(st) {
			return st, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return st, ctx.Err()
		}
	}
}

// state returns the state. The caller holds the lock.
func (s *Server) state() State {
	st := State{Now: s.now(), Users: []User{}, Companies: []Company{}, Resources: s.everything(),
		RefreshTokens: s.refreshTokens(), Calls: append([]Call{}, s.calls...), Hooks: []Hook{}, Deliveries: []Delivery{}, Lost: append([]Lost{}, s.lost...),
		TokenLog: append([]TokenEvent{}, s.tokenLog...)}
	for _, u := range s.users {
		st.Users = append(st.Users, *u)
	}
	for _, id := range s.order {
		st.Companies = append(st.Companies, s.companies[id].clone())
	}
	for _, h := range s.hooks {
		st.Hooks = append(st.Hooks, h.state())
		for _, d := range h.deliveries {
			st.Deliveries = append(st.Deliveries, *d)
		}
	}
	slices.SortFunc(st.Deliveries, func(a, b Delivery) int { return int(a.ID - b.ID) })
	return st
}

// Company returns the company with this id, or the zero Company if it does not exist.
func (st State) Company(id int64) Company {
	i := slices.IndexFunc(st.Companies, func(c Company) bool { return c.ID == id })
	if i < 0 {
		return Company{}
	}
	return st.Companies[i]
}

func (s *Server) refreshTokens() []RefreshToken {
	all := []RefreshToken{}
	for _, p := range s.pairs {
		if p.refresh != "" {
			all = append(all, RefreshToken{Fingerprint(p.refresh), s.presented[p.refresh], p.refreshState, p.userID})
		}
	}
	issued := len(all)
	for token, n := range s.presented {
		if s.refresh[token] == nil {
			all = append(all, RefreshToken{Fingerprint: Fingerprint(token), Presented: n, State: Unknown})
		}
	}
	slices.SortFunc(all[issued:], func(a, b RefreshToken) int {
		if a.Fingerprint < b.Fingerprint {
			return -1
		}
		return 1
	})
	return all
}

func (h *hook) state() Hook {
	v := Hook{ID: h.id, CompanyID: h.companyID, ProjectID: h.projectID, Namespace: h.namespace,
		PayloadVersion: h.version, DestinationURL: h.destination, HeaderNames: []string{}, Triggers: []Trigger{}, Disabled: h.disabled,
		Paused: !h.failingSince.IsZero(), NextAttempt: h.nextAttempt, Waiting: len(h.queue)}
	for k := range h.headers {
		v.HeaderNames = append(v.HeaderNames, k)
	}
	slices.Sort(v.HeaderNames)
	for _, t := range h.triggers {
		v.Triggers = append(v.Triggers, Trigger{t.id, t.resourceName, t.eventType})
	}
	return v
}
