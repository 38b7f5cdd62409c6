package procoretest

import (
	"fmt"
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
