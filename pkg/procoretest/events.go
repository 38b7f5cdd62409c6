package procoretest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"procore-connect/pkg/procore"
)

const (
	maxQueue  = 10_000 // waiting events of one hook
	maxCopies = 100
)

// Event is a change to a resource, for [Server.Emit]. It is the body of
// POST /_fake/events.
type Event struct {
	CompanyID int64 `json:"company_id"`
	// ProjectID is 0 for a resource of the company itself.
	ProjectID    int64  `json:"project_id"`
	ResourceName string `json:"resource_name"`
	// ResourceID is the resource to change, which is created if it does not exist. In
	// JSON it may also be a number. Empty creates one with a new id: a ULID for a Document
	// Upload, which has one in Procore, and otherwise a number.
	ResourceID procore.ID `json:"resource_id"`
	// EventType is create, update or delete. Other reasons reach only v4.0 hooks.
	EventType string `json:"event_type"`
	// UserID is the user who makes the change. Zero means the company's first
	// member.
	UserID int64 `json:"user_id"`
	// Copies is how often the same event is delivered. Zero means once.
	Copies int `json:"copies"`
	// Title is the resource's new title. Empty keeps the old one.
	Title string `json:"title"`
	// Inactive makes a company user inactive by an update. An update without it
	// makes the user active.
	Inactive bool `json:"inactive"`
	// At is when the change happened, such as a time in the past. Zero means now.
	At time.Time `json:"at,omitzero"`
	// Silent changes the resource without an event, as a recalculation in the background
	// does, so that only its updated_at shows the change.
	Silent bool `json:"silent,omitempty"`
	// SourceApplicationID is the client id of the app that made the change. It is
	// part of v2.0 and v3.0 payloads.
	SourceApplicationID string `json:"source_application_id"`
	// Related is related_resources of a v3.0 payload.
	Related []RelatedResource `json:"related_resources"`
	// Data is data of a v4.0 payload.
	Data json.RawMessage `json:"data"`
}

// RelatedResource is a parent resource in a v3.0 payload.
type RelatedResource struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Emitted is the result of an [Event].
type Emitted struct {
	// EventIDs are the event's ids, one per hook that has a trigger for it: the ulid of
	// its payload, or the id if an old hook sends no ulid.
	EventIDs []string `json:"event_ids"`
	// ResourceID is the changed or new resource.
	ResourceID procore.ID `json:"resource_id"`
	resource   *Resource
}

// Emit changes a resource and queues the event for every hook with a matching
// trigger. Delivery is asynchronous: [State] lists the attempts.
func (s *Server) Emit(e Event) (made Emitted, err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.emit(e)
}

// EmitAll is [Server.Emit] for many changes at once, in their order. It is the body of
// POST /_fake/batches. The first change that cannot be made ends it: the result has those
// that were made.
func (s *Server) EmitAll(all []Event) (made []Emitted, err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	made = make([]Emitted, 0, len(all))
	for i, e := range all {
		one, err := s.emit(e)
		if err != nil {
			return made, fmt.Errorf("change %d: %w", i, err)
		}
		made = append(made, one)
	}
	return made, nil
}

func (s *Server) emit(e Event) (Emitted, error) {
	company := s.companies[e.CompanyID]
	if company == nil {
		return Emitted{}, fmt.Errorf("company %d does not exist", e.CompanyID)
	}
	if owner, _ := s.project(e.ProjectID); e.ProjectID != 0 && owner != company {
		return Emitted{}, fmt.Errorf("project %d is not in company %d", e.ProjectID, e.CompanyID)
	}
	switch {
	case e.ResourceName == "" || len(e.ResourceName) > 100 || !utf8.ValidString(e.ResourceName+e.Title):
		return Emitted{}, fmt.Errorf("resource_name is missing or too long, or a text is not UTF-8")
	case !validReason(e.EventType):
		return Emitted{}, fmt.Errorf("event_type %.80q is not a reason such as create, update or delete", e.EventType)
	case !validID(e.ResourceID) || e.Copies < 0 || e.Copies > maxCopies || len(e.Title) > maxText:
		return Emitted{}, fmt.Errorf("resource_id, copies or title is out of bounds")
	case e.At.After(s.now()):
		return Emitted{}, fmt.Errorf("at is in the future")
	}
	if e.UserID == 0 && len(company.Members) > 0 {
		e.UserID = company.Members[0]
	}
	e.At = or(e.At, s.now())
	wanting := s.wanting(e)
	for _, h := range wanting {
		if len(h.queue)+max(e.Copies, 1) > maxQueue {
			return Emitted{}, fmt.Errorf("hook %d already has %d events waiting", h.id, len(h.queue))
		}
	}
	r, err := s.apply(company, &e)
	if err != nil {
		return Emitted{}, err
	}
	return Emitted{EventIDs: s.enqueue(wanting, e), ResourceID: e.ResourceID, resource: r}, nil
}

// wanting returns the hooks that report the event.
func (s *Server) wanting(e Event) []*hook {
	var found []*hook
	for _, h := range s.hooks {
		if !e.Silent && h.wants(e) && (s.opts.OrphanedHooks == Working || !s.orphaned(h)) {
			found = append(found, h)
		}
	}
	return found
}

// wants reports whether the hook is active, and its scope and triggers cover the event.
func (h *hook) wants(e Event) bool {
	return !h.disabled && h.companyID == e.CompanyID && (h.projectID == 0 || h.projectID == e.ProjectID) &&
		slices.ContainsFunc(h.triggers, func(t trigger) bool {
			return t.resourceName == e.ResourceName && t.eventType == e.EventType && t.version == long(h.version)
		})
}
