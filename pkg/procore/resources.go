package procore

import "strings"

// A Resource is a kind of thing that changes in Procore, and whose changes webhooks
// report: where its items are read, and listed.
type Resource struct {
	// Name is the canonical name: the resource_name of payloads v2.0 and v3.0.
	Name string
	// Aliases are the names of other payload versions that differ by more than what
	// [CanonicalResource] ignores.
	Aliases []string
	// Item is the path of one item, and List that of all; either may be empty. They
	// contain {company_id}, {project_id} and {id}, in the query too. A resource of a
	// project has {project_id} in its item's path, one of the company has not.
	Item, List string
	// Filter is the parameter by which the list can be limited to what was updated in
	// a range of time, empty if it has none.
	Filter string
}

// resources is the table of what this package reads. A fork adds a line.
var resources = [...]Resource{
	{Name: "Company Users", Item: "/rest/v1.0/companies/{company_id}/users/{id}"},
	{Name: "Company Vendors", Item: "/rest/v1.0/vendors/{id}?company_id={company_id}"},
	{Name: "Projects", Item: "/rest/v1.0/projects/{id}?company_id={company_id}"},

	{Name: "Observation Items", Item: "/rest/v1.0/observations/items/{id}?project_id={project_id}"},
	{Name: "Project Users", Item: "/rest/v1.0/projects/{project_id}/users/{id}"},
	{Name: "Punch Items", Item: "/rest/v1.0/punch_items/{id}?project_id={project_id}"},
	{Name: "Purchase Order Contracts", Item: "/rest/v1.0/purchase_order_contracts/{id}?project_id={project_id}"},
	{Name: "RFIs", Item: "/rest/v1.0/projects/{project_id}/rfis/{id}"},
	{Name: "Submittals", Item: "/rest/v1.0/projects/{project_id}/submittals/{id}"},
	{Name: "Work Order Contracts", Item: "/rest/v1.0/work_order_contracts/{id}?project_id={project_id}"},
}

// ResourceOf returns the resource of a name in any payload version.
func ResourceOf(name string) (Resource, bool) {
	for _, r := range resources {
		if r.Name == name {
			return r, true
		}
	}
	plain := plainName(name)
	for _, r := range resources {
		if plainName(r.Name) == plain {
			return r, true
		}
		for _, alias := range r.Aliases {
			if plainName(alias) == plain {
				return r, true
			}
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
