package procoretest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Other tests rely on the seeded world.
func TestSeed(t *testing.T) {
	t.Parallel()
	st := Start(t).State()
	type member struct{ companies, off int }
	got := map[string]member{}
	for _, u := range st.Users {
		m := member{}
		for _, c := range st.Companies {
			for _, id := range c.Members {
				if id == u.ID {
					m.companies++
					if !c.UserInstalls {
						m.off++
					}
				}
			}
		}
		got[u.Name] = m
	}
	want := map[string]member{"Joe Builder": {3, 1}, "Ann Planner": {1, 0}, "Max Visitor": {0, 0}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(member{})); diff != "" {
		t.Errorf("memberships (-want +got):\n%s", diff)
	}
	for _, c := range st.Companies {
		if len(c.Projects) == 0 || c.Installed || !c.Connected {
			t.Errorf("company %+v", c)
		}
	}
	if NorthernPlanner < 1<<53 || HarborHill < 1<<32 {
		t.Error("the large ids are not large")
	}
}

func TestProjectsChange(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	made, err := p.Emit(Event{CompanyID: MyConstruction, ResourceName: "Projects", EventType: "create", Title: "New Tower"})
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/rest/v1.0/projects/%s", made.ResourceID)
	api(t, p, token, MyConstruction, "GET", path, "").wants(t, 400, "company_id")
	api(t, p, token, MyConstruction, "GET", path+"?company_id=5678", "").wants(t, 200, "New Tower")
	change := Event{CompanyID: MyConstruction, ResourceName: "Projects", ResourceID: made.ResourceID, EventType: "update", Title: "Old Tower"}
	if _, err := p.Emit(change); err != nil {
		t.Fatal(err)
	}
	api(t, p, token, MyConstruction, "GET", "/rest/v1.0/companies/5678/projects", "").wants(t, 200, "Old Tower")
	change.CompanyID = HarborHill
	if _, err := p.Emit(change); err == nil || !strings.Contains(err.Error(), "not in company") {
		t.Errorf("another company's project: %v", err)
	}
	change.CompanyID, change.EventType = MyConstruction, "delete"
	if _, err := p.Emit(change); err != nil {
		t.Fatal(err)
	}
	api(t, p, token, MyConstruction, "GET", path+"?company_id=5678", "").wants(t, 404, "project")
}

// When events are sent by hand, a missing resource may be deleted, and a deleted one
// changed.
func TestResourcesComeAndGo(t *testing.T) {
	t.Parallel()
	p := Start(t)
	before := len(p.State().Resources)
	for _, step := range []struct {
		kind string
		want int
	}{{"delete", 0}, {"update", 1}, {"update", 1}, {"approve", 1}, {"delete", 0}, {"create", 1}} {
		e := Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "Direct Cost Line Items", ResourceID: "5", EventType: step.kind}
		if _, err := p.Emit(e); err != nil {
			t.Fatal(err)
		}
		if got := len(p.State().Resources) - before; got != step.want {
			t.Errorf("after %s there are %d more, want %d", step.kind, got, step.want)
		}
	}
	token := p.Token(t, Joe, redirect).AccessToken
	api(t, p, token, MyConstruction, "GET", "/rest/v1.0/projects/2001/direct_cost_line_items/5", "").wants(t, 200, `"revision":1`)
}
