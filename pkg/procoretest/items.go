package procoretest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// Resource is anything in a company or project that hooks can report, such as an
// RFI, a company user or a submittal.
type Resource struct {
	// ID is a number, or for some resources of v4.0 payloads a ULID.
	ID        procore.ID `json:"id"`
	CompanyID int64      `json:"company_id"`
	ProjectID int64      `json:"project_id"` // 0: of the company itself
	Name      string     `json:"resource_name"`
	Title     string     `json:"title"`
	// Inactive is true for a company user who was deactivated.
	Inactive bool `json:"inactive"`
	// Revision is 1 at creation, and one more after each change.
	Revision  int       `json:"revision"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	order int64 // of its creation in the world
}

// updated returns when the resource was last changed.
func (r *Resource) updated() time.Time { return r.UpdatedAt }

// key returns what identifies the resource in its list.
func (r *Resource) key() string { return string(r.ID) }

// maxResources limits the number of resources in the world.
const maxResources = 2_000_000

// scope is a project, or a company itself if project is 0.
type scope struct{ company, project int64 }

// shelf has the resources of one canonical name in one scope, in the order of their
// creation. A list reads its shelf alone, however large the world is.
type shelf struct {
	name  string
	items []*Resource
	byID  map[procore.ID]*Resource
}

// shelf returns the shelf of a resource's name, or nil. The caller holds mu.
func (s *Server) shelf(at scope, name string) *shelf {
	name = procore.CanonicalResource(name)
	i := slices.IndexFunc(s.shelves[at], func(h *shelf) bool { return h.name == name })
	if i < 0 {
		return nil
	}
	return s.shelves[at][i]
}

// find returns a resource, or nil. The caller holds mu.
func (s *Server) find(at scope, name string, id procore.ID) *Resource {
	if h := s.shelf(at, name); h != nil {
		return h.byID[id]
	}
	return nil
}

// put adds a new resource, which does not exist. The caller holds mu.
func (s *Server) put(r *Resource) {
	s.created++
	r.order = s.created
	s.shelve(r)
	s.keepCounters()
	s.keepResource(r)
}

// shelve puts a resource with its order into its shelf.
func (s *Server) shelve(r *Resource) {
	at := scope{r.CompanyID, r.ProjectID}
	h := s.shelf(at, r.Name)
	if h == nil {
		h = &shelf{name: procore.CanonicalResource(r.Name), byID: map[procore.ID]*Resource{}}
		s.shelves[at] = append(s.shelves[at], h)
	}
	s.stored++
	h.items = append(h.items, r)
	h.byID[r.ID] = r
}

// drop removes a resource. The caller holds mu.
func (s *Server) drop(r *Resource) {
	h := s.shelf(scope{r.CompanyID, r.ProjectID}, r.Name)
	i := slices.Index(h.items, r)
	h.items = slices.Delete(h.items, i, i+1)
	delete(h.byID, r.ID)
	s.stored--
	s.mu.forget(resourceKey(r))
	if len(h.items) == 0 {
		at := scope{r.CompanyID, r.ProjectID}
		s.shelves[at] = slices.DeleteFunc(s.shelves[at], func(o *shelf) bool { return o == h })
		if len(s.shelves[at]) == 0 {
			delete(s.shelves, at)
		}
	}
}

// named returns the resources with these canonical names. The caller holds mu, and does
// not change the result.
func (s *Server) named(at scope, names []string) []*Resource {
	return s.shelved(at, func(h *shelf) bool { return slices.Contains(names, h.name) })
}

// list returns the resources of one collection. The caller holds mu, and does not change
// the result.
func (s *Server) list(at scope, coll string) []*Resource {
	canonical := procore.CanonicalResource(coll)
	return s.shelved(at, func(h *shelf) bool { return h.name == canonical || collection(h.name) == coll })
}

func (s *Server) shelved(at scope, wanted func(*shelf) bool) []*Resource {
	var found []*Resource
	for _, h := range s.shelves[at] {
		switch {
		case !wanted(h):
		case found == nil:
			found = slices.Clip(h.items)
		default:
			found = append(found, h.items...)
			slices.SortFunc(found, func(a, b *Resource) int { return cmp.Compare(a.order, b.order) })
		}
	}
	return found
}

// everything returns copies of all resources in the order of their creation. The caller
// holds mu.
func (s *Server) everything() []Resource {
	all := make([]Resource, 0, s.stored)
	for _, at := range s.shelves {
		for _, h := range at {
			for _, r := range h.items {
				all = append(all, *r)
			}
		}
	}
	slices.SortFunc(all, func(a, b Resource) int { return cmp.Compare(a.order, b.order) })
	return all
}

// collection is a resource's name in paths: "RFIs" is rfis, "Company Users" is users,
// "Direct Cost Line Items" is direct_cost_line_items.
func collection(resourceName string) string {
	name := strings.TrimPrefix(strings.ToLower(resourceName), "company ")
	return strings.ReplaceAll(name, " ", "_")
}

// newResourceID returns the id of a new resource: a number, or a ULID where Procore has
// ULIDs. The caller holds mu.
//
// https://developers.procore.com/documentation/payload-formats
func (s *Server) newResourceID(name string) procore.ID {
	if strings.TrimSuffix(collection(name), "s") == "document_upload" {
		return procore.ID(newULID(s.now(), s.opts.Random))
	}
	return procore.NewID(s.newID())
}

// validID reports whether a text can be the id of a resource: nothing, a positive number,
// or letters, digits and hyphens.
func validID(id procore.ID) bool {
	n, isNumber := id.Int64()
	odd := strings.Trim(string(id), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")
	return len(id) <= 64 && odd == "" && (!isNumber || n > 0)
}

// wireID is an id in REST v1 and in payloads before v4.0: a number, if it is one.
func wireID(id procore.ID) any {
	if n, ok := id.Int64(); ok {
		return n
	}
	return string(id)
}
