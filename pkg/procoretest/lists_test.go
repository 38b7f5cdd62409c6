package procoretest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

// day0 is the time of the fake in the tests of lists.
var day0 = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// updatedIn returns the parameter for what was updated from a to b after day0.
func updatedIn(a, b time.Duration) string {
	from, to := day0.Add(a).Format(time.RFC3339Nano), day0.Add(b).Format(time.RFC3339Nano)
	return url.QueryEscape("filters[updated_at]") + "=" + url.QueryEscape(from+"..."+to)
}

// listsFake is a fake with a user, for tests of lists.
type listsFake struct {
	*Server
	t     *testing.T
	token string
}

func startLists(t *testing.T, o Options) *listsFake {
	t.Helper()
	o.Now = func() time.Time { return day0 }
	p := Start(t, o)
	p.Advance(24 * time.Hour)
	return &listsFake{p, t, p.Token(t, Joe, redirect).AccessToken}
}

// emit makes changes of the project 2001 at times after day0, one for each title.
func (l *listsFake) emit(name string, at map[string]time.Duration) {
	l.t.Helper()
	var all []Event
	for title, after := range at {
		all = append(all, Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: name, EventType: "create", Title: title, At: day0.Add(after)})
	}
	if _, err := l.EmitAll(all); err != nil {
		l.t.Fatal(err)
	}
}

// titles returns the sorted titles of a list.
func (l *listsFake) titles(path string) string {
	l.t.Helper()
	var all []string
	for _, one := range l.items(path) {
		all = append(all, one.Title)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

type listItem struct {
	ID        procore.ID
	Title     string
	UpdatedAt *string `json:"updated_at"`
}

func (l *listsFake) items(path string) []listItem {
	l.t.Helper()
	got := api(l.t, l.Server, l.token, MyConstruction, "GET", path, "").wants(l.t, 200, "")
	var v1 []listItem
	if !strings.HasPrefix(path, "/rest/v2.") {
		got.into(l.t, &v1)
		return v1
	}
	var v2 struct{ Data []listItem }
	got.into(l.t, &v2)
	return v2.Data
}

// A list is limited to what was updated in a range, both ends included, and its pages and
// their headers are those of what is left.
func TestUpdatedRange(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/rest/v1.0/projects/2001/incidents?",
		"/rest/v1.0/observations/items?project_id=2001&",
		"/rest/v2.0/companies/5678/projects/2001/coordination_issues?",
	} {
		l := startLists(t, Options{})
		for _, name := range []string{"Incidents", "Observations", "Coordination Issues"} {
			l.emit(name, map[string]time.Duration{"a": 0, "b": time.Second, "c": 2 * time.Second, "d": 2*time.Second + time.Microsecond})
		}
		for query, want := range map[string]string{
			"":                                      "a b c d",
			updatedIn(time.Second, 2*time.Second):   "b c",
			updatedIn(0, 0):                         "a",
			updatedIn(3*time.Second, 4*time.Hour):   "",
			updatedIn(-time.Hour, 500*time.Hour):    "a b c d",
			updatedIn(1, 2*time.Second-1):           "b",
			updatedIn(2*time.Second, 3*time.Second): "c d",
		} {
			if got := l.titles(path + query); got != want {
				t.Errorf("%s%s: got %q, want %q", path, query, got, want)
			}
		}
		got := api(t, l.Server, l.token, MyConstruction, "GET", path+"per_page=1&page=2&"+updatedIn(0, time.Second), "").wants(t, 200, `"title":"`)
		if h := got.header; h.Get("Total") != "2" || !strings.Contains(h.Get("Link"), `rel="prev"`) || strings.Contains(h.Get("Link"), `rel="next"`) ||
			!strings.Contains(h.Get("Link"), updatedIn(0, time.Second)) {
			t.Errorf("%s: headers %v, want the last of two pages with the filter in its links", path, h)
		}
		for _, odd := range []string{"2026-06-01T00:00:00Z", "a...b", "...", "2026-06-02T00:00:00Z...2026-06-01T00:00:00Z"} {
			api(t, l.Server, l.token, MyConstruction, "GET", path+"filters[updated_at]="+odd, "").wants(t, 400, "two times")
		}
	}
}

// A list without the filter is not limited by it, as Procore ignores unknown parameters.
func TestListWithoutFilter(t *testing.T) {
	t.Parallel()
	l := startLists(t, Options{})
	l.emit("Meetings", map[string]time.Duration{"a": 0})
	if got := l.titles("/rest/v1.1/projects/2001/meetings?" + updatedIn(time.Hour, 2*time.Hour)); got != "a" {
		t.Errorf("got %q, want the meeting", got)
	}
}

// Projects have times, and their lists the filter.
func TestUpdatedProjects(t *testing.T) {
	t.Parallel()
	l := startLists(t, Options{})
	if _, err := l.Emit(Event{CompanyID: MyConstruction, ResourceName: "Projects", ResourceID: "2002", EventType: "update", At: day0.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/rest/v1.1/projects?company_id=5678&", "/rest/v1.0/companies/5678/projects?", "/rest/v2.0/companies/5678/projects?"} {
		for query, want := range map[string]int{"": 2, updatedIn(-time.Second, time.Second): 1, updatedIn(time.Hour, time.Hour): 1, updatedIn(time.Second, time.Minute): 0} {
			got := l.items(path + query)
			if len(got) != want {
				t.Errorf("%s%s: got %d projects, want %d", path, query, len(got), want)
			}
			for _, p := range got {
				if p.UpdatedAt == nil {
					t.Errorf("%s: a project without updated_at", path)
				}
			}
		}
		api(t, l.Server, l.token, MyConstruction, "GET", path+"filters[updated_at]=today", "").wants(t, 400, "two times")
	}
}

// A silent change moves updated_at, and no hook reports it.
func TestSilent(t *testing.T) {
	t.Parallel()
	l := startLists(t, Options{})
	rec := receive(t, nil)
	addTrigger(t, l.Server, l.token, newHook(t, l.Server, l.token, rec.URL, "v2.0"), "RFIs", "update")
	e := Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", ResourceID: "42", EventType: "update"}
	e.Silent = true
	if made, err := l.Emit(e); err != nil || len(made.EventIDs) != 0 {
		t.Errorf("Emit = %+v, %v, want a change without an event", made, err)
	}
	if got := l.titles("/rest/v1.0/projects/2001/rfis?" + updatedIn(24*time.Hour, 24*time.Hour)); got != "RFIs 42" {
		t.Errorf("updated: %q, want the one", got)
	}
	e.Silent, e.At = false, day0.Add(25*time.Hour)
	if _, err := l.Emit(e); err == nil {
		t.Error("a change in the future is accepted")
	}
}

// A ULID is the id of a Document Upload: in events, in lists, and where it is read.
func TestULIDResource(t *testing.T) {
	t.Parallel()
	l := startLists(t, Options{})
	rec := receive(t, nil)
	addTrigger(t, l.Server, l.token, newHook(t, l.Server, l.token, rec.URL, "v4.0"), "Document Upload", "create")
	made, err := l.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "Document Upload", EventType: "create", Title: "Plan"})
	if err != nil || len(made.ResourceID) != 26 {
		t.Fatalf("Emit = %+v, %v, want a ULID", made, err)
	}
	if d := rec.next(t); !strings.Contains(d.body, fmt.Sprintf(`"resource_id":%q`, made.ResourceID)) {
		t.Errorf("delivered %s, want %s", d.body, made.ResourceID)
	}
	for _, version := range []string{"v1.0", "v2.0/companies/5678"} {
		path := "/rest/" + version + "/projects/2001/document_upload"
		if got := l.items(path); len(got) != 1 || got[0].ID != made.ResourceID {
			t.Errorf("%s lists %v, want %s", path, got, made.ResourceID)
		}
		api(t, l.Server, l.token, MyConstruction, "GET", path+"/"+string(made.ResourceID), "").wants(t, 200, "Plan")
	}
}

// The ids of resources are not paths.
func TestResourceIDs(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for id, valid := range map[procore.ID]bool{"5": true, "01JDXMPK0MTP0H41D4PYZ62R6R": true, "a0-b1": true, "-1": false, "0": false, "..": false, "a/b": false, "ü": false} {
		if _, err := p.Emit(Event{CompanyID: MyConstruction, ResourceName: "Trades", ResourceID: id, EventType: "update"}); (err == nil) != valid {
			t.Errorf("id %q: %v, want valid %t", id, err, valid)
		}
	}
}

// Many changes are made in one call, and lists stay fast in a large world.
func TestManyResources(t *testing.T) {
	t.Parallel()
	p := Start(t)
	var all []Event
	for i := range 200 {
		c := NewCompany(int64(60_000+i), "Large", Joe)
		for j := range int64(5) {
			c.Projects = append(c.Projects, Project{ID: c.ID*100 + j, Name: "P"})
			for range 20 {
				all = append(all, Event{CompanyID: c.ID, ProjectID: c.ID*100 + j, ResourceName: "RFIs", EventType: "create"})
			}
		}
		if err := p.AddCompany(c); err != nil {
			t.Fatal(err)
		}
	}
	if made, err := p.EmitAll(all); err != nil || len(made) != 20_000 {
		t.Fatalf("made %d, %v", len(made), err)
	}
	all = append(all[:1:1], Event{CompanyID: 1})
	if made, err := p.EmitAll(all); len(made) != 1 || err == nil || !strings.Contains(err.Error(), "change 1") {
		t.Errorf("made %d, %v, want one and an error", len(made), err)
	}
	api(t, p, p.Token(t, Joe, redirect).AccessToken, 60_007, "GET", "/rest/v1.0/projects/6000704/rfis", "").wants(t, 200, "RFIs")
	steer(t, p, "POST", "batches", `[{"company_id":5678,"resource_name":"Trades","event_type":"create","resource_id":7},`+
		`{"company_id":5678,"resource_name":"Trades","event_type":"update","resource_id":"7","silent":true}]`).wants(t, 200, `"resource_id":"7"`)
}
