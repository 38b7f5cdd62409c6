package system

import (
	"context"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// maxLag is after how long a list shows a change at the latest. Reconciliation waits for a minute.
const maxLag = 40 * time.Second

// imports is the time of the company's people who import: they change several things within seconds, of which
// Procore reports some to no hook. They often do when a turn of the reconciler has just ended: what is at the end of
// a window is easily in none.
func (c *customer) imports(ctx context.Context) {
	rarely := uint64(6)
	if c.Config.Storms {
		rarely = 2
	}
	if simulation.Gate(ctx, "begins") != simulation.Fine {
		return
	}
	for c.awaitsTurn(ctx) && !c.Calm() {
		if c.Next("imports", c.name)%rarely == 0 {
			c.Happened("import")
			c.importThings(ctx)
		}
	}
}

// awaitsTurn waits for the end of a turn of the reconciler for the company, for some hours at most. It reports
// whether the run goes on.
func (c *customer) awaitsTurn(ctx context.Context) bool {
	ended := make(chan struct{}, 1)
	c.judge.turns[c.id] = ended
	timer := time.NewTimer(time.Hour + c.part("next import", 4*time.Hour))
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	case <-c.Root().Done():
	}
	return simulation.Gate(ctx, "may import") == simulation.Fine
}

// importThings makes and changes things of one list.
func (c *customer) importThings(ctx context.Context) {
	project := firstProject + (c.id-firstCompany)*10 + int64(c.Next("project of an import", c.name)%projects)
	resource := []string{"RFIs", "Punch Items"}[c.Next("resource of an import", c.name)%2]
	made := procore.ID("")
	for range 3 + c.Next("size of an import", c.name)%6 {
		e := procoretest.Event{CompanyID: c.id, EventType: "create", ResourceName: resource, ProjectID: project}
		e.Silent = c.Next("silent", c.name)%2 == 0
		switch n := c.Next("change of an import", c.name); {
		case n%2 == 0 && made != "":
			e.EventType, e.ResourceID = "update", made
		case n%3 == 0 && c.exact(): // it was done some time ago, and is visible now
			e.Silent, e.At = true, c.Now().Add(-c.part("lag", maxLag))
		}
		if !e.At.IsZero() && c.judge.items.since(c.id).After(e.At) {
			e.At = time.Time{}
		}
		made = c.emits(e)
		c.Note("%s: imported %s %s, silent: %t, as of %s", c.name, e.ResourceName, made, e.Silent, e.At.Format(time.TimeOnly))
		c.judge.costs.imported++
		slept := c.Sleep(ctx, c.part("in an import", 600*time.Millisecond))
		if !slept || simulation.Gate(ctx, "imports more") != simulation.Fine || c.Calm() {
			return
		}
	}
}

// plain draws that nothing hides what becomes of imports, in some runs that have them: no clock is wrong, and no row is
// lost, after which much is owed to no one.
func (s *system) plain() {
	if swarm := s.Swarm(); swarm.Has("imports") && swarm.Has("plain imports") {
		swarm.Without = append(slices.Clone(swarm.Without), "skew", "clock steps", "rows lost", "tables reverted")
	}
}

// wrong is by how much the clocks of two sandboxes differ at most.
const wrong = 6 * time.Minute

// exact reports whether all clocks are right. The receiver's clock decides whether an event covers a change that
// follows soon.
func (s *system) exact() bool { return !s.Swarm().Has("skew") && !s.Swarm().Has("clock steps") }

// crookedLists are quirks of lists, each of which half of the runs with such lists have.
const crookedLists = "range-open,range-seconds,updated-seconds,latest-first,item-moves"

// lists draws how Procore limits, orders and pages its lists.
func (s *system) lists(o *procoretest.Options) {
	if s.Swarm().Has("small pages") {
		o.MaxPerPage = int(2 + s.Draw("items of a page", "", 0)%3)
		s.judge.costs.paged = true
	}
	if !s.Swarm().Has("crooked lists") {
		return
	}
	for name := range strings.SplitSeq(crookedLists, ",") {
		if s.Swarm().Has("quirk " + name) {
			o.Crooked = strings.TrimPrefix(o.Crooked+","+name, ",")
		}
	}
}
