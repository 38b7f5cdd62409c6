//go:build !race

package handler

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const (
	// countedDays is how long grants are counted, after a month in which each was used at the beginning.
	countedDays = 60
	// idleDays is how long those that are idle for less than a month are counted.
	idleDays = 20
	// each is how often the schedules call the function.
	each = 5 * time.Minute
	// useEvery is how often a user who uses the app does so.
	useEvery = 6 * time.Hour
)

// counted is a grant whose refreshes and writes are counted.
type counted struct {
	name        string
	companies   int
	webhooks    connections.Webhooks
	used        bool
	least, most int64 // refreshes in all the days

	all       []connections.Connection
	days      int // that were counted last
	refreshes int64
	units     units
}

func (k *counted) String() string {
	return fmt.Sprintf("%.2f refreshes a day; write units a month: %s", float64(k.refreshes)/float64(k.days), k.units.month(k.days))
}

// Each kind of grant is refreshed as often as docs/REFRESH.md promises, by the real tasks
// every five minutes. More companies cost no more refreshes, and the schedule does not refresh
// a service account.
func TestRefreshesPerDay(t *testing.T) {
	t.Parallel()
	const off, on, days = connections.WebhooksOff, connections.WebhooksPending, countedDays
	w, storage := functiontest.New(t), dynamotest.New()
	w.DB = inProcessClient(storage)
	w.Tables = tables.CreateForTest(t, w.DB)
	r := refresherIn(t, w)
	kinds := []*counted{
		{name: "used", companies: 1, webhooks: off, used: true, least: 16 * days, most: 19 * days},
		{name: "used in three companies", companies: 3, webhooks: off, used: true, least: 16 * days, most: 19 * days},
		{name: "idle", companies: 1, webhooks: off, least: 2, most: 2},
		{name: "idle in three companies", companies: 3, webhooks: off, least: 2, most: 2},
		{name: "idle, with webhooks", companies: 1, webhooks: on, least: days / 7, most: days/7 + 1},
		{name: "idle in three companies, with webhooks", companies: 3, webhooks: on, least: days / 7, most: days/7 + 1},
	}
	for i, k := range kinds {
		r.connectCounted(k, 100*int64(i+1))
	}
	const uses = int64(days * 24 * time.Hour / useEvery) // each has a new token, which spends nothing
	kinds = append(kinds, &counted{name: "service account", used: true, all: r.serviceAccount(), least: uses - 1, most: uses + 1})
	c := &count{refresher: r, kinds: kinds, places: map[string]string{}}
	c.run("housekeeping")
	c.Clock.Advance(tokens.UsedWithin + 24*time.Hour)
	c.days(1)
	storage.Intercept(c.record)
	for _, k := range c.counted(idleDays) {
		if k.webhooks != on {
			continue
		}
		if k.refreshes < idleDays-1 || k.refreshes > idleDays+1 {
			t.Errorf("%s for less than a month: got %d refreshes in %d days, want one a day", k.name, k.refreshes, idleDays)
		}
		t.Logf("%s for less than a month: %s", k.name, k)
	}
	c.days(3)
	for _, k := range c.counted(countedDays) {
		if k.refreshes < k.least || k.refreshes > k.most {
			t.Errorf("%s: got %d refreshes in %d days, want %d to %d", k.name, k.refreshes, countedDays, k.least, k.most)
		}
		t.Logf("%s: %s", k.name, k)
	}
	c.wantMetric("RefreshesFailed", 0, 0)
	c.presented()
}

// connectCounted connects companies, whose ids begin with this one, by a user of this id.
func (r *refresher) connectCounted(k *counted, id int64) {
	r.t.Helper()
	if err := r.Procore.AddUser(procoretest.User{ID: id, Login: k.name, Name: "A User"}); err != nil {
		r.t.Fatal(err)
	}
	r.Authorize(id)
	for i := range int64(k.companies) {
		if err := r.Procore.AddCompany(procoretest.NewCompany(id+i, k.name, id)); err != nil {
			r.t.Fatal(err)
		}
		c, err := r.Store().Connect(r.t.Context(), connections.New{Key: connections.Key{CompanyID: id + i, Principal: tokens.User(id)}, Webhooks: k.webhooks})
		if err != nil {
			r.t.Fatal(err)
		}
		k.all = append(k.all, c)
	}
}

// serviceAccount connects a company by the app.
func (r *refresher) serviceAccount() []connections.Connection {
	r.t.Helper()
	yes := true
	r.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{ServiceAccount: &yes, Installed: &yes})
	if err := r.Store().AddServiceAccount(r.t.Context(), procoretest.MyConstruction, "A Company", connections.WebhooksOff); err != nil {
		r.t.Fatal(err)
	}
	return []connections.Connection{r.Connection(connections.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.App})}
}

// count counts the refreshes and writes of grants.
type count struct {
	*refresher
	kinds  []*counted
	writes []write           // since the last step
	places map[string]string // of items in their indexes
}

// counted lets time pass, and returns what was refreshed and written in it.
func (c *count) counted(days int) []*counted {
	c.t.Helper()
	before := map[*counted]int64{}
	for _, k := range c.kinds {
		before[k], k.units, k.days = c.Grant(k.all[0].Principal).Generation, units{}, days
	}
	c.days(days)
	for _, k := range c.kinds {
		k.refreshes = c.Grant(k.all[0].Principal).Generation - before[k]
	}
	return c.kinds
}

// days lets time pass with both schedules. Runs are left out while no row is due.
func (c *count) days(n int) {
	c.t.Helper()
	consumer, end := c.Store(), c.Clock.Now().Add(time.Duration(n)*24*time.Hour)
	for use := c.Clock.Now(); c.Clock.Now().Before(end); {
		refresh, check := c.next(end)
		next := earlier(earlier(refresh, check), use)
		c.Clock.Advance(max(each, (next.Sub(c.Clock.Now()) + each - 1).Truncate(each)))
		now := c.Clock.Now()
		if !now.Before(use) {
			c.use(consumer)
			use = use.Add(useEvery)
		}
		if !now.Before(refresh) {
			c.run("refresh")
		}
		if !now.Before(check) {
			c.run("housekeeping")
		}
		c.settle()
	}
}

// use calls Procore for all companies that are used.
func (c *count) use(consumer *connections.Store) {
	c.t.Helper()
	for _, k := range c.kinds {
		for _, one := range k.all {
			if !k.used {
				break
			}
			if _, err := procore.Collect(consumer.Client(one.Key).Projects(c.t.Context())); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// next returns when each of the tasks has a row to act on, at the latest at the end.
func (c *count) next(end time.Time) (refresh, check time.Time) {
	refresh, check = end, end
	for _, item := range c.rows() {
		if text(item["principal"]) == string(connections.Reconciliation) {
			continue // another function's
		}
		seconds, err := strconv.ParseInt(cmp.Or(text(item["due_at"]), text(item["check_at"])), 10, 64)
		at := time.Unix(seconds+1, 0)
		switch shard := text(item["due_shard"]); {
		case err != nil: // nothing is ever due
		case shard == "":
			check = earlier(check, at)
		case strings.Contains(shard, "#unheld-"):
			check = earlier(check, at)
		case strings.Contains(shard, "#later-"):
			refresh = earlier(refresh, at)
		default:
			refresh = earlier(refresh, at.Add(-tokens.Ahead))
		}
	}
	return refresh, check
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// rows returns the grants and connections.
func (c *count) rows() (all []dynamo.Item) {
	c.t.Helper()
	for _, table := range []string{c.Tables.Grants, c.Tables.Connections} {
		out, err := c.DB.Scan(c.t.Context(), &dynamodb.ScanInput{TableName: &table})
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, out.Items...)
	}
	return all
}
