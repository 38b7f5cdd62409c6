package repo

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procore-connect/internal/cost"
)

// item is an item of a month's bill.
type item struct {
	group, name                        string
	price, per                         float64
	aGrant, aCompany, anEvent, besides float64 // how many
}

var priced = regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| ([\d.]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| (\d+) \|$`)

// bill returns the items of docs/DEPLOY.md.
func bill(t *testing.T) (all []item) {
	t.Helper()
	for _, m := range priced.FindAllStringSubmatch(read(t, "docs/DEPLOY.md"), -1) {
		var n [6]float64
		for i, s := range m[3:] {
			n[i] = parse(t, s)
		}
		all = append(all, item{m[1], m[2], n[0], n[1], n[2], n[3], n[4], n[5]})
	}
	return all
}

// The cost table of docs/DEPLOY.md follows from the prices and amounts in the same document.
func TestCost(t *testing.T) {
	t.Parallel()
	doc, users := read(t, "docs/DEPLOY.md"), costNumbers(t).of(t, "companies of a user")
	type load struct{ companies, events float64 }
	small, large := load{100, 10_000}, load{10_000, 10_000_000}
	costs := func(group string, l load) (sum float64) {
		for _, i := range bill(t) {
			if group == "" || i.group == group {
				sum += (i.aGrant*math.Ceil(l.companies/users) + i.aCompany*l.companies + i.anEvent*l.events + i.besides) / i.per * i.price
			}
		}
		return sum
	}
	reconciliation := func(l load) float64 {
		dynamo, lambda := fleet{int(l.companies), 5, 1, 24 * time.Hour}.costs(t, doc)
		return dynamo + lambda
	}
	var want, groups []string
	for _, i := range bill(t) {
		if !slices.Contains(groups, i.group) {
			groups = append(groups, i.group)
			want = append(want, fmt.Sprintf("| %s | %.2f | %.0f |", i.group, costs(i.group, small), costs(i.group, large)))
		}
	}
	want = append(want, fmt.Sprintf("| reconciliation | %.2f | %.0f |", reconciliation(small), reconciliation(large)),
		fmt.Sprintf("| **together** | %.2f | %.0f |", costs("", small)+reconciliation(small), costs("", large)+reconciliation(large)))
	wantTable(t, fmt.Sprintf("| $ a month | 100 companies, %s grants, 10,000 events | 10,000 companies, %s grants, 10 million events |",
		thousands(math.Ceil(small.companies/users)), thousands(math.Ceil(large.companies/users))), want)
}

// The command estimates by the items of docs/DEPLOY.md.
func TestCostItemsAreTheCommands(t *testing.T) {
	t.Parallel()
	var want []cost.Item
	for _, i := range bill(t) {
		want = append(want, cost.Item{Group: i.group, Name: i.name, Price: i.price, Per: i.per, Grant: i.aGrant, Company: i.aCompany, Event: i.anEvent, Besides: i.besides})
	}
	if d := cmp.Diff(cost.Items(), want); d != "" {
		t.Errorf("items of internal/cost and docs/DEPLOY.md (-code +docs):\n%s", d)
	}
	if got, want := float64(cost.RefreshesAMonth), cost.Month.Seconds()/costNumbers(t).of(t, "seconds between refreshes"); got != want {
		t.Errorf("got %v refreshes a month, want %v", got, want)
	}
}

// costNumbers are those of which the amounts of the cost table follow.
func costNumbers(t *testing.T) numbers {
	t.Helper()
	_, section, _ := strings.Cut(read(t, "docs/DEPLOY.md"), "\n## Cost\n")
	section, _, _ = strings.Cut(section, "\n## ")
	n := readNumbers(t)
	for _, m := range measured.FindAllStringSubmatch(section, -1) {
		n[m[1]] = parse(t, m[2])
	}
	return n
}

// What a grant, a company and an event add to the bill follows from what a refresh, a pass and an event take, and how
// often they happen in a month.
func TestCostAmounts(t *testing.T) {
	t.Parallel()
	n := costNumbers(t)
	of := func(name string) float64 { return n.of(t, name) }
	const month = days * 24 * 3600
	refreshes, passes, schedules := month/of("seconds between refreshes"), month/of("seconds between checks"), of("schedules")*month/300
	type amounts struct{ aGrant, aCompany, anEvent float64 }
	want := map[string]amounts{
		"write units": {refreshes * of("write units of a refresh"), passes * of("write units of a hook's pass"), of("write units of an event") + of("index units of an event")},
		"read units":  {refreshes * of("read units of a refresh"), passes * of("read units of a hook's pass"), of("read units of an event")},
		"GB-seconds": {refreshes * of("seconds of a refresh") * functionGB, passes * of("seconds of a hook's pass") * functionGB,
			(of("seconds of a delivery") + of("seconds of an event in the consumer")) * functionGB},
		"log KB": {refreshes * of("log KB of a refresh"), passes * of("log KB of a hook's pass"), of("log KB of an event")},
	}
	for _, i := range bill(t) {
		got := amounts{i.aGrant, i.aCompany, i.anEvent}
		if w, ok := want[i.name]; ok && !cmp.Equal(got, w, cmp.AllowUnexported(amounts{}), cmpopts.EquateApprox(0, 0.0001)) {
			t.Errorf("%s: got %v, want %v", i.name, got, w)
		}
		if (i.name == "schedule invocations" || i.name == "traces") && i.besides != schedules {
			t.Errorf("%s: got %v, want %v", i.name, i.besides, schedules)
		}
	}
}

// The cost table counts the metrics of all alarms.
func TestCostCountsTheAlarms(t *testing.T) {
	t.Parallel()
	n := template(t)
	watched := 0
	for _, name := range ofType(t, n, "AWS::CloudWatch::Alarm") {
		metrics := slices.DeleteFunc(items(get(n, "Resources", name, "Properties", "Metrics")), func(m node) bool {
			_, optional := m.(tagged)
			return optional
		})
		watched += max(len(metrics)-1, 1) // without the expression
	}
	if want := fmt.Sprintf("| alarms, by metric | 0.10 | 1 | 0 | 0 | 0 | %d |", watched); !strings.Contains(read(t, "docs/DEPLOY.md"), want) {
		t.Errorf("docs/DEPLOY.md lacks %s", want)
	}
}
