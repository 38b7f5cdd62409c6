package procore

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const inTestCompany = "company_id=9007199254740993"

// reads calls do against a server that answers the one route with body, and compares
// value and query.
func reads[T any](t *testing.T, route, body, query string, do func(context.Context, *CompanyClient) (T, error), want T) {
	t.Helper()
	f := serve(t, map[string]http.HandlerFunc{"GET " + route: answers(200, body)})
	got, err := do(t.Context(), f.company())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("GET %s (-got +want):\n%s", route, d)
	}
	if got := f.all()[0].URL.RawQuery; got != query {
		t.Errorf("GET %s: got query %q, want %q", route, got, query)
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	reads(t, "/rest/v1.0/me", `{"id":1234567,"login":"joe@acme.com","name":"Joe Builder"}`, "",
		func(ctx context.Context, c *CompanyClient) (Me, error) { return c.Me(ctx) },
		Me{1234567, "joe@acme.com", "Joe Builder"})
	for _, body := range []string{`{}`, `null`, `{"id":0}`, `{"id":-1}`} {
		f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/me": answers(200, body)})
		if _, err := NewUserClient(f.env(), f.Client()).Me(t.Context()); err == nil {
			t.Errorf("%s: no error for a user without an id", body)
		}
	}
}

func TestCompanies(t *testing.T) {
	t.Parallel()
	reads(t, "/rest/v1.0/companies", `[{"id":5678,"name":"My Construction Company","is_active":true,"logo_url":null}]`, "per_page=2000",
		func(ctx context.Context, c *CompanyClient) ([]Company, error) { return Collect(c.Companies(ctx)) },
		[]Company{{5678, "My Construction Company", new(true)}})
}

func TestProjects(t *testing.T) {
	t.Parallel()
	const body = `{"id":219542,"name":"Tower","display_name":"A-1 - Tower","project_number":null,"active":true,"updated_at":"2026-04-14T17:55:41Z"}`
	want := Project{ID: 219542, Name: "Tower", DisplayName: "A-1 - Tower", Active: true, UpdatedAt: time.Date(2026, 4, 14, 17, 55, 41, 0, time.UTC)}
	reads(t, "/rest/v1.1/projects", "["+body+"]", inTestCompany+"&per_page=100",
		func(ctx context.Context, c *CompanyClient) ([]Project, error) { return Collect(c.Projects(ctx)) }, []Project{want})
	reads(t, "/rest/v1.0/projects/219542", body, inTestCompany,
		func(ctx context.Context, c *CompanyClient) (Project, error) { return c.Project(ctx, 219542) }, want)
}

func TestRFIs(t *testing.T) {
	t.Parallel()
	const body = `{"id":9007199254740995,"subject":"Which bolt?","status":"open","created_at":null,"updated_at":"2026-04-14T17:55:41Z"}`
	want := RFI{ID: 9007199254740995, Subject: "Which bolt?", Status: "open", UpdatedAt: time.Date(2026, 4, 14, 17, 55, 41, 0, time.UTC)}
	reads(t, "/rest/v1.0/projects/7/rfis", "["+body+"]", "per_page=100",
		func(ctx context.Context, c *CompanyClient) ([]RFI, error) { return Collect(c.RFIs(ctx, 7)) }, []RFI{want})
	reads(t, "/rest/v1.0/projects/7/rfis/9007199254740995", body, "",
		func(ctx context.Context, c *CompanyClient) (RFI, error) { return c.RFI(ctx, 7, 9007199254740995) }, want)
}

func TestCompanyUsers(t *testing.T) {
	t.Parallel()
	const body = `{"id":3,"name":"Ann","email_address":"ann@acme.com","is_active":true,"updated_at":null}`
	want := CompanyUser{ID: 3, Name: "Ann", EmailAddress: "ann@acme.com", IsActive: true}
	const path = "/rest/v1.3/companies/9007199254740993/users"
	reads(t, path, "["+body+"]", "per_page=100",
		func(ctx context.Context, c *CompanyClient) ([]CompanyUser, error) {
			return Collect(c.CompanyUsers(ctx))
		}, []CompanyUser{want})
	reads(t, path+"/3", body, "",
		func(ctx context.Context, c *CompanyClient) (CompanyUser, error) { return c.CompanyUser(ctx, 3) }, want)
}

func TestRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ path, query string }{
		"Projects":                 {"/rest/v1.0/projects/42", inTestCompany},
		"Company Users":            {"/rest/v1.3/companies/9007199254740993/users/42", ""},
		"Company Vendors":          {"/rest/v1.0/vendors/42", inTestCompany},
		"RFIs":                     {"/rest/v1.0/projects/7/rfis/42", ""},
		"Submittals":               {"/rest/v1.1/projects/7/submittals/42", ""},
		"Project Users":            {"/rest/v1.0/projects/7/users/42", ""},
		"Punch Items":              {"/rest/v1.1/punch_items/42", "project_id=7"},
		"Observation Items":        {"/rest/v1.0/observations/items/42", "project_id=7"},
		"Purchase Order Contracts": {"/rest/v1.0/purchase_order_contracts/42", "project_id=7"},
		"Work Order Contracts":     {"/rest/v1.0/work_order_contracts/42", "project_id=7"},
		"Direct Cost Line Items":   {"/rest/v1.0/projects/7/direct_costs/9/line_items/42", ""},
		"Prime Contracts":          {"/rest/v2.0/companies/9007199254740993/projects/7/prime_contracts/42", ""},
	}
	for resource, tt := range tests {
		e := Event{CompanyID: testCompany, ProjectID: 7, Resource: resource, ResourceID: "42", Related: []RelatedResource{{"1", "Prime Contracts"}, {"9", "Direct Costs"}}}
		body := `{"id":42}`
		if strings.HasPrefix(tt.path, "/rest/v2") {
			body = `{"data":{"id":42}}`
		}
		reads(t, tt.path, body, tt.query,
			func(ctx context.Context, c *CompanyClient) (json.RawMessage, error) { return c.Read(ctx, e) }, json.RawMessage(`{"id":42}`))
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	f := serve(t, nil)
	c, ctx := f.company(), t.Context()
	if _, err := c.Read(ctx, Event{CompanyID: 1, Resource: "Projects", ResourceID: "1"}); err == nil || !strings.Contains(err.Error(), "another company") {
		t.Errorf("another company: got %v", err)
	}
	_, err := c.Read(ctx, Event{CompanyID: testCompany, Resource: "Daily Logs", ResourceID: "1", ProjectID: 2})
	if ue, ok := errors.AsType[*UnknownResourceError](err); !ok || ue.Resource != "Daily Logs" || !strings.Contains(err.Error(), "Daily Logs") {
		t.Errorf("unknown resource: got %v", err)
	}
	if _, err := c.Read(ctx, Event{CompanyID: testCompany, Resource: "RFIs", ResourceID: "1"}); err == nil {
		t.Error("no error for an RFI without a project")
	}
	_, err = c.Read(ctx, Event{CompanyID: testCompany, ProjectID: 7, Resource: "RFI Replies", ResourceID: "1"})
	if ue, ok := errors.AsType[*UnknownResourceError](err); !ok || ue.NoParent != "RFIs" || !strings.Contains(err.Error(), "RFIs") {
		t.Errorf("a reply of an unknown RFI: got %v", err)
	}
	if n := len(f.all()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestCanonicalResource(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"RFIs": "RFIs", "rfis": "RFIs", "RFI": "RFIs", " RFIs ": "RFIs", "Punch Item": "Punch Items", "punch_items": "Punch Items", "PunchItems": "Punch Items",
		"Document Upload": "Document Upload", " Document  Upload ": "Document Upload", "": "",
	} {
		if got := CanonicalResource(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
