package procoretest

import (
	"fmt"
	"slices"

	"procore-connect/pkg/procore"
)

// apply makes the change before the event is delivered, so that a consumer that then
// reads the resource finds it. It sets a new resource's id.
func (s *Server) apply(company *Company, e *Event) (*Resource, error) {
	if e.ResourceName == "Projects" {
		return s.applyProject(company, e)
	}
	r := s.find(scope{e.CompanyID, e.ProjectID}, e.ResourceName, e.ResourceID)
	switch {
	case r != nil && e.EventType == "delete":
		s.drop(r)
		s.setMember(company, r, false)
		return r, nil
	case r != nil:
		if r.Inactive != e.Inactive {
			r.Inactive = e.Inactive
			s.setMember(company, r, !r.Inactive)
		}
		r.Title, r.Revision, r.UpdatedAt = or(e.Title, r.Title), r.Revision+1, e.At
		s.keepResource(r)
		return r, nil
	case s.stored >= maxResources:
		return nil, fmt.Errorf("there are %d resources already", maxResources)
	}
	if e.ResourceID == "" {
		e.ResourceID = s.newResourceID(e.ResourceName)
	}
	r = &Resource{ID: e.ResourceID, CompanyID: e.CompanyID, ProjectID: e.ProjectID, Name: e.ResourceName,
		Title: or(e.Title, fmt.Sprintf("%s %s", e.ResourceName, e.ResourceID)), Revision: 1, CreatedAt: e.At, UpdatedAt: e.At}
	if e.EventType != "delete" { // deleting a missing resource adds nothing
		s.put(r)
		s.setMember(company, r, true)
	}
	return r, nil
}

// setMember grants or removes a user's access to the company when the user's entry
// in its directory changes.
func (s *Server) setMember(company *Company, r *Resource, member bool) {
	user, _ := r.ID.Int64()
	if r.ProjectID != 0 || collection(r.Name) != "users" || s.user(user) == nil {
		return
	}
	company.Members = slices.DeleteFunc(company.Members, func(id int64) bool { return id == user })
	if member {
		company.Members = append(company.Members, user)
	}
	s.keepCompany(company)
}

// applyProject changes a project itself.
func (s *Server) applyProject(company *Company, e *Event) (*Resource, error) {
	id, isNumber := or(e.ResourceID, procore.NewID(e.ProjectID)).Int64()
	if !isNumber && e.ResourceID != "" {
		return nil, fmt.Errorf("resource_id %q is not the id of a project, which is a number", e.ResourceID)
	}
	id = or(id, s.newID())
	if owner, _ := s.project(id); owner != nil && owner != company {
		return nil, fmt.Errorf("project %d is not in company %d", id, e.CompanyID)
	}
	e.ResourceID, e.ProjectID = procore.NewID(id), id
	i := slices.IndexFunc(company.Projects, func(p Project) bool { return p.ID == id })
	title := or(e.Title, fmt.Sprintf("Project %d", id))
	defer s.keepCompany(company)
	switch {
	case e.EventType == "delete" && i >= 0:
		company.Projects = slices.Delete(company.Projects, i, i+1)
		delete(s.projects, id)
	case e.EventType == "delete":
	case i >= 0:
		p := &company.Projects[i]
		p.Name, p.UpdatedAt = or(e.Title, p.Name), e.At
		title = p.Name
	case len(company.Projects) >= maxWorld:
		return nil, fmt.Errorf("there are %d projects already", maxWorld)
	default:
		company.Projects = append(company.Projects, Project{ID: id, Name: title, CreatedAt: e.At, UpdatedAt: e.At})
		s.projects[id] = company.ID
	}
	return &Resource{ID: e.ResourceID, CompanyID: company.ID, Name: "Projects", Title: title}, nil
}
