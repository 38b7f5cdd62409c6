package provision

import (
	"slices"
	"strings"

	"procore-connect/pkg/procore"
)

// plan is what is to be done about the hooks that Procore lists.
type plan struct {
	found   bool         // keep is a hook; else one is to be created
	keep    procore.Hook // the company's hook
	patch   bool         // it is not as it should be
	remove  []procore.Hook
	foreign []procore.ID
}

// planFor compares the hooks of our namespace with what is wanted. Of several of
// ours the one with the right URL stays, then the known one, then the one with
// the lowest id: whoever decides decides alike.
func planFor(listed []procore.Hook, want procore.HookSpec, row Row) plan {
	var p plan
	var ours []procore.Hook
	for _, h := range listed {
		switch {
		case h.Namespace != want.Namespace || h.ProjectID != 0:
		case isOurs(h, want.DestinationURL, row):
			ours = append(ours, h)
		default:
			p.foreign = append(p.foreign, h.ID)
		}
	}
	if len(ours) == 0 {
		return p
	}
	slices.SortFunc(ours, func(a, b procore.Hook) int {
		if c := first(a.DestinationURL == want.DestinationURL, b.DestinationURL == want.DestinationURL); c != 0 {
			return c
		}
		if c := first(a.ID == row.HookID, b.ID == row.HookID); c != 0 {
			return c
		}
		return first(a.ID < b.ID, b.ID < a.ID)
	})
	p.found, p.keep, p.remove = true, ours[0], ours[1:]
	p.patch = p.keep.DestinationURL != want.DestinationURL || !sameVersion(p.keep.PayloadVersion, want.PayloadVersion)
	return p
}

// isOurs says that a hook of our namespace is this deployment's: it has our URL,
// or it is the one that we made and still has the URL that we gave it.
func isOurs(h procore.Hook, url string, row Row) bool {
	return h.DestinationURL == url || row.HookID != "" && h.ID == row.HookID && h.DestinationURL == row.URL
}

// sameVersion compares payload versions; Procore may answer v2 for v2.0.
func sameVersion(a, b string) bool { return strings.TrimSuffix(a, ".0") == strings.TrimSuffix(b, ".0") }

// triggerChange is what makes a hook's triggers the wanted ones.
type triggerChange struct{ add, remove []procore.Trigger }

// changeTriggers compares the triggers that there are with the wanted ones. All
// that there are go when they were made for another payload version: a trigger
// reports nothing but in its own.
func changeTriggers(have, want []procore.Trigger, otherVersion bool) triggerChange {
	var c triggerChange
	kept := map[procore.Trigger]bool{}
	for _, t := range have {
		name := procore.Trigger{Resource: t.Resource, EventType: t.EventType}
		if otherVersion || kept[name] || !slices.Contains(want, name) {
			c.remove = append(c.remove, t)
			continue
		}
		kept[name] = true
	}
	for _, t := range want {
		if !kept[t] {
			c.add = append(c.add, t)
		}
	}
	return c
}
