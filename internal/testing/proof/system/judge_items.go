package system

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procore"
)

// item is one thing at Procore.
type item struct {
	company  int64
	resource string
	id       procore.ID
}

// items judges R9: of each thing of a connected company a state reaches the consumer that is
// not older than its last change. It also judges that what is not connected makes no calls.
type items struct {
	court
	companies map[int64]*coverage
	changes   map[item]time.Time // the last one that is covered
	latest    map[item]time.Time // the last one
	hides     time.Duration      // for so long an event may cover what changed after it
	reads     map[item]time.Time // when the consumer last read it
}

// coverage is since when a company's changes are covered.
type coverage struct {
	connected map[string]bool // principals
	ended     time.Time       // when the last one was not connected any more
	hook      time.Time       // since when its hook reports changes; zero: it does not
	hookID    string          // the hook that it had last
	left      bool            // its user is gone, which the app may not have learned
	chosen    bool            // a user has chosen it
}

func newItems(c court) *items {
	return &items{court: c, companies: map[int64]*coverage{}, changes: map[item]time.Time{}, latest: map[item]time.Time{}, reads: map[item]time.Time{}}
}

func (t *items) of(company int64) *coverage {
	if t.companies[company] == nil {
		t.companies[company] = &coverage{connected: map[string]bool{}}
	}
	return t.companies[company]
}

// wrote learns of a row of the connections.
func (t *items) wrote(i invariants.Item) {
	company, err := strconv.ParseInt(strings.TrimPrefix(text(i, "company"), prefix), 10, 64)
	if err != nil {
		return // a heartbeat, a budget
	}
	c := t.of(company)
	switch principal := text(i, "principal"); {
	case principal == "webhook":
		c.hook, c.hookID = time.Time{}, text(i, "hook_id")
		if since := number(i, "since_ms"); since > 0 && text(i, "hook_id") != "" {
			c.hook = time.UnixMilli(since)
		}
	case strings.HasPrefix(principal, "user#"), principal == "app":
		if text(i, "state") == "connected" {
			c.connected[principal] = true
			return
		}
		delete(c.connected, principal)
		if len(c.connected) == 0 {
			c.ended = t.now()
			t.drop(company)
		}
	}
}

// restored learns that a backup is in the table's place, with these rows and no others. What a
// company that it lacks had changed is owed to no one.
func (t *items) restored(all []invariants.Item) {
	for _, c := range t.companies {
		c.hook = time.Time{}
		clear(c.connected)
	}
	for _, i := range all {
		if text(i, "principal") == "webhook" || text(i, "state") == "connected" {
			t.wrote(i)
		}
	}
	for id, c := range t.companies {
		if len(c.connected) == 0 {
			c.ended = t.now()
			t.drop(id)
		}
	}
}

// reverted learns that older tables are in the place of all. What was changed before is owed to no one: its events may
// wait while no connection has its grant.
func (t *items) reverted(all []invariants.Item) {
	t.restored(all)
	clear(t.changes)
}

// lost learns that a row is gone. What its companies had changed is owed to no one: a user who connects them before the
// row is restored begins again.
func (t *items) lost(i invariants.Item) {
	for _, company := range slices.Concat(i["holders"].SS, []string{strings.TrimPrefix(text(i, "company"), prefix)}) {
		if id, err := strconv.ParseInt(company, 10, 64); err == nil {
			t.drop(id)
		}
	}
}

// drop forgets what a company's end leaves uncovered.
func (t *items) drop(company int64) {
	maps.DeleteFunc(t.changes, func(i item, _ time.Time) bool { return i.company == company })
	t.of(company).hook = time.Time{}
}

// gone learns that a company's user is gone, or returns. What changes in between is read by
// no one whom Procore would answer.
func (t *items) gone(company int64, gone bool) {
	if t.of(company).left = gone; gone {
		maps.DeleteFunc(t.changes, func(i item, _ time.Time) bool { return i.company == company })
	}
}

// changed learns of a change.
func (t *items) changed(i item) {
	hidden := t.now().Sub(t.latest[i]) < t.hides
	t.latest[i] = t.now()
	if c := t.of(i.company); !hidden && !c.left && len(c.connected) > 0 && !c.hook.IsZero() && c.hook.Before(t.now()) {
		t.changes[i] = t.now()
	}
}

// since returns since when a company's changes are covered, if they are.
func (t *items) since(company int64) time.Time { return t.of(company).hook }

// read learns of a read of the consumer.
func (t *items) read(i item, at time.Time) { t.reads[i] = at }

// underWay is how long a call may take that began before its connection ended.
const underWay = 5 * time.Minute

// chosen learns that a user chooses a company.
func (t *items) chosen(company int64) { t.of(company).chosen = true }

// called checks that no call is made for a company that no one has chosen (R3), or that is not connected. One that is
// being chosen, or whose hook is being deleted, is no longer or not yet.
func (t *items) called(r *simulation.Request) {
	company, err := strconv.ParseInt(r.Header.Get("Procore-Company-Id"), 10, 64)
	if err != nil {
		if strings.HasPrefix(r.Path, "/rest/") && r.Path != "/rest/v1.0/me" && r.Path != "/rest/v1.0/companies" {
			t.problem("R3: %s calls %s for no company", r.Actor.Name, r.Path)
		}
		return
	}
	switch c := t.of(company); {
	case !c.chosen:
		t.problem("R3: %s calls %s for company %d, which no one has chosen", r.Actor.Name, r.Path, company)
	case strings.HasPrefix(r.Actor.Name, "company-select"), strings.Contains(r.Path, "/webhooks/"):
	case len(c.connected) == 0 && t.now().Sub(c.ended) > underWay:
		t.problem("R8: %s calls %s for company %d, which is not connected", r.Actor.Name, r.Path, company)
	}
}

// settled checks that the last change of each item was read since.
func (t *items) settled() {
	all := slices.SortedFunc(maps.Keys(t.changes), func(a, b item) int {
		return cmp.Or(cmp.Compare(a.company, b.company), cmp.Compare(a.resource, b.resource), cmp.Compare(a.id, b.id))
	})
	for _, i := range all {
		if at := t.changes[i]; t.reads[i].Before(at) {
			t.problem("R9: %s %s of company %d changed at %s, and was last read at %s", i.resource, i.id, i.company, at.Format(time.DateTime), t.reads[i].Format(time.DateTime))
		}
	}
}

// changed learns of a change of something at Procore. From a loss of rows on a connection may be without its grant. Then
// its events reach no one until the user connects the company again.
func (j *judge) changed(c *customer, t thing) {
	if !j.lossy() || held(c.id, j.Tables.Items(grants)) {
		j.items.changed(item{c.id, t.resource, t.id})
	}
}
