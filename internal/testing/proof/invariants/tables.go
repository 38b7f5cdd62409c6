package invariants

import "time"

// CheckTables returns what is wrong with the rows of Connections and Spends, alone
// and together: an attempt that holds a claim, or whose outcome is unknown, is in the
// ledger. Read the two tables in this order, because the ledger is written with the
// claim.
func CheckTables(connections, spends []Item, now time.Time) []string {
	var p problems
	known := map[string]bool{}
	for _, s := range spends {
		d := decoder{item: s}
		for _, name := range []string{"attempt", "again"} {
			if attempt := d.str(name); attempt != "" {
				known[attempt] = true
			}
		}
		p.check(d.str("fingerprint") != "" && d.str("attempt") != "", "ledger: an entry without token or attempt")
		p.check(d.num("ttl") > d.num("spent_at"), "ledger: an entry that expires before it was spent")
		if d.err != nil {
			p.add("ledger: %v", d.err)
		}
	}
	for _, c := range connections {
		if !IsConnection(c) {
			continue
		}
		r, err := RowOf(c)
		if err != nil {
			p.add("%v", err)
			continue
		}
		p.all = append(p.all, CheckRow(r, now)...)
		if r.user() && (r.Claimed() || r.State == "uncertain") {
			p.check(known[r.Attempt], "row %s: %s, and the ledger does not know attempt %q", r.Key(), r.abstract(), r.Attempt)
		}
		if r.user() && r.Usable() && r.LastAttempt != "" {
			p.check(known[r.LastAttempt], "row %s: the ledger does not know the attempt that stored the pair", r.Key())
		}
	}
	return p.all
}

// CheckCounts checks R1 by the provider's count of how often each refresh token, by
// any name, was presented.
func CheckCounts(presented map[string]int) []string {
	var p problems
	for token, n := range presented {
		p.check(n <= 1, "R1: token %s was presented %d times", token, n)
	}
	return p.all
}
