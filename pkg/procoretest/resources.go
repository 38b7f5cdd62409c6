package procoretest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"procore-connect/pkg/procore"
)

// resourceJSON returns any resource. RFIs have a subject, users a name, others a
// title; every answer has all three, because one type serves them all.
func (c *call) resourceJSON(r *Resource) map[string]any {
	id := wireID(r.ID)
	if c.isV2() {
		id = string(r.ID)
	}
	return map[string]any{
		"id": id, "title": r.Title, "subject": r.Title, "name": r.Title, "revision": r.Revision,
		"status": "open", "is_active": !r.Inactive, "email_address": fmt.Sprintf("person-%s@example.com", r.ID),
		"created_at": timestamp(r.CreatedAt), "updated_at": timestamp(r.UpdatedAt),
	}
}

// tool returns the path's project or company, and its collection. It reports whether the
// app may use it, and answers if not.
func (c *call) tool() (at scope, coll string, ok bool) {
	at, coll = scope{company: c.company.ID}, c.r.PathValue("collection")
	if c.r.PathValue("project") != "" {
		p, there := c.inProject()
		if !there {
			return at, "", false
		}
		at.project = p.ID
	}
	if !c.has(coll) {
		return at, "", c.missing()
	}
	return at, coll, c.permitted(coll)
}

func (c *call) listResources() {
	at, coll, ok := c.tool()
	if !ok {
		return
	}
	if found, ok := filtered(c, c.list(at, coll)); ok {
		answerList(c, found, c.resourceJSON)
	}
}

// resource returns the path's resource, or answers 404.
func (c *call) resource() (*Resource, bool) {
	at, coll, ok := c.tool()
	if !ok {
		return nil, false
	}
	for _, r := range c.list(at, coll) {
		if string(r.ID) == c.r.PathValue("id") {
			return r, true
		}
	}
	return nil, c.noResource()
}

func (c *call) noResource() bool {
	return c.fail(http.StatusNotFound, "The resource does not exist, or you have no access to it.")
}

func (c *call) showResource() {
	if r, ok := c.resource(); ok {
		c.inVersion(http.StatusOK, c.resourceJSON(r))
	}
}

// titleIn returns the new title in the body, such as {"rfi": {"subject": ...}}, under any
// of its three names, or answers 422. Of what the fake has, only an RFI needs one.
func (c *call) titleIn(name string) (string, bool) {
	var body map[string]any
	if !c.body(&body) {
		return "", false
	}
	inner := []any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		inner = append(inner, body[name])
	}
	for _, v := range append(inner, body) {
		fields, _ := v.(map[string]any)
		for _, name := range []string{"subject", "title", "name"} {
			if title, _ := fields[name].(string); title != "" {
				return title, len(title) <= maxText || c.invalid(name, "is too long")
			}
		}
	}
	return "", name != "RFIs" || c.invalid("subject", "is missing")
}

// change makes a change by the app itself, which its hooks report with the app as
// the source.
func (c *call) change(at scope, name string, id procore.ID, kind, title string) (*Resource, bool) {
	e := Event{CompanyID: at.company, ProjectID: at.project, ResourceName: name, ResourceID: id, EventType: kind,
		UserID: or(c.pair.userID, serviceAccountID), Title: title, SourceApplicationID: c.opts.ClientID}
	emitted, err := c.emit(e)
	if err != nil {
		return nil, c.invalid("base", err.Error())
	}
	return emitted.resource, true
}

func (c *call) createResource() {
	at, coll, ok := c.tool()
	if !ok {
		return
	}
	name := procore.CanonicalResource(coll)
	if same := c.list(at, coll); len(same) > 0 {
		name = same[0].Name
	}
	c.create(at, name)
}

func (c *call) updateResource() {
	if r, ok := c.resource(); ok {
		c.update(r)
	}
}

func (c *call) deleteResource() {
	if r, ok := c.resource(); ok {
		c.delete(r)
	}
}

// create makes the resource that the body describes.
func (c *call) create(at scope, name string) {
	if title, ok := c.titleIn(name); ok {
		if r, ok := c.change(at, name, "", "create", title); ok {
			c.inVersion(http.StatusCreated, c.resourceJSON(r))
		}
	}
}

func (c *call) update(r *Resource) {
	if title, ok := c.titleIn(r.Name); ok {
		if r, ok := c.change(scope{r.CompanyID, r.ProjectID}, r.Name, r.ID, "update", title); ok {
			c.inVersion(http.StatusOK, c.resourceJSON(r))
		}
	}
}

func (c *call) delete(r *Resource) {
	if _, ok := c.change(scope{r.CompanyID, r.ProjectID}, r.Name, r.ID, "delete", ""); ok {
		c.w.WriteHeader(http.StatusNoContent)
	}
}
