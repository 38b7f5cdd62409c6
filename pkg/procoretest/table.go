package procoretest

import (
	"net/http"
	"slices"
	"strings"

	"procore-connect/pkg/procore"
)

// A kind is what the client's table of resources has at one path. Several names may have
// one path: all versions of files are file_versions.
type kind struct {
	path   string // with its query
	filter bool   // the list has a filter on updated_at
	names  []string
}

// tableRoutes serves the items and lists of [procore.Resources], and their changes, also
// where Procore has no such operation. Projects have their own form.
func tableRoutes(m *http.ServeMux) {
	kinds := map[string]*kind{}
	fill := strings.NewReplacer("{company_id}", "{company}", "{project_id}", "{project}", "{parent_id}", "{parent}")
	add := func(method, path string, r procore.Resource, h func(*call, *kind)) {
		at, _, _ := strings.Cut(fill.Replace(path), "?")
		pattern := method + " " + at
		if kinds[pattern] == nil {
			k := &kind{path: path}
			kinds[pattern] = k
			m.HandleFunc(pattern, forCompany(func(c *call) { h(c, k) }))
		}
		k := kinds[pattern]
		k.names = append(k.names, r.Name)
		k.filter = k.filter || r.Filter != ""
	}
	for _, r := range procore.Resources() {
		if r.Name == "Projects" {
			continue
		}
		if r.Item != "" {
			add("GET", r.Item, r, (*call).showTabled)
			add("PATCH", r.Item, r, (*call).updateTabled)
			add("DELETE", r.Item, r, (*call).deleteTabled)
		}
		if r.List != "" {
			add("GET", r.List, r, (*call).listTabled)
		}
		add("POST", or(strings.Replace(r.Item, "/{id}", "", 1), r.List), r, (*call).createTabled)
	}
}

func (c *call) listTabled(k *kind) {
	at, ok := c.scopeOf(k)
	if !ok {
		return
	}
	found := c.named(at, k.names)
	if k.filter {
		found, ok = filtered(c, found)
	}
	if ok {
		answerList(c, found, c.resourceJSON)
	}
}

// item returns the path's resource, or answers 404.
func (c *call) item(k *kind) (*Resource, bool) {
	at, ok := c.scopeOf(k)
	if !ok {
		return nil, false
	}
	for _, name := range k.names {
		if r := c.find(at, name, procore.ID(c.r.PathValue("id"))); r != nil {
			return r, true
		}
	}
	return nil, c.noResource()
}

func (c *call) showTabled(k *kind) {
	if r, ok := c.item(k); ok {
		c.inVersion(http.StatusOK, c.resourceJSON(r))
	}
}

func (c *call) createTabled(k *kind) {
	if at, ok := c.scopeOf(k); ok {
		c.create(at, k.names[0])
	}
}

func (c *call) updateTabled(k *kind) {
	if r, ok := c.item(k); ok {
		c.update(r)
	}
}

func (c *call) deleteTabled(k *kind) {
	if r, ok := c.item(k); ok {
		c.delete(r)
	}
}

// scopeOf returns the project or company of the call, or answers why it may not see what is
// there. The query, or the body of a change, must name company and project where the path
// does not.
func (c *call) scopeOf(k *kind) (at scope, ok bool) {
	at.company = c.company.ID
	switch {
	case strings.Contains(k.path, "?company_id"):
		if !c.needsCompany() {
			return at, false
		}
	case strings.Contains(k.path, "{project_id}"):
		if c.r.PathValue("project") == "" {
			c.r.SetPathValue("project", c.parameter("project_id"))
		}
		if c.r.PathValue("project") == "" {
			return at, c.fail(http.StatusBadRequest, "The project_id parameter is missing.")
		}
		p, there := c.inProject()
		if !there {
			return at, false
		}
		at.project = p.ID
	}
	return at, !slices.ContainsFunc(k.names, func(name string) bool { return !c.permitted(collection(name)) })
}
