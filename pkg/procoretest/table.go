package procoretest

import (
	"net/http"
	"strings"

	"procore-connect/pkg/procore"
)

// A kind is what the client's table of resources reads at one path. Several names may
// have one path: all versions of files are file_versions.
type kind struct {
	path   string // with its query
	item   bool
	filter bool // the list has a filter on updated_at
	names  []string
}

// tableRoutes serves the items and lists of [procore.Resources]. Projects have their own
// form.
func (s *Server) tableRoutes(m *http.ServeMux) {
	kinds := map[string]*kind{}
	add := func(path string, r procore.Resource, item bool) {
		if path == "" || r.Name == "Projects" {
			return
		}
		if kinds[path] == nil {
			kinds[path] = &kind{path: path, item: item}
		}
		kinds[path].names = append(kinds[path].names, r.Name)
		kinds[path].filter = kinds[path].filter || r.Filter != ""
	}
	for _, r := range procore.Resources() {
		add(r.Item, r, true)
		add(r.List, r, false)
	}
	names := strings.NewReplacer("{company_id}", "{company}", "{project_id}", "{project}", "{parent_id}", "{parent}")
	for path, k := range kinds {
		path, _, _ = strings.Cut(names.Replace(path), "?")
		m.HandleFunc("GET "+path, s.forCompany(func(c *call) { c.tabled(k) }))
	}
}

// tabled answers an item or a list of the table.
func (c *call) tabled(k *kind) {
	at, ok := c.scopeOf(k)
	if !ok {
		return
	}
	found := c.named(at, k.names)
	if k.item {
		for _, name := range k.names {
			if r := c.find(at, name, procore.ID(c.r.PathValue("id"))); r != nil {
				c.inVersion(c.resourceJSON(r))
				return
			}
		}
		c.noResource()
		return
	}
	if k.filter {
		found, ok = filtered(c, found)
	}
	if ok {
		answerList(c, found, c.resourceJSON)
	}
}

// scopeOf returns the project or company of the call, or answers why it may not see what is
// there. The query must name company and project where the path does not.
func (c *call) scopeOf(k *kind) (at scope, ok bool) {
	at.company = c.company.ID
	switch {
	case strings.Contains(k.path, "?company_id"):
		if !c.needsCompany() {
			return at, false
		}
	case strings.Contains(k.path, "{project_id}"):
		if c.r.PathValue("project") == "" {
			c.r.SetPathValue("project", c.r.URL.Query().Get("project_id"))
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
	for _, name := range k.names {
		if !c.permitted(collection(name)) {
			return at, false
		}
	}
	return at, true
}
