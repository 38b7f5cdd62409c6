package invariants

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// CheckTables returns what is wrong with the rows of Grants and Spends, alone and
// together: an attempt that holds a claim, or whose outcome is unknown, is in the
// ledger, unless an authorization that got the same pair has since taken its entry over.
// Read the two tables in this order, because the ledger is written with the claim.
func CheckTables(grants, spends []Item, now time.Time) []string {
	var p problems
	known, discards := map[string]bool{}, map[string]bool{} // by attempt, and by grant
	for _, s := range spends {
		d := decoder{item: s}
		known[d.str("attempt")] = true
		if strings.HasPrefix(d.str("attempt"), discard) {
			discards[d.str("grant")] = true
		}
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
			p.check(known[r.Attempt] || discards[r.Key()], "row %s: %s, and the ledger does not know attempt %q", r.Key(), r.abstract(), r.Attempt)
		}
		if r.user() && r.State == "uncertain" && !strings.HasPrefix(r.StateAttempt, revocation) {
			p.check(known[r.StateAttempt] || discards[r.Key()], "row %s: uncertain, and the ledger does not know attempt %q", r.Key(), r.StateAttempt)
		}
		if r.user() && r.Usable() && r.LastAttempt != "" {
			p.check(known[r.LastAttempt] || discards[r.Key()], "row %s: the ledger does not know the attempt that stored the pair", r.Key())
		}
	}
	return p.all
}

// Sent reports whether the ledger must have the grant's refresh token: an attempt holds the claim, or its outcome is
// unknown. A revocation may send it only later.
func (r Row) Sent() bool {
	refresh := r.Claimed() && !r.Revoking() || r.State == "uncertain" && !strings.HasPrefix(r.StateAttempt, revocation)
	return r.user() && r.Fingerprint != "" && refresh
}

// Holders are the companies that each principal has connected, by the key of its grant.
type Holders map[string][]string

// Add adds a connection. Other rows of the table are not one. It returns what cannot be read.
func (h Holders) Add(connection Item) []string {
	d := decoder{item: connection}
	company, principal, state := d.str("company"), d.str("principal"), d.str("state")
	environment, id, _ := strings.Cut(company, "#")
	if strings.HasPrefix(principal, "user#") && (state == "connected" || state == "disconnected") {
		grant := environment + "#" + principal
		h[grant] = append(h[grant], id)
	}
	if d.err != nil {
		return []string{fmt.Sprintf("connection %s of %s: %v", company, principal, d.err)}
	}
	return nil
}

// Check returns what is wrong with a grant's holders, and forgets its companies: what remains in the end has no grant.
func (h Holders) Check(r Row) []string {
	companies := h[r.Grant]
	delete(h, r.Grant)
	slices.Sort(companies)
	p := problems{prefix: "row " + r.Grant + ": "}
	p.check(!r.user() || slices.Equal(companies, r.Holders), "held by %v, and connected to %v", r.Holders, companies)
	return p.all
}

// Ungranted returns what is wrong with the companies of a grant that does not exist.
func (h Holders) Ungranted(grant string) []string {
	p := problems{prefix: "row " + grant + ": "}
	p.check(len(h[grant]) == 0, "connected to %v, and there is no grant", h[grant])
	return p.all
}
