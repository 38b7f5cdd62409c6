package procore

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An operation is what Procore's reference says of one method and path.
type operation struct {
	filters    bool // on updated_at
	deprecated bool
	sunset     string
}

// A reference is keyed by method and path, with {} for each parameter.
type reference map[string]operation

// ourReference reads the part of Procore's REST reference that matters to this package, in the copy of May 2026: each operation
// that it uses, and those of other versions.
func ourReference(t *testing.T) reference {
	t.Helper()
	f, err := os.Open("testdata/reference.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ref := reference{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Split(lines.Text(), "\t"); len(fields) == 3 {
			ref[operationOf(fields[0], fields[1])] = operation{filters: fields[2] != ""}
		}
	}
	return ref
}

// openAPI reads a downloaded OpenAPI file.
func openAPI(b []byte) (reference, error) {
	var file struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	ref := reference{}
	for path, methods := range file.Paths {
		if !strings.HasPrefix(path, "/rest/") && !strings.HasPrefix(path, "/oauth/") {
			path = "/rest" + path
		}
		for method, raw := range methods {
			var o struct {
				Deprecated bool   `json:"deprecated"`
				Sunset     string `json:"x-sunset"`
				Parameters []struct {
					Name string `json:"name"`
				} `json:"parameters"`
			}
			if _, err := Unmarshal(raw, &o); err != nil {
				continue // x-..., parameters of the path
			}
			filters := slices.ContainsFunc(o.Parameters, func(p struct {
				Name string `json:"name"`
			}) bool {
				return p.Name == updatedAt
			})
			ref[operationOf(strings.ToUpper(method), path)] = operation{filters: filters, deprecated: o.Deprecated, sunset: o.Sunset}
		}
	}
	return ref, nil
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

func operationOf(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	return method + " " + parameter.ReplaceAllString(path, "{}")
}

// family returns the version of an operation, and what it has in common with its other versions. REST v2 has company and project
// in the path where v1 has them in the query.
func family(op string) (version, rest string) {
	method, path, _ := strings.Cut(op, " /rest/")
	version, rest, _ = strings.Cut(path, "/")
	return version, method + " " + rest
}

// newer returns the newest later version of an operation, or "".
func (ref reference) newer(op string) string {
	version, rest := family(op)
	best := ""
	for other := range ref {
		v, r := family(other)
		if r != rest && (v < "v2" || version >= "v2" || unscoped(r) != unscoped(rest)) {
			continue
		}
		if v > version && other > best {
			best = other
		}
	}
	return best
}

func unscoped(rest string) string {
	method, path, _ := strings.Cut(rest, " ")
	for _, scope := range []string{"companies/{}/", "projects/{}/"} {
		path = strings.TrimPrefix(path, scope)
	}
	return method + " " + path
}

// outdated are operations of which Procore has a newer version, and why it is not used.
var outdated = map[string]string{
	"GET /rest/v1.1/projects/{}/submittals":    "v2.0 has the list alone, and one form of a submittal is enough",
	"GET /rest/v1.0/projects/{}/project_dates": "v2.0 has the list alone",
}

// A use is what this package needs of an operation.
type use string

const (
	called     use = ""
	filtered   use = "a filter on updated_at"
	unfiltered use = "no filter on updated_at"
)

// check compares what is used with the reference.
func (ref reference) check(uses map[string]use) (findings []string) {
	for op, need := range uses {
		o, there := ref[op]
		switch newer := ref.newer(op); {
		case !there:
			findings = append(findings, op+" is not in the reference")
		case newer != "" && outdated[op] == "":
			findings = append(findings, op+" has a newer version, "+newer)
		case need == filtered && !o.filters, need == unfiltered && o.filters:
			findings = append(findings, op+" does not have "+string(need))
		}
		if o.deprecated || o.sunset != "" {
			findings = append(findings, op+" is deprecated, sunset "+orUnknown(o.sunset))
		}
	}
	slices.Sort(findings)
	return findings
}

func orUnknown(date string) string {
	if date == "" {
		return "unknown"
	}
	return date
}

// used returns the operations of the table, and those that the clients call.
func used(t *testing.T) map[string]use {
	t.Helper()
	uses := map[string]use{}
	for _, op := range clientCalls(t) {
		uses[op] = called
	}
	for _, r := range Resources() {
		if r.Item != "" {
			uses[operationOf("GET", r.Item)] = called
		}
		if r.List != "" {
			uses[operationOf("GET", r.List)] = unfiltered
			if r.Filter != "" {
				uses[operationOf("GET", r.List)] = filtered
			}
		}
	}
	return uses
}

// Everything that this package calls exists, and Procore has no newer version of it.
func TestPathsAgainstTheReference(t *testing.T) {
	t.Parallel()
	uses := used(t)
	for _, finding := range ourReference(t).check(uses) {
		t.Error(finding)
	}
	for op := range outdated {
		if _, ok := uses[op]; !ok {
			t.Errorf("%s is an exception, but is not used", op)
		}
	}
}

// make reference FILE=openapi.json compares with a downloaded file.
func TestPathsAgainstAFile(t *testing.T) {
	t.Parallel()
	name := os.Getenv("OPENAPI")
	if name == "" {
		t.Skip("OPENAPI names no file; see make reference")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := openAPI(b)
	if err != nil {
		t.Fatal(err)
	}
	uses := used(t)
	t.Logf("%d operations of %d in the file are used", len(uses), len(ref))
	for _, finding := range ref.check(uses) {
		t.Error(finding)
	}
}

// The comparison finds what it is for.
func TestReferenceFindings(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := openAPI(b)
	if err != nil {
		t.Fatal(err)
	}
	got := ref.check(map[string]use{
		"GET /rest/v1.0/projects/{}/rfis":       filtered,
		"GET /rest/v1.0/projects/{}/rfis/{}":    called,
		"GET /rest/v1.0/projects/{}/meetings":   unfiltered,
		"GET /rest/v1.0/prime_contracts":        filtered,
		"GET /rest/v1.0/webhooks/hooks":         called,
		"GET /rest/v1.0/projects/{}/images":     unfiltered,
		"GET /rest/v1.0/offices":                filtered,
		"DELETE /rest/v1.0/projects/{}/rfis/{}": called,
		"POST /oauth/token":                     called,
	})
	want := []string{
		"DELETE /rest/v1.0/projects/{}/rfis/{} is not in the reference",
		"GET /rest/v1.0/offices does not have a filter on updated_at",
		"GET /rest/v1.0/prime_contracts has a newer version, GET /rest/v2.0/companies/{}/projects/{}/prime_contracts",
		"GET /rest/v1.0/projects/{}/images does not have no filter on updated_at",
		"GET /rest/v1.0/projects/{}/meetings has a newer version, GET /rest/v1.1/projects/{}/meetings",
		"GET /rest/v1.0/webhooks/hooks is deprecated, sunset 2027-06-01",
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}

// unreadable are the webhook resources of which the reference has no single item, under any name.
var unreadable = []string{
	"Budget Change Adjustment Line Items", "Budget Change Adjustments", "Budget Change Production Quantities", "Budget View Snapshots",
	"Change Event Line Items", "Change Order Change Reasons", "Change Types", "Coordination Issue Activities", "Daily Log/Entries", "Daily Logs",
	"Document Upload", "Draw Requests", "Drawing Areas", "Drawing Sets", "Drawings", "ERP Requests", "Markup Layers", "Meeting Attendees",
	"Meeting Categories", "Meeting Topics", "Observation Item Response Logs", "Pdf Download Pages", "Specification Areas",
	"Specification Section Divisions", "Specification Sections", "Submittal Packages", "Timecard Time Types",
}

// Every resource that webhooks report is in the table, unless there is nothing to read. The scope of both is the same.
func TestTableHasEachWebhookResource(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../procoretest/webhook-resources.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) >= 3 {
			seen[f[1]] = f[0]
		}
	}
	for name, scope := range seen {
		r, ok := ResourceOf(name)
		if readable := ok && r.Item != ""; readable == slices.Contains(unreadable, name) {
			t.Errorf("%s: its item can be read: %t", name, readable)
		}
		if ok && (r.Name != name || r.InProject() != (scope == "project")) {
			t.Errorf("%s of the %s is %s in the table, of a project: %t", name, scope, r.Name, r.InProject())
		}
	}
	names := map[string]string{}
	for _, r := range Resources() {
		if seen[r.Name] == "" {
			t.Errorf("%s is in the table, but webhooks do not report it", r.Name)
		}
		if (r.Parent != "") != strings.Contains(r.Item, "{parent_id}") || r.Parent != "" && CanonicalResource(r.Parent) != r.Parent {
			t.Errorf("%s: the parent %q is not that of %s", r.Name, r.Parent, r.Item)
		}
		for _, name := range append(r.Aliases, r.Name) {
			if other := names[plainName(name)]; other != "" {
				t.Errorf("%s and %s have one name, %s", other, r.Name, name)
			}
			names[plainName(name)] = r.Name
		}
	}
}
