package reconcile

import (
	"slices"

	"procore-connect/pkg/procore"
)

// A subject is a subscribed resource.
type subject struct {
	procore.Resource        // of an unknown one the name alone
	creates, updates bool   // whether these changes are subscribed
	reason           string // why it is not covered; empty: it is
}

// subjects returns what the triggers subscribe, each resource once.
func subjects(triggers []procore.Trigger) []subject {
	var all []subject
	for _, t := range triggers {
		name := procore.CanonicalResource(t.Resource)
		i := slices.IndexFunc(all, func(s subject) bool { return s.Name == name })
		if i < 0 {
			s := subject{Resource: procore.Resource{Name: name}}
			if r, ok := procore.ResourceOf(name); ok {
				s.Resource = r
			}
			all, i = append(all, s), len(all)
		}
		switch t.EventType.Normal() {
		case "create":
			all[i].creates = true
		case "update":
			all[i].updates = true
		}
	}
	for i := range all {
		all[i].reason = all[i].uncovered()
	}
	return all
}

// uncovered returns why changes of the resource cannot be found, empty if they can.
func (s subject) uncovered() string {
	switch {
	case !s.creates && !s.updates:
		return "only its deletions or further reasons are subscribed, and no list shows them"
	case s.List == "":
		return "no list of it is known"
	case s.Filter == "":
		return "its list cannot be limited to what changed"
	case !s.ListsChanges():
		return "its list is one for each of " + s.Parent
	}
	return ""
}
