package procoretest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// A kind is what the client's table of resources reads at one path. Several names may
// have one path: all versions of files are file_versions.
type kind struct {
	path  string // with its query
	item  bool
	names []string
}

// tableRoutes serves the items and lists of [procore.Resources]. Projects have their own
// form.
func (s *Server) tableRoutes(m *http.ServeMux) {
	kinds := map[string]*kind{}
	add := func(path, name string, item bool) {
		if path == "" || name == "Projects" {
			return
		}
		if kinds[path] == nil {
			kinds[path] = &kind{path: path, item: item}
		}
		kinds[path].names = append(kinds[path].names, name)
	}
	for _, r := range procore.Resources() {
		add(r.Item, r.Name, true)
		add(r.List, r.Name, false)
	}
	names := strings.NewReplacer("{company_id}", "{company}", "{project_id}", "{project}", "{parent_id}", "{parent}")
	for path, k := range kinds {
		path, _, _ = strings.Cut(names.Replace(path), "?")
		m.HandleFunc("GET "+path, s.forCompany(func(c *call) { c.tabled(k) }))
	}
}

// tabled answers an item or a list of the table.
func (c *call) tabled(k *kind) {
	found, ok := c.ofKind(k)
	if !ok {
		return
	}
	isV2 := strings.HasPrefix(k.path, "/rest/v2.")
	if k.item {
		i := slices.IndexFunc(found, func(r *Resource) bool { return strconv.FormatInt(r.ID, 10) == c.r.PathValue("id") })
		if i < 0 {
			c.fail(http.StatusNotFound, "The resource does not exist, or you have no access to it.")
			return
		}
		c.inVersion(isV2, resourceJSON(found[i]))
		return
	}
	from, to, ok := c.updatedRange()
	if !ok {
		return
	}
	rows := []map[string]any{}
	for _, r := range found {
		if !r.UpdatedAt.Before(from) && !r.UpdatedAt.After(to) {
			rows = append(rows, resourceJSON(r))
		}
	}
	sizes := v1()
	if isV2 {
		sizes = v2()
	}
	if cut, ok := page(c, sizes, rows); ok {
		c.inVersion(isV2, cut)
	}
}

// ofKind returns all resources of the kind that the call may see, or answers why not. The
// query must name company and project where the path does not.
func (c *call) ofKind(k *kind) (found []*Resource, ok bool) {
	var project int64
	switch {
	case strings.Contains(k.path, "?company_id"):
		if !c.needsCompany() {
			return nil, false
		}
	case strings.Contains(k.path, "{project_id}"):
		if c.r.PathValue("project") == "" {
			c.r.SetPathValue("project", c.r.URL.Query().Get("project_id"))
		}
		if c.r.PathValue("project") == "" {
			return nil, c.fail(http.StatusBadRequest, "The project_id parameter is missing.")
		}
		p, there := c.inProject()
		if !there {
			return nil, false
		}
		project = p.ID
	}
	for _, name := range k.names {
		if !c.permitted(collection(name)) {
			return nil, false
		}
	}
	for _, r := range c.resources {
		if r.CompanyID == c.company.ID && r.ProjectID == project && slices.Contains(k.names, procore.CanonicalResource(r.Name)) {
			found = append(found, r)
		}
	}
	return found, true
}

// inVersion answers in the form of REST v1, or of v2, where ids are texts below data.
func (c *call) inVersion(isV2 bool, v any) {
	if !isV2 {
		writeJSON(c.w, http.StatusOK, v)
		return
	}
	rows, isList := v.([]map[string]any)
	if !isList {
		rows = []map[string]any{v.(map[string]any)}
	}
	for _, row := range rows {
		row["id"] = strconv.FormatInt(row["id"].(int64), 10)
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"data": v})
}

// updatedRange returns the range of filters[updated_at], from...to, or answers 400.
func (c *call) updatedRange() (from, to time.Time, ok bool) {
	text := c.r.URL.Query().Get("filters[updated_at]")
	if text == "" {
		return time.Time{}, time.Unix(1<<40, 0), true
	}
	first, last, _ := strings.Cut(text, "...")
	from, errFrom := time.Parse(time.RFC3339, first)
	to, errTo := time.Parse(time.RFC3339, last)
	if errFrom != nil || errTo != nil {
		return from, to, c.fail(http.StatusBadRequest, "filters[updated_at] must be two times of ISO 8601 with ... between them.")
	}
	return from, to, true
}
