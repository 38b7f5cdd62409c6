package procore

import (
	"slices"
	"strings"
)

// A Resource is a kind of thing that changes in Procore, and whose changes webhooks
// report: where one item is read, and where all of them are listed.
type Resource struct {
	// Name is the canonical name: the resource_name of payloads v2.0 and v3.0.
	Name string
	// Item is the path of one item, and List that of all; either may be empty. In them,
	// as in the query, {company_id}, {project_id}, {id} and {parent_id} are filled in.
	// Item has the newest version that the reference has for it.
	Item, List string
	// Parent is the name of the resource to which the parent's id belongs. Payloads
	// v3.0 name it in related_resources.
	Parent string
	// Filter is the parameter by which List is limited to what was updated in a range
	// of time, such as 2026-01-01T00:00:00Z...2026-01-02T00:00:00Z; empty if it has none.
	Filter string
	// Aliases are names of other payload versions that differ by more than what
	// [CanonicalResource] ignores.
	Aliases []string
}

// InProject reports whether items belong to a project, and not to the company itself.
func (r Resource) InProject() bool { return strings.Contains(r.Item+r.List, "{project_id}") }

// Resources returns the table of what [CompanyClient.Read] reads.
func Resources() []Resource {
	rs := slices.Clone(table[:])
	for i, r := range rs {
		rs[i] = r.complete()
	}
	return rs
}

func (r Resource) complete() Resource {
	if r.List == withoutID {
		r.List = strings.Replace(r.Item, "/{id}", "", 1)
	}
	return r
}

// ResourceOf returns the resource of a name in any payload version.
func ResourceOf(name string) (Resource, bool) {
	for i := range table {
		if table[i].Name == name {
			return table[i].complete(), true
		}
	}
	plain := plainName(name)
	same := func(other string) bool { // the first letter decides nearly always, and costs least
		return plain != "" && plain[0] == other[0]|' ' && plainName(other) == plain
	}
	for i := range table {
		if same(table[i].Name) || slices.ContainsFunc(table[i].Aliases, same) {
			return table[i].complete(), true
		}
	}
	return Resource{}, false
}

// CanonicalResource returns the one name of a resource, whatever the payload version
// calls it. It ignores letter case, blanks, punctuation and the plural. A name that is
// not in the table is returned without blanks around it, and with single ones within.
func CanonicalResource(name string) string {
	if r, ok := ResourceOf(name); ok {
		return r.Name
	}
	return strings.Join(strings.Fields(name), " ")
}

// plainName returns the letters and digits of a name, in lower case and in the singular.
func plainName(name string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r > 127:
			return r
		}
		return -1
	}, name)
	if singular, ok := strings.CutSuffix(plain, "ies"); ok {
		return singular + "y"
	}
	return strings.TrimSuffix(plain, "s")
}
