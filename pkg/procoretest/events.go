package procoretest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
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
	// ResourceID is the resource to change, which is created if it does not exist.
	// Zero creates one with a new id.
	ResourceID int64 `json:"resource_id"`
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
	ResourceID int64 `json:"resource_id"`
	resource   *Resource
}

// Emit changes a resource and queues the event for every hook with a matching
// trigger. Delivery is asynchronous: [State] lists the attempts.
func (s *Server) Emit(e Event) (Emitted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.emit(e)
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
	case e.ResourceName == "" || len(e.ResourceName) > 100:
		return Emitted{}, fmt.Errorf("resource_name is missing or too long")
	case !validReason(e.EventType):
		return Emitted{}, fmt.Errorf("event_type %.80q is not a reason such as create, update or delete", e.EventType)
	case e.ResourceID < 0 || e.Copies < 0 || e.Copies > maxCopies || len(e.Title) > maxText:
		return Emitted{}, fmt.Errorf("resource_id, copies or title is out of bounds")
	}
	if e.UserID == 0 && len(company.Members) > 0 {
		e.UserID = company.Members[0]
	}
	wanting := slices.DeleteFunc(slices.Clone(s.hooks), func(h *hook) bool { return !h.wants(e) || s.opts.OrphanedHooks != Working && s.orphaned(h) })
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

// wants reports whether the hook is active, and its scope and triggers cover the event.
func (h *hook) wants(e Event) bool {
	return !h.disabled && h.companyID == e.CompanyID && (h.projectID == 0 || h.projectID == e.ProjectID) &&
		slices.ContainsFunc(h.triggers, func(t trigger) bool {
			return t.resourceName == e.ResourceName && t.eventType == e.EventType && t.version == long(h.version)
		})
}

// apply makes the change before the event is delivered, so that a consumer that then
// reads the resource finds it. It sets a new resource's id.
func (s *Server) apply(company *Company, e *Event) (*Resource, error) {
	if e.ResourceName == "Projects" {
		return s.applyProject(company, e)
	}
	coll, now := collection(e.ResourceName), s.now()
	i := slices.IndexFunc(s.resources, func(r *Resource) bool {
		return e.ResourceID != 0 && r.ID == e.ResourceID && r.CompanyID == e.CompanyID &&
			r.ProjectID == e.ProjectID && collection(r.Name) == coll
	})
	switch {
	case i >= 0 && e.EventType == "delete":
		gone := s.resources[i]
		s.resources = slices.Delete(s.resources, i, i+1)
		s.setMember(company, gone, false)
		return gone, nil
	case i >= 0:
		r := s.resources[i]
		if r.Inactive != e.Inactive {
			r.Inactive = e.Inactive
			s.setMember(company, r, !r.Inactive)
		}
		r.Title, r.Revision, r.UpdatedAt = or(e.Title, r.Title), r.Revision+1, now
		return r, nil
	case len(s.resources) >= maxWorld:
		return nil, fmt.Errorf("there are %d resources already", maxWorld)
	}
	if e.ResourceID == 0 {
		e.ResourceID = s.newID()
	}
	r := &Resource{ID: e.ResourceID, CompanyID: e.CompanyID, ProjectID: e.ProjectID, Name: e.ResourceName,
		Title: or(e.Title, fmt.Sprintf("%s %d", e.ResourceName, e.ResourceID)), Revision: 1, CreatedAt: now, UpdatedAt: now}
	if e.EventType != "delete" { // deleting a missing resource adds nothing
		s.resources = append(s.resources, r)
		s.setMember(company, r, true)
	}
	return r, nil
}

// setMember grants or removes a user's access to the company when the user's entry
// in its directory changes.
func (s *Server) setMember(company *Company, r *Resource, member bool) {
	if r.ProjectID != 0 || collection(r.Name) != "users" || s.user(r.ID) == nil {
		return
	}
	company.Members = slices.DeleteFunc(company.Members, func(id int64) bool { return id == r.ID })
	if member {
		company.Members = append(company.Members, r.ID)
	}
}

// applyProject changes a project itself.
func (s *Server) applyProject(company *Company, e *Event) (*Resource, error) {
	e.ResourceID = or(e.ResourceID, e.ProjectID)
	if e.ResourceID == 0 {
		e.ResourceID = s.newID()
	}
	if owner, _ := s.project(e.ResourceID); owner != nil && owner != company {
		return nil, fmt.Errorf("project %d is not in company %d", e.ResourceID, e.CompanyID)
	}
	e.ProjectID = e.ResourceID
	i := slices.IndexFunc(company.Projects, func(p Project) bool { return p.ID == e.ResourceID })
	title := or(e.Title, fmt.Sprintf("Project %d", e.ResourceID))
	switch {
	case e.EventType == "delete" && i >= 0:
		company.Projects = slices.Delete(company.Projects, i, i+1)
		delete(s.projects, e.ResourceID)
	case e.EventType == "delete":
	case i >= 0:
		company.Projects[i].Name = or(e.Title, company.Projects[i].Name)
		title = company.Projects[i].Name
	case len(company.Projects) >= maxWorld:
		return nil, fmt.Errorf("there are %d projects already", maxWorld)
	default:
		company.Projects = append(company.Projects, Project{ID: e.ResourceID, Name: title})
		s.projects[e.ResourceID] = company.ID
	}
	return &Resource{ID: e.ResourceID, CompanyID: company.ID, Name: "Projects", Title: title}, nil
}

// queued is an event that waits for delivery.
type queued struct {
	id      int64 // of the delivery
	eventID string
	body    []byte
	last    *Delivery // the latest attempt
	at      time.Time

	resourceName, eventType string
	change                  string // for people
}

// enqueue queues the event for the hooks and returns its ids.
func (s *Server) enqueue(hooks []*hook, e Event) []string {
	ids := []string{}
	m := s.newMoment()
	for i, h := range hooks {
		if i > 0 && !s.opts.OneEventID {
			m = s.newMoment()
		}
		q := queued{eventID: strconv.FormatInt(m.id, 10), body: payload(h.version, e, m), at: m.at, resourceName: e.ResourceName, eventType: e.EventType,
			change: fmt.Sprintf("%s %d, %s", e.ResourceName, e.ResourceID, e.EventType)}
		if h.version != "v2" { // old hooks send no ulid
			q.eventID = m.ulid
		}
		for range max(e.Copies, 1) {
			next := q
			next.id = s.newID()
			h.queue = slices.Insert(h.queue, s.place(h), &next)
		}
		ids = append(ids, q.eventID)
		h.wakeWorker()
	}
	return ids
}

// place returns where the next event goes in the hook's queue: at its end, or with
// Options.Shuffle somewhere before it, but never before the first event, which may be
// in delivery.
func (s *Server) place(h *hook) int {
	end := len(h.queue)
	if n := min(s.opts.Shuffle, end); n > 0 {
		return end - rand.IntN(n)
	}
	return end
}

// moment is the identity of an event.
type moment struct {
	id   int64
	ulid string
	at   time.Time
}

func (s *Server) newMoment() moment {
	now := s.now()
	return moment{id: s.newID(), ulid: newULID(now), at: now}
}
