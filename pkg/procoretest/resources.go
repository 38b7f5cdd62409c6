package procoretest

import (
	"fmt"
	"net/http"
	"strconv"
)

// resourceJSON returns any resource. RFIs have a subject, users a name, others a
// title; every answer has all three, because one type serves them all.
func resourceJSON(r *Resource) map[string]any {
	return map[string]any{
		"id": r.ID, "title": r.Title, "subject": r.Title, "name": r.Title, "revision": r.Revision,
		"status": "open", "is_active": !r.Inactive, "email_address": fmt.Sprintf("person-%d@example.com", r.ID),
		"created_at": timestamp(r.CreatedAt), "updated_at": timestamp(r.UpdatedAt),
	}
}

// tool returns the path's collection, and its project or 0 if it belongs to the
// company itself. It reports whether the app may use it, and answers if not.
func (c *call) tool() (project int64, coll string, ok bool) {
	coll = c.r.PathValue("collection")
	if c.r.PathValue("project") != "" {
		p, there := c.inProject()
		if !there {
			return 0, "", false
		}
		project = p.ID
	}
	return project, coll, c.permitted(coll)
}

func (c *call) listResources() {
	project, coll, ok := c.tool()
	if !ok {
		return
	}
	all := []map[string]any{}
	for _, r := range c.list(c.company.ID, project, coll) {
		all = append(all, resourceJSON(r))
	}
	if cut, ok := page(c, v1(), all); ok {
		writeJSON(c.w, http.StatusOK, cut)
	}
}

// resource returns the path's resource, or answers 404.
func (c *call) resource() (*Resource, bool) {
	project, coll, ok := c.tool()
	if !ok {
		return nil, false
	}
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	for _, r := range c.list(c.company.ID, project, coll) {
		if err == nil && r.ID == id {
			return r, true
		}
	}
	return nil, c.fail(http.StatusNotFound, "The resource does not exist, or you have no access to it.")
}

func (c *call) showResource() {
	if r, ok := c.resource(); ok {
		writeJSON(c.w, http.StatusOK, resourceJSON(r))
	}
}

// titleIn returns the new title in the body, such as {"rfi": {"subject": ...}}, under
// any of its three names, or answers 422.
func (c *call) titleIn() (string, bool) {
	var body map[string]any
	if !c.body(&body) {
		return "", false
	}
	for _, inner := range body {
		fields, _ := inner.(map[string]any)
		for _, name := range []string{"subject", "title", "name"} {
			if title, _ := fields[name].(string); title != "" && len(title) <= maxText {
				return title, true
			}
		}
	}
	return "", c.invalid("title", "is missing or too long")
}

// change makes a change by the app itself, which its hooks report with the app as
// the source.
func (c *call) change(name string, project, id int64, kind, title string) (*Resource, bool) {
	e := Event{CompanyID: c.company.ID, ProjectID: project, ResourceName: name, ResourceID: id, EventType: kind,
		UserID: or(c.pair.userID, serviceAccountID), Title: title, SourceApplicationID: c.opts.ClientID}
	emitted, err := c.emit(e)
	if err != nil {
		return nil, c.invalid("base", err.Error())
	}
	return emitted.resource, true
}

func (c *call) createResource() {
	project, coll, ok := c.tool()
	if !ok {
		return
	}
	same := c.list(c.company.ID, project, coll)
	name := coll
	if coll == "rfis" {
		name = "RFIs"
	} else if len(same) > 0 {
		name = same[0].Name
	}
	if title, ok := c.titleIn(); ok {
		if r, ok := c.change(name, project, 0, "create", title); ok {
			writeJSON(c.w, http.StatusCreated, resourceJSON(r))
		}
	}
}

func (c *call) updateResource() {
	r, ok := c.resource()
	if !ok {
		return
	}
	if title, ok := c.titleIn(); ok {
		if r, ok := c.change(r.Name, r.ProjectID, r.ID, "update", title); ok {
			writeJSON(c.w, http.StatusOK, resourceJSON(r))
		}
	}
}

func (c *call) deleteResource() {
	if r, ok := c.resource(); ok {
		if _, ok := c.change(r.Name, r.ProjectID, r.ID, "delete", ""); ok {
			c.w.WriteHeader(http.StatusNoContent)
		}
	}
}
