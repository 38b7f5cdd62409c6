// Package invarianttest is the part of the judge, package invariants, that only tests need.
package invarianttest

import (
	"maps"
	"slices"

	"procore-connect/internal/invariants"
)

// CheckHolders returns what is wrong with Connections and Grants together: a grant's holders are the companies that its
// principal has connected. Read them while no process writes, and not after one of them was restored from a backup.
func CheckHolders(connections, grants []invariants.Item) []string {
	var all []string
	h := invariants.Holders{}
	for _, c := range connections {
		all = append(all, h.Add(c)...)
	}
	for _, g := range grants {
		if r, err := invariants.RowOf(g); err == nil { // CheckTables reports the error
			all = append(all, h.Check(r)...)
		}
	}
	for _, grant := range slices.Sorted(maps.Keys(h)) {
		all = append(all, h.Ungranted(grant)...)
	}
	return all
}

// Compare returns the transitions seen that the model does not allow, and the allowed ones that were not seen.
func Compare(seen invariants.Transitions) (forbidden, unseen []string) {
	allowed := invariants.Allowed()
	for line := range seen {
		if !allowed[line] {
			forbidden = append(forbidden, line)
		}
	}
	for line := range allowed {
		if !seen[line] {
			unseen = append(unseen, line)
		}
	}
	slices.Sort(forbidden)
	slices.Sort(unseen)
	return forbidden, unseen
}
