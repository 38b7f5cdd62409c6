package procoretest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

// The fake has each item and each list of the client's table, at the path and with the query that the table has.
func TestTable(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	const company, project = MyConstruction, 2001
	updated := p.Now().UTC().Truncate(time.Second)
	within := fmt.Sprintf("filters[updated_at]=%s...%s", updated.Add(-time.Minute).Format(time.RFC3339), updated.Add(time.Minute).Format(time.RFC3339))
	before := fmt.Sprintf("filters[updated_at]=%s...%s", updated.Add(-time.Hour).Format(time.RFC3339), updated.Add(-time.Minute).Format(time.RFC3339))
	for _, r := range procore.Resources() {
		if r.Name == "Projects" {
			continue
		}
		e := Event{CompanyID: company, ResourceName: r.Name, EventType: "create", Title: "One of " + r.Name}
		if r.InProject() {
			e.ProjectID = project
		}
		made, err := p.Emit(e)
		if err != nil {
			t.Fatal(err)
		}
		names := strings.NewReplacer("{company_id}", fmt.Sprint(company), "{project_id}", fmt.Sprint(project), "{parent_id}", "1", "{id}", string(made.ResourceID))
		get := func(path string) reply { return api(t, p, token, company, "GET", names.Replace(path), "") }
		if r.Item != "" {
			get(r.Item).wants(t, 200, e.Title)
			get(strings.Replace(r.Item, "{id}", "1", 1)).wants(t, 404, "")
		}
		if r.List == "" {
			continue
		}
		get(r.List).wants(t, 200, e.Title)
		join := "?"
		if path, _, query := strings.Cut(r.List, "?"); query {
			get(path).wants(t, 400, "_id parameter is missing")
			join = "&"
		}
		get(r.List+join+within).wants(t, 200, e.Title)
		if r.Filter == "" {
			continue
		}
		if got := get(r.List + join + before); strings.Contains(got.body, e.Title) {
			t.Errorf("%s: the list does not heed its filter", r.Name)
		}
		get(r.List+join+"filters[updated_at]=today").wants(t, 400, "two times")
	}
}

// Each resource of the table can be made, changed and deleted at its own path, and a hook reports it.
func TestTableChanges(t *testing.T) {
	t.Parallel()
	for _, r := range procore.Resources() {
		if r.Item != "" && r.Name != "Project File Versions" && r.Name != "Direct Cost Line Items" { // which have the path of another
			t.Run(r.Name, func(t *testing.T) {
				t.Parallel()
				changeTabled(t, r)
			})
		}
	}
}

func changeTabled(t *testing.T, r procore.Resource) {
	t.Helper()
	p := Start(t)
	rec := receive(t, nil)
	token := p.Token(t, Joe, redirect).AccessToken
	hook := newHook(t, p, token, rec.URL, "v3.0")
	triggers := webhookEvents("v3.0", false)[r.Name]
	if r.Name == "Project Users" || r.Name == "Project Vendors" { // their triggers for updates have ended
		triggers = []string{"create", "delete"}
	}
	for _, kind := range triggers {
		addTrigger(t, p, token, hook, r.Name, kind)
	}
	expect := func(kind string) {
		t.Helper()
		if !slices.Contains(triggers, kind) {
			return
		}
		if d := rec.next(t); !strings.Contains(d.body, `"resource_name":"`+r.Name+`"`) || !strings.Contains(d.body, `"event_type":"`+kind+`"`) {
			t.Errorf("%s: delivered %s", kind, d.body)
		}
	}
	send := func(method, path, body string) reply {
		t.Helper()
		return api(t, p, token, MyConstruction, method, path, body)
	}
	item := strings.NewReplacer("{company_id}", fmt.Sprint(MyConstruction), "{project_id}", "2001", "{parent_id}", "1").Replace(r.Item)
	all := strings.Replace(item, "/{id}", "", 1)
	var made struct {
		ID   procore.ID
		Data struct{ ID procore.ID }
	}
	send("POST", all, `{"subject":"Made"}`).wants(t, 201, `"Made"`).into(t, &made)
	expect("create")
	if path, _, query := strings.Cut(all, "?"); query {
		send("POST", path, `{"subject":"Made"}`).wants(t, 400, "_id parameter is missing")
		send("POST", path, `{"company_id":5678,"project_id":"2001","thing":{"subject":"By body"}}`).wants(t, 201, `"By body"`)
		expect("create")
	}
	one := strings.Replace(item, "{id}", string(or(made.ID, made.Data.ID)), 1)
	send("PATCH", one, `{"thing":{"title":"Changed"}}`).wants(t, 200, `"Changed"`)
	expect("update")
	send("GET", one, "").wants(t, 200, `"Changed"`)
	if r.Name != "Projects" { // which Procore does not delete
		send("DELETE", one, "").wants(t, 204, "")
		expect("delete")
		send("GET", one, "").wants(t, 404, "")
	}
}
