package repo

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// item is an item of a month's bill.
type item struct {
	group                         string
	price, per                    float64
	aConnection, anEvent, besides float64 // how many
}

var priced = regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| ([\d.]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| (\d+) \|$`)

// The cost table of docs/DEPLOY.md follows from the prices in the same document.
func TestCost(t *testing.T) {
	t.Parallel()
	doc := read(t, "docs/DEPLOY.md")
	var bill []item
	var groups []string
	for _, m := range priced.FindAllStringSubmatch(doc, -1) {
		var n []float64
		for _, s := range m[3:] {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			n = append(n, f)
		}
		bill = append(bill, item{m[1], n[0], n[1], n[2], n[3], n[4]})
		if !slices.Contains(groups, m[1]) {
			groups = append(groups, m[1])
		}
	}
	cost := func(group string, connections, events float64) (sum float64) {
		for _, i := range bill {
			if group == "" || i.group == group {
				sum += (i.aConnection*connections + i.anEvent*events + i.besides) / i.per * i.price
			}
		}
		return sum
	}
	row := func(name, group string) string {
		return fmt.Sprintf("| %s | %.2f | %.0f |", name, cost(group, 100, 10_000), cost(group, 10_000, 10_000_000))
	}
	var want []string
	for _, g := range groups {
		want = append(want, row(g, g))
	}
	want = append(want, row("**together**", ""))
	_, table, _ := strings.Cut(doc, "| $ a month | 100 connections, 10,000 events | 10,000 connections, 10 million events |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if d := cmp.Diff(strings.Split(table, "\n"), want); d != "" {
		t.Errorf("cost table of docs/DEPLOY.md (-got +want):\n%s", d)
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
	if want := fmt.Sprintf("| alarms, by metric | 0.10 | 1 | 0 | 0 | %d |", watched); !strings.Contains(read(t, "docs/DEPLOY.md"), want) {
		t.Errorf("docs/DEPLOY.md lacks %s", want)
	}
}
