package system

import (
	"strings"
	"time"

	"procore-connect/internal/testing/proof/simulation"
)

// cost is what something may cost: for a company's day, for a day of the whole system, for a
// fault, after which it is repeated, for each hour in which a company waits for Procore,
// for each thing that is imported, and for each time that a program asks for a token.
type cost struct {
	company, day, fault, outage, imported, asked float64
	keys                                         bool // company is for each seal key
}

// maxCost are about twice what a few runs measured: 97 events in 6.7 company-days. That agrees
// with the schedules: 17 refreshes of 3 writes where tokens last 90 minutes, passes each 6
// hours, and a heartbeat into three tables each 5 minutes. What a fault costs is estimated.
//
// In an outage of Procore an hour has 12 passes over the hook, which end with the first call and have 4 writes, as many
// turns of the reconciler of 3 attempts and 4 writes, and for each event that waits 10 receipts of 3 attempts.
var maxCost = map[string]cost{
	"calls of event-consumer": {company: 40, fault: 1, outage: 120, imported: 6},          // a read of each event
	"calls of reconciler":     {company: 72, fault: 12, outage: 36, imported: 40},         // 4 passes of 6 lists, 3 calls to open them
	"calls of refresher":      {company: 40, fault: 6, outage: 13},                        // 4 passes of 4 calls, 1 check of the user
	"writes of spends":        {company: 34, keys: true, fault: 1, asked: 4},              // one a refresh
	"writes of grants":        {company: 102, day: 576, fault: 2, asked: 4},               // three a refresh, one of them for the use
	"writes of connections":   {company: 84, day: 576, fault: 4, outage: 96, imported: 4}, // four passes of leases, cursors and budgets
	"writes of inbox":         {company: 40, day: 576, fault: 1, imported: 4},             // one an event
}

// costs judges what the app calls and writes.
type costs struct {
	court
	counts   map[string]int
	hours    map[string]int // calls of the reconciler, by hour and owner
	paged    bool           // each page of a list has one item
	keys     int            // in the seal ring, of which none is retired within a run
	outage   time.Duration  // of Procore, in all
	imported int            // things that were
	asked    int            // times that a program asked for a token
}

func newCosts(c court) *costs {
	return &costs{court: c, counts: map[string]int{}, hours: map[string]int{}, keys: 1}
}

// called counts a call to Procore.
func (c *costs) called(r *simulation.Request, owner string) {
	if !strings.HasPrefix(r.Path, "/rest/") {
		return
	}
	function, _, _ := strings.Cut(r.Actor.Name, "#")
	if page := r.Query.Get("page"); !c.paged || page == "" || page == "1" { // otherwise a fault repeats a hundred pages
		c.counts["calls of "+function]++
	}
	ofHook := strings.Contains(r.Path, "/webhooks/") && !strings.HasSuffix(r.Path, "/deliveries")
	if function == "reconciler" && !ofHook { // a pass of the hook is not of the budget
		hour := c.now().Truncate(time.Hour).Format(time.DateTime)
		c.hour(hour+" for "+owner, perOwner)
		c.hour(hour, perApp)
	}
}

// repeats are the calls of an hour at most that are made once more by a newer token.
const repeats = 10

func (c *costs) hour(hour string, most int) {
	if c.hours[hour]++; c.hours[hour] == most+repeats+1 {
		c.problem("the reconciler makes more than %d calls in the hour %s", most, hour)
	}
}

// wrote counts a write.
func (c *costs) wrote(table string) { c.counts["writes of "+table]++ }

// settled judges the sums of some days. What begins costs more than what goes on: the first
// day counts twice.
func (c *costs) settled(companies, faults int, in time.Duration) {
	days := 1 + in.Hours()/24
	each(maxCost, func(what string, m cost) {
		if m.keys {
			m.company *= float64(c.keys)
		}
		most := (m.company*days+m.outage*c.outage.Hours())*float64(companies) + m.day*days + m.fault*float64(faults) + m.imported*float64(c.imported) + m.asked*float64(c.asked)
		if n := c.counts[what]; float64(n) > most {
			c.problem("%d %s in %v with %d companies and %d faults, not %.0f", n, what, in, companies, faults, most)
		}
	})
}
