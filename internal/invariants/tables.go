package invariants

import (
	"slices"
	"strings"
	"time"
)

// CheckTables returns what is wrong with the rows of Grants and Spends, alone and
// together: an attempt that holds a claim, or whose outcome is unknown, is in the
// ledger. Read the two tables in this order, because the ledger is written with the
// claim.
func CheckTables(grants, spends []Item, now time.Time) []string {
	var p problems
	known := map[string]bool{}
	for _, s := range spends {
		d := decoder{item: s}
		known[d.str("attempt")] = true
		p.check(d.str("fingerprint") != "" && d.str("attempt") != "", "ledger: an entry without token or attempt")
		p.check(d.num("ttl") > d.num("spent_at"), "ledger: an entry that expires before it was spent")
		if d.err != nil {
			p.add("ledger: %v", d.err)
		}
	}
	for _, g := range grants {
		if !IsGrant(g) {
			continue
		}
		r, err := RowOf(g)
		if err != nil {
			p.add("%v", err)
			continue
		}
		p.all = append(p.all, CheckRow(r, now)...)
		if r.user() && r.Claimed() && !r.Revoking() {
			p.check(known[r.Attempt], "row %s: %s, and the ledger does not know attempt %q", r.Key(), r.abstract(), r.Attempt)
		}
		if r.user() && r.State == "uncertain" && !strings.HasPrefix(r.StateAttempt, revocation) {
			p.check(known[r.StateAttempt], "row %s: uncertain, and the ledger does not know attempt %q", r.Key(), r.StateAttempt)
		}
		if r.user() && r.Usable() && r.LastAttempt != "" {
			p.check(known[r.LastAttempt], "row %s: the ledger does not know the attempt that stored the pair", r.Key())
		}
	}
	return p.all
}

// CheckHolders returns what is wrong with Connections and Grants together: a grant's
// holders are the companies that its principal has connected. Read them while no process
// writes, and not after one of them was restored from a backup.
func CheckHolders(connections, grants []Item) []string {
	var p problems
	holders := map[string][]string{}
	for _, c := range connections {
		d := decoder{item: c}
		company, principal, state := d.str("company"), d.str("principal"), d.str("state")
		environment, id, _ := strings.Cut(company, "#")
		if strings.HasPrefix(principal, "user#") && (state == "connected" || state == "disconnected") {
			grant := environment + "#" + principal
			holders[grant] = append(holders[grant], id)
		}
		if d.err != nil {
			p.add("connection %s of %s: %v", company, principal, d.err)
		}
	}
	for _, g := range grants {
		r, err := RowOf(g)
		if err != nil || !r.user() {
			continue // CheckTables reports the error
		}
		slices.Sort(holders[r.Grant])
		p.check(slices.Equal(holders[r.Grant], r.Holders), "row %s: held by %v, and connected to %v", r.Grant, r.Holders, holders[r.Grant])
		delete(holders, r.Grant)
	}
	for grant, companies := range holders {
		p.add("row %s: connected to %v, and there is no grant", grant, companies)
	}
	return p.all
}
