package procoretest

import (
	"fmt"
	"slices"
	"strings"

	"procore-connect/pkg/procore"
)

// changeKinds are the changes that the page can make.
var changeKinds = [...]string{"create", "update", "delete"}

// unreported returns why changes of a resource are not reported, for people, or "" if each
// of the kinds is. The caller holds mu.
func (s *Server) unreported(at scope, name string, kinds ...string) string {
	hooks := slices.DeleteFunc(slices.Clone(s.hooks), func(h *hook) bool { return h.companyID != at.company })
	active := slices.DeleteFunc(slices.Clone(hooks), func(h *hook) bool { return h.disabled })
	var without []string
	for _, kind := range kinds {
		e := Event{CompanyID: at.company, ProjectID: at.project, ResourceName: name, EventType: kind}
		if len(s.wanting(e)) == 0 {
			without = append(without, kind)
		}
	}
	switch {
	case len(hooks) == 0:
		return "No hook of this company exists, so no hook has a trigger for it. Connect the company in the app first."
	case len(active) == 0:
		return "The hook of this company is disabled, and reports nothing."
	case len(without) == 0:
		return ""
	}
	return fmt.Sprintf("No hook has a trigger for %s (%s).", name, strings.Join(without, ", "))
}

// triggersOf lists what a company's hooks report, such as "RFIs create". The caller holds mu.
func (s *Server) triggersOf(company int64) []string {
	var all []string
	for _, h := range s.hooks {
		for _, t := range h.triggers {
			if h.companyID == company && !h.disabled {
				all = append(all, t.resourceName+" "+t.eventType)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// resourceNames are the names that the page's form knows: those of the client's table, and
// those that a hook can report.
func resourceNames() []string {
	var all []string
	for _, r := range procore.Resources() {
		all = append(all, r.Name)
	}
	for _, r := range allWebhookResources() {
		all = append(all, r.name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// placeOf returns the name of a resource as hooks report it, and whether it is in a
// project. The error says which names there are.
func placeOf(name string) (canonical string, inProject bool, err error) {
	name = procore.CanonicalResource(name)
	for _, r := range allWebhookResources() {
		if r.name == name {
			return name, r.scope == "project", nil
		}
	}
	if r, ok := procore.ResourceOf(name); ok {
		return name, r.InProject(), nil
	}
	return "", false, fmt.Errorf("%.80q is not the name of a resource that the fake knows: the field lists them", name)
}
