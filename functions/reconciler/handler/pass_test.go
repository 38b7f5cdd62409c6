package handler

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// made is what a pass makes: calls to Procore, and units of the tables Connections and Inbox. A refresh of the grant is
// not among them.
type made struct{ calls, writes, reads float64 }

// The parts of a pass are those of docs/DEPLOY.md, from which TestCapacity of internal/testing/repo computes the rest. A
// unit may cost less than is stated there, but not a half.
func TestPassMakes(t *testing.T) {
	t.Parallel()
	const few, many = 5, 105
	a, b := pass(t, few), pass(t, many)
	list := made{(b.calls - a.calls) / (many - few), (b.writes - a.writes) / (many - few), (b.reads - a.reads) / (many - few)}
	company := made{a.calls - few*list.calls, a.writes - few*list.writes, a.reads - few*list.reads}
	doc, err := os.ReadFile("../../../docs/DEPLOY.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]made{"the company": company, "a list": list} {
		row := regexp.MustCompile(`(?m)^\| ` + name + ` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$`).FindStringSubmatch(string(doc))
		if row == nil {
			t.Fatalf("docs/DEPLOY.md has no row of %s", name)
		}
		want := made{number(t, row[1]), number(t, row[2]), number(t, row[3])}
		if got.calls != want.calls || !near(got.writes, want.writes) || !near(got.reads, want.reads) {
			t.Errorf("%s makes %+v, docs/DEPLOY.md states %+v", name, got, want)
		}
	}
}

func near(got, stated float64) bool { return got <= stated && got >= stated/2 }

func number(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// pass returns what a pass over a company makes that has so many projects, one subscribed resource, and no change.
func pass(t *testing.T, projects int) made {
	t.Helper()
	w := functiontest.New(t)
	company := procoretest.NewCompany(900, "Measured", procoretest.Joe)
	for i := range int64(projects) {
		company.Projects = append(company.Projects, procoretest.Project{ID: 9000 + i, Name: "A project"})
	}
	if err := w.Procore.AddCompany(company); err != nil {
		t.Fatal(err)
	}
	w.Connect(900, procoretest.Joe, connections.WebhooksPending)
	h := newReconciler(w)
	h.reconciler.Want.PerOwner, h.reconciler.Want.PerApp = 10_000, 10_000
	if _, err := h.reconciler.Hooks.Reconcile(t.Context(), 900); err != nil {
		t.Fatal(err)
	}
	run := func() {
		t.Helper()
		w.Clock.Advance(h.reconciler.Want.Period + 10*time.Minute)
		if r, err := h.reconciler.Run(t.Context()); err != nil || r.Lag != 0 || r.Reconciled+r.Moved+r.NotCovered != 0 {
			t.Fatalf("%+v, %v, want a pass that finds nothing", r, err)
		}
	}
	run() // the first one begins where the hook did
	var m made
	before := len(w.Procore.State().Calls)
	w.Fault(func(operation string, body []byte) dynamotest.Fault {
		m.count(t, w, operation, body)
		return dynamotest.Fault{}
	})
	run()
	w.Fault(nil)
	for _, c := range w.Procore.State().Calls[before:] {
		if strings.HasPrefix(c.Path, "/rest/") {
			m.calls++
		}
	}
	return m
}

// count adds the units of an operation: of a row of a kilobyte, and for a new place in an index two more.
func (m *made) count(t *testing.T, w *functiontest.World, operation string, body []byte) {
	t.Helper()
	var in struct {
		TableName, IndexName     string
		ExpressionAttributeNames map[string]string
	}
	if err := json.Unmarshal(body, &in); err != nil {
		t.Error(err)
	}
	if in.TableName != w.Tables.Connections && in.TableName != w.Tables.Inbox || in.IndexName == "checks" {
		return // the index is read once for all companies
	}
	switch operation {
	case "GetItem", "Query":
		m.reads++
	default:
		m.writes++
		for _, name := range in.ExpressionAttributeNames {
			if name == "check_at" {
				m.writes += 2
			}
		}
	}
}
