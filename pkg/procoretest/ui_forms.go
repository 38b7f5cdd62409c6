package procoretest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// formIDs reads ids of a form. A missing one is 0, which what uses it refuses or takes as
// none.
func formIDs(r *http.Request, ids map[string]*int64) {
	for name, id := range ids {
		*id, _ = strconv.ParseInt(r.PostFormValue(name), 10, 64)
	}
}

// changeByForm serves the page's buttons that create, update or delete a resource.
func (s *Server) changeByForm(w http.ResponseWriter, r *http.Request) {
	e := Event{ResourceName: r.PostFormValue("resource_name"), EventType: r.PostFormValue("event_type"), Title: strings.TrimSpace(r.PostFormValue("title"))}
	e.ResourceID = procore.ID(r.PostFormValue("resource_id"))
	formIDs(r, map[string]*int64{"company_id": &e.CompanyID, "project_id": &e.ProjectID})
	s.emitByForm(w, r, e)
}

// createByForm serves the page's form that creates a resource of any name.
func (s *Server) createByForm(w http.ResponseWriter, r *http.Request) {
	e := Event{EventType: "create", Title: strings.TrimSpace(r.PostFormValue("title"))}
	formIDs(r, map[string]*int64{"company_id": &e.CompanyID, "project_id": &e.ProjectID})
	name, inProject, err := placeOf(r.PostFormValue("resource_name"))
	switch {
	case err != nil:
		s.refuse(w, err)
		return
	case inProject && e.ProjectID == 0:
		s.refuse(w, fmt.Errorf("%s are in a project: choose one", name))
		return
	case !inProject:
		e.ProjectID = 0
	}
	e.ResourceName = name
	s.emitByForm(w, r, e)
}

func (s *Server) emitByForm(w http.ResponseWriter, r *http.Request, e Event) {
	made, err := s.Emit(e)
	if err != nil {
		s.refuse(w, err)
		return
	}
	if e.ResourceName == "Projects" {
		e.ProjectID = 0
	}
	q := url.Values{"done": {e.EventType}, "hooks": {strconv.Itoa(len(made.EventIDs))}}
	s.home(w, r, q, toolID(scope{e.CompanyID, e.ProjectID}, e.ResourceName))
}

// companyByForm serves the page's buttons that change a setting of a company.
func (s *Server) companyByForm(w http.ResponseWriter, r *http.Request) {
	var id int64
	formIDs(r, map[string]*int64{"company_id": &id})
	on := r.PostFormValue("on") == "true"
	var p CompanyPatch
	switch r.PostFormValue("switch") {
	case "connected":
		p.Connected = &on
	case "user_installs":
		p.UserInstalls = &on
	case "installed":
		p.Installed = &on
	}
	if err := s.UpdateCompany(id, p); err != nil {
		s.refuse(w, err)
		return
	}
	s.home(w, r, url.Values{"done": {"company"}}, fmt.Sprintf("company-%d", id))
}

// troubleByForm serves the page's buttons for what goes wrong with Procore now and then.
func (s *Server) troubleByForm(w http.ResponseWriter, r *http.Request) {
	trouble := r.PostFormValue("trouble")
	var err error
	switch trouble {
	case "unavailable":
		err = s.Fault(Fault{Endpoint: "api", Kind: Status, Status: http.StatusServiceUnavailable, Times: 3, Headers: map[string]string{"Retry-After": "1"}})
	case "token":
		err = s.Fault(Fault{Endpoint: "token", Kind: Drop})
	case "time":
		s.Advance(90 * time.Minute)
	case "lose":
		err = s.UpdateOptions(OptionsPatch{LoseDeliveries: new(0.1)})
	case "end":
		s.ClearFaults()
		err = s.UpdateOptions(OptionsPatch{LoseDeliveries: new(0.0)})
	default:
		err = errors.New("there is no such trouble")
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.home(w, r, url.Values{"done": {trouble}}, "troubles")
}

// hookByForm serves the page's button that disables a hook, or makes it active again.
func (s *Server) hookByForm(w http.ResponseWriter, r *http.Request) {
	var id int64
	formIDs(r, map[string]*int64{"hook_id": &id})
	if err := s.UpdateHook(id, HookPatch{Disabled: new(r.PostFormValue("disabled") == "true")}); err != nil {
		s.refuse(w, err)
		return
	}
	s.home(w, r, url.Values{"done": {"hook"}}, "hooks")
}

// againByForm serves the page's button that delivers an event again.
func (s *Server) againByForm(w http.ResponseWriter, r *http.Request) {
	var id int64
	formIDs(r, map[string]*int64{"delivery_id": &id})
	if err := s.Redeliver(id); err != nil {
		s.refuse(w, err)
		return
	}
	s.home(w, r, url.Values{"done": {"again"}}, "deliveries")
}

func (s *Server) refuse(w http.ResponseWriter, err error) {
	s.renderNotice(w, http.StatusBadRequest, "The change could not be made", err.Error())
}

// home sends the browser back to the page, at the place where the button was.
func (s *Server) home(w http.ResponseWriter, r *http.Request, q url.Values, at string) {
	q.Set("at", at)
	http.Redirect(w, r, "/?"+q.Encode()+"#"+at, http.StatusSeeOther)
}
