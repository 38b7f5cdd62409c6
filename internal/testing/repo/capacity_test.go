package repo

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// amount is what a part of a pass of the reconciler makes.
type amount struct{ calls, writes, reads float64 }

var amounts = regexp.MustCompile(`(?m)^\| (the company|a list|a changed item) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$`)

// Assumptions of the table, which docs/DEPLOY.md states.
const (
	changesADay   = 10  // in each project
	secondsACall  = 0.3 // of Procore
	callsAtOnce   = 4
	functionGB    = 0.25
	days          = 30
	gigabyteMonth = days * 24 // hours
)

// fleet is a deployment to compute for.
type fleet struct {
	companies, projects, resources int
	period                         time.Duration
}

func (f fleet) lists() float64 { return float64(f.projects * f.resources) }

// The table of docs/DEPLOY.md follows from what a part of a pass makes, the budgets of the template and the prices, which
// the same document has. TestPassMakes of functions/reconciler measures the parts.
func TestCapacity(t *testing.T) {
	t.Parallel()
	doc := read(t, "docs/DEPLOY.md")
	makes := passMakes(t, doc)
	n := template(t)
	owner := parse(t, text(get(n, "Parameters", "ReconcileCallsPerOwner", "Default")))
	app := parse(t, text(get(n, "Parameters", "ReconcileCallsPerApp", "Default")))
	var want []string
	for _, f := range []fleet{
		{1, 20, 3, 6 * time.Hour},
		{10, 20, 3, 6 * time.Hour},
		{100, 50, 3, 6 * time.Hour},
		{100, 50, 3, 24 * time.Hour},
		{1000, 10, 1, 24 * time.Hour},
		{10_000, 5, 1, 24 * time.Hour},
		{1, 2000, 10, 24 * time.Hour},
	} {
		pass := makes["the company"].calls + f.lists()*makes["a list"].calls
		all, hours := pass*float64(f.companies), f.period.Hours()
		takes := max(pass/owner, all/app)
		late := ""
		if takes > hours {
			late = ", too long"
		}
		dynamo, lambda := f.costs(t, doc)
		want = append(want, fmt.Sprintf("| %s | %s | %d | %v | %s | %s, %s | %s%s | %.2f | %.2f |",
			thousands(float64(f.companies)), thousands(float64(f.projects)), f.resources, strings.TrimSuffix(f.period.String(), "0m0s"),
			thousands(pass), thousands(math.Ceil(pass/hours)), thousands(math.Ceil(all/hours)), decimal(takes), late, dynamo, lambda))
	}
	_, table, _ := strings.Cut(doc, "| companies | projects of each | resources | period |")
	_, table, _ = strings.Cut(table, "|\n|---|---|---|---|---|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if d := cmp.Diff(strings.Split(table, "\n"), want); d != "" {
		t.Errorf("capacity of docs/DEPLOY.md (-got +want):\n%s", d)
	}
}

// passMakes returns what each part of a pass makes.
func passMakes(t *testing.T, doc string) map[string]amount {
	t.Helper()
	makes := make(map[string]amount)
	for _, m := range amounts.FindAllStringSubmatch(doc, -1) {
		makes[m[1]] = amount{parse(t, m[2]), parse(t, m[3]), parse(t, m[4])}
	}
	if len(makes) != 3 {
		t.Fatalf("docs/DEPLOY.md has %d parts of a pass, want 3", len(makes))
	}
	return makes
}

// costs returns what reconciliation costs a month, in $.
func (f fleet) costs(t *testing.T, doc string) (dynamo, lambda float64) {
	t.Helper()
	makes := passMakes(t, doc)
	company, list := makes["the company"], makes["a list"]
	passes := float64(f.companies) * gigabyteMonth / f.period.Hours()
	changes := float64(f.companies*f.projects*changesADay*days) * makes["a changed item"].reads
	dynamo = passes*price(t, doc, "write units")*(company.writes+f.lists()*list.writes) +
		(passes*(company.reads+f.lists()*list.reads)+changes)*price(t, doc, "read units")
	calls := passes * (company.calls + f.lists()*list.calls)
	return dynamo, calls * secondsACall / callsAtOnce * functionGB * price(t, doc, "GB-seconds")
}

func parse(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// price returns what one of an item of the cost table costs.
func price(t *testing.T, doc, name string) float64 {
	t.Helper()
	for _, m := range priced.FindAllStringSubmatch(doc, -1) {
		if m[2] == name {
			return parse(t, m[3]) / parse(t, m[4])
		}
	}
	t.Fatalf("docs/DEPLOY.md has no price of %s", name)
	return 0
}

// thousands writes a whole number with commas.
func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// decimal writes hours: 0.4, 2.6, 25.
func decimal(f float64) string {
	if f >= 10 {
		return thousands(f)
	}
	return fmt.Sprintf("%.1f", f)
}
