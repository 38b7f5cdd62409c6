package procoretest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCompanyRules(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	tests := []struct {
		name      string
		patch     CompanyPatch // of My Construction Company
		company   int64        // header
		path      string
		want      int
		body      string
		installed bool // the header's company is installed, and no other
	}{
		{"installs by the first call", CompanyPatch{}, MyConstruction, "/rest/v1.0/projects?company_id=5678", 200, "Riverside", true},
		{"me needs no header", CompanyPatch{}, 0, "/rest/v1.0/me", 200, "Joe", false},
		{"companies needs no header", CompanyPatch{}, 0, "/rest/v1.0/companies", 200, "Harbor", false},
		{"header missing", CompanyPatch{}, 0, "/rest/v1.0/projects?company_id=5678", 400, "Missing Procore-Company-Id header!", false},
		{"header missing, company in the path", CompanyPatch{}, 0, "/rest/v1.0/companies/5678/users", 400, "Missing Procore-Company-Id header!", false},
		{"header of another company than the query", CompanyPatch{}, HarborHill, "/rest/v1.0/projects?company_id=5678", 400, "different company", false},
		{"header of another company than the path", CompanyPatch{}, HarborHill, "/rest/v2.0/companies/5678/projects", 400, "different company", false},
		{"project of another company", CompanyPatch{}, HarborHill, "/rest/v1.0/projects/2001/rfis", 404, "project does not exist", true},
		{"parameter missing", CompanyPatch{}, MyConstruction, "/rest/v1.0/projects", 400, "company_id", true},
		{"not a member", CompanyPatch{}, NorthernPlanner, "/rest/v1.0/companies/9007199254740993/users", 404, "no access", false},
		{"no such company", CompanyPatch{}, 77, "/rest/v1.0/companies/77/users", 404, "no access", false},
		{"no such project", CompanyPatch{}, MyConstruction, "/rest/v1.0/projects/1/rfis", 404, "project", true},
		{"no such resource", CompanyPatch{}, MyConstruction, "/rest/v1.0/projects/2001/rfis/1", 404, "resource", true},
		{"no such endpoint", CompanyPatch{}, MyConstruction, "/rest/v1.0/nothing", 404, "does not have GET", false},
		{"user installs off", CompanyPatch{UserInstalls: &no}, MyConstruction, "/rest/v1.0/companies/5678/users", 403, "does not allow user installs", false},
		{"user installs off, installed", CompanyPatch{UserInstalls: &no, Installed: &yes}, MyConstruction, "/rest/v1.0/companies/5678/users", 200, "Joe", true},
		{"disconnected", CompanyPatch{Installed: &yes, Connected: &no}, MyConstruction, "/rest/v1.0/companies/5678/users", 403, notConnected, true},
		{"disconnected, never installed", CompanyPatch{Connected: &no}, MyConstruction, "/rest/v1.0/companies/5678/users", 403, notConnected, false},
		{"401 until installed", CompanyPatch{UnauthorizedUntilInstalled: &yes}, MyConstruction, "/rest/v1.0/companies/5678/users", 401, "invalid_token", false},
		{"401 until installed, installed", CompanyPatch{UnauthorizedUntilInstalled: &yes, Installed: &yes}, MyConstruction, "/rest/v1.0/companies/5678/users", 200, "Joe", true},
		{"tool denied", CompanyPatch{DeniedTools: &[]string{"rfis"}}, MyConstruction, "/rest/v1.0/projects/2001/rfis", 403, "permission", true},
		{"other tool denied", CompanyPatch{DeniedTools: &[]string{"users"}}, MyConstruction, "/rest/v1.0/projects/2001/rfis", 200, "RFI 1", true},
		{"no webhooks permission", CompanyPatch{WebhooksPermission: &no}, MyConstruction, hooksPath + "?namespace=our-app", 403, "Webhooks API", true},
	}
	for _, tt := range tests {
		p := Start(t)
		if err := p.UpdateCompany(MyConstruction, tt.patch); err != nil {
			t.Fatal(err)
		}
		token := p.Token(t, Joe, redirect).AccessToken
		got := api(t, p, token, tt.company, "GET", tt.path, "")
		if got.status != tt.want || !strings.Contains(got.body, tt.body) {
			t.Errorf("%s: %d %s, want %d %q", tt.name, got.status, got.body, tt.want, tt.body)
		}
		st := p.State()
		for _, c := range st.Companies {
			if c.Installed != (tt.installed && c.ID == tt.company) {
				t.Errorf("%s: installed in %s: %t", tt.name, c.Name, c.Installed)
			}
		}
		path, query, _ := strings.Cut(tt.path, "?")
		want := []Call{{Method: "GET", Path: path, Query: query, CompanyID: tt.company, UserID: Joe, Status: tt.want}}
		for i := range st.Calls {
			st.Calls[i].At = time.Time{}
		}
		if diff := cmp.Diff(want, st.Calls); diff != "" {
			t.Errorf("%s: recorded calls (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	p.Advance(89 * time.Minute)
	api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Joe")
	p.Advance(2 * time.Minute)
	api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, 401, "invalid_token")
	api(t, p, "fake-access-unknown", 0, "GET", "/rest/v1.0/me", "").wants(t, 401, "invalid_token")
	fresh := p.Token(t, Joe, redirect).AccessToken
	mustSend(t, request(t, "GET", p.URL+"/rest/v1.0/me?access_token="+fresh, "")).wants(t, 401, "invalid_token")
	for _, c := range p.State().Calls {
		if strings.Contains(c.Query, "fake-access") {
			t.Errorf("a token was recorded: %s", c.Query)
		}
	}
}

func TestServiceAccount(t *testing.T) {
	t.Parallel()
	p := Start(t)
	yes := true
	var pair Pair
	mustSend(t, tokenRequest(t, p, credentials("grant_type", "client_credentials"))).wants(t, 200, "").into(t, &pair)
	api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 400, "Missing Procore-Company-Id header!")
	api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/companies", "").wants(t, 200, "[]")
	api(t, p, pair.AccessToken, MyConstruction, "GET", "/rest/v1.0/me", "").wants(t, 404, "no access")
	p.UpdateCompany(MyConstruction, CompanyPatch{ServiceAccount: &yes})
	api(t, p, pair.AccessToken, MyConstruction, "GET", "/rest/v1.0/me", "").wants(t, 403, "not installed")
	p.UpdateCompany(MyConstruction, CompanyPatch{Installed: &yes})
	api(t, p, pair.AccessToken, MyConstruction, "GET", "/rest/v1.0/me", "").wants(t, 200, "Service Account")
	got := api(t, p, pair.AccessToken, MyConstruction, "GET", "/rest/v1.0/companies", "").wants(t, 200, "My Construction Company")
	if strings.Contains(got.body, "Harbor") {
		t.Errorf("companies %s", got.body)
	}
}

// A service account lists the companies where an administrator installed the app, until it
// is removed or disconnected there.
func TestServiceAccountListsInstallations(t *testing.T) {
	t.Parallel()
	p := Start(t)
	service := p.ServiceToken().AccessToken
	yes, no := true, false
	list := func(company int64) reply {
		t.Helper()
		return api(t, p, service, company, "GET", "/rest/v1.0/companies", "")
	}
	set := func(id int64, patch CompanyPatch) {
		t.Helper()
		if err := p.UpdateCompany(id, patch); err != nil {
			t.Fatal(err)
		}
	}
	set(MyConstruction, CompanyPatch{Installed: &yes})
	set(LockedGate, CompanyPatch{Installed: &yes})
	set(HarborHill, CompanyPatch{Installed: &yes, ServiceAccount: &no}) // a member's installation
	for _, company := range []int64{0, MyConstruction} {
		if got := list(company).wants(t, 200, "Locked Gate"); !strings.Contains(got.body, "My Construction") || strings.Contains(got.body, "Harbor") {
			t.Errorf("with company %d in the header: %s, want both installations", company, got.body)
		}
	}
	set(LockedGate, CompanyPatch{Connected: &no})
	if got := list(0); strings.Contains(got.body, "Locked Gate") {
		t.Errorf("a disconnected company is listed: %s", got.body)
	}
	list(LockedGate).wants(t, 403, notConnected)
	if err := p.UpdateOptions(OptionsPatch{CompaniesNeedHeader: &yes}); err != nil {
		t.Fatal(err)
	}
	list(0).wants(t, 400, "Missing Procore-Company-Id header!")
	list(MyConstruction).wants(t, 200, "My Construction")
	crooked := "no-header-401"
	if err := p.UpdateOptions(OptionsPatch{Crooked: &crooked}); err != nil {
		t.Fatal(err)
	}
	list(0).wants(t, 401, "Missing Procore-Company-Id header!")
	set(MyConstruction, CompanyPatch{Installed: &no})
	list(MyConstruction).wants(t, 403, "not installed")
}

func TestTwoThousandCompanies(t *testing.T) {
	t.Parallel()
	p := Start(t)
	if err := p.AddUser(User{ID: 99, Login: "many@example.com", Name: "Many"}); err != nil {
		t.Fatal(err)
	}
	for i := range int64(2000) {
		if err := p.AddCompany(NewCompany(50_000+i, fmt.Sprintf("Company %d", i), 99)); err != nil {
			t.Fatal(err)
		}
	}
	token := p.Token(t, 99, redirect).AccessToken
	seen := map[int64]bool{}
	address := p.URL + "/rest/v1.0/companies?per_page=300"
	for pages := 0; address != ""; pages++ {
		got := mustSend(t, request(t, "GET", address, "", "Authorization", "Bearer "+token)).wants(t, 200, "")
		if got.header.Get("Total") != "2000" || got.header.Get("Per-Page") != "300" || pages > 6 {
			t.Fatalf("page %d: headers %v", pages, got.header)
		}
		var list []struct{ ID int64 }
		got.into(t, &list)
		for _, c := range list {
			seen[c.ID] = true
		}
		address = ""
		for link := range strings.SplitSeq(got.header.Get("Link"), ", ") {
			if target, rel, _ := strings.Cut(link, "; "); rel == `rel="next"` {
				address = strings.Trim(target, "<>")
			}
		}
	}
	if len(seen) != 2000 {
		t.Errorf("saw %d companies", len(seen))
	}
	mustSend(t, request(t, "GET", p.URL+"/", "")).wants(t, 200, "more companies, not shown")
}

func TestPages(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	for _, tt := range []struct {
		path, perPage, link string
		want, items         int
	}{
		{"/rest/v1.0/companies", "100", "", 200, 3},
		{"/rest/v1.0/companies?per_page=5000", "2000", "", 200, 3},
		{"/rest/v1.0/companies?per_page=2", "2", `page=2&per_page=2>; rel="last"`, 200, 2},
		{"/rest/v1.0/companies?per_page=2&page=2", "2", `page=1&per_page=2>; rel="prev"`, 200, 1},
		{"/rest/v1.0/companies?per_page=2&page=9", "2", `rel="first"`, 200, 0},
		{"/rest/v1.0/companies?per_page=0", "", "", 400, -1},
		{"/rest/v1.0/companies?page=x", "", "", 400, -1},
	} {
		got := api(t, p, token, 0, "GET", tt.path, "").wants(t, tt.want, "")
		if tt.items < 0 {
			continue
		}
		var list []any
		got.into(t, &list)
		if got.header.Get("Per-Page") != tt.perPage || !strings.Contains(got.header.Get("Link"), tt.link) || tt.link == "" && got.header.Get("Link") != "" || len(list) != tt.items {
			t.Errorf("%s: %d items, headers %v", tt.path, len(list), got.header)
		}
	}
	steer(t, p, "PATCH", "options", `{"max_per_page":-1}`).wants(t, 400, "max_per_page")
	steer(t, p, "PATCH", "options", `{"max_per_page":2}`).wants(t, 200, "ok")
	got := api(t, p, token, 0, "GET", "/rest/v1.0/companies?per_page=2000", "").wants(t, 200, "")
	if h := got.header; h.Get("Per-Page") != "2" || h.Get("Total") != "3" || !strings.Contains(h.Get("Link"), `page=2&per_page=2>; rel="next"`) {
		t.Errorf("headers %v, want the first of two pages", h)
	}
}

func TestV2(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Ann, redirect).AccessToken
	got := api(t, p, token, NorthernPlanner, "GET", "/rest/v2.0/companies/9007199254740993/projects", "").
		wants(t, 200, `{"data":[{"company_id":"9007199254740993","created_at":"`)
	if got.header.Get("Per-Page") != "10" {
		t.Errorf("headers %v", got.header)
	}
	got = api(t, p, token, NorthernPlanner, "GET", "/rest/v2.0/companies/9007199254740993/projects?per_page=1000", "").wants(t, 200, "")
	if got.header.Get("Per-Page") != "100" {
		t.Errorf("headers %v", got.header)
	}
	api(t, p, token, NorthernPlanner, "GET", "/rest/v2.0/companies/9007199254740993/projects/9007199254741993", "").wants(t, 200, `"id":"9007199254741993"`)
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name          string
		hourly, spike int
		reset         time.Duration
	}{{"spike", 100, 3, 10 * time.Second}, {"hourly", 3, 100, time.Hour}} {
		p := Start(t, Options{HourlyLimit: tt.hourly, SpikeLimit: tt.spike, Now: func() time.Time { return start }})
		token := p.Token(t, Joe, redirect).AccessToken
		for left := 2; left >= 0; left-- {
			got := api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "")
			want := []string{"3", strconv.Itoa(left), strconv.FormatInt(start.Add(tt.reset).Unix(), 10)}
			have := []string{got.header.Get("X-Rate-Limit-Limit"), got.header.Get("X-Rate-Limit-Remaining"), got.header.Get("X-Rate-Limit-Reset")}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
		got := api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, http.StatusTooManyRequests, "surpassed")
		if got.header.Get("Retry-After") != strconv.Itoa(int(tt.reset/time.Second)) {
			t.Errorf("%s: Retry-After %s", tt.name, got.header.Get("Retry-After"))
		}
		other := p.Token(t, Ann, redirect).AccessToken
		api(t, p, other, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Ann")
		p.Advance(tt.reset)
		api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Joe")
	}
}

// A user's calls in all companies count together. A service account's count per
// company.
func TestRateLimitsByOwner(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{SpikeLimit: 1})
	yes := true
	for _, id := range []int64{MyConstruction, HarborHill} {
		if err := p.UpdateCompany(id, CompanyPatch{ServiceAccount: &yes, Installed: &yes}); err != nil {
			t.Fatal(err)
		}
	}
	user := p.Token(t, Joe, redirect).AccessToken
	api(t, p, user, MyConstruction, "GET", "/rest/v1.0/projects?company_id=5678", "").wants(t, 200, "")
	api(t, p, user, HarborHill, "GET", "/rest/v1.0/me", "").wants(t, http.StatusTooManyRequests, "")
	service := p.ServiceToken().AccessToken
	api(t, p, service, MyConstruction, "GET", "/rest/v1.0/me", "").wants(t, 200, "")
	api(t, p, service, HarborHill, "GET", "/rest/v1.0/me", "").wants(t, 200, "")
	api(t, p, service, HarborHill, "GET", "/rest/v1.0/me", "").wants(t, http.StatusTooManyRequests, "")
}

// The Date of an answer is the fake's time, as is the reset of the rate limit.
func TestDate(t *testing.T) {
	t.Parallel()
	p := Start(t)
	p.Advance(48 * time.Hour)
	got := api(t, p, p.Token(t, Joe, redirect).AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "")
	date, err := http.ParseTime(got.header.Get("Date"))
	if off := p.Now().Sub(date); err != nil || off < 0 || off > time.Minute {
		t.Errorf("Date %q is %v off the fake's time, %v", got.header.Get("Date"), off, err)
	}
}

func TestWriteThroughTheAPI(t *testing.T) {
	t.Parallel()
	p := Start(t)
	rec := receive(t, nil)
	token := p.Token(t, Joe, redirect).AccessToken
	hook := newHook(t, p, token, rec.URL, "v2.0")
	for _, kind := range []string{"create", "update", "delete"} {
		addTrigger(t, p, token, hook, "RFIs", kind)
	}
	var made struct{ ID int64 }
	const rfis = "/rest/v1.0/projects/2001/rfis"
	api(t, p, token, MyConstruction, "POST", rfis, `{"rfi":{"subject":"New"}}`).wants(t, 201, `"subject":"New"`).into(t, &made)
	one := fmt.Sprintf("%s/%d", rfis, made.ID)
	api(t, p, token, MyConstruction, "PATCH", one, `{"rfi":{"subject":"Newer"}}`).wants(t, 200, `"subject":"Newer"`)
	api(t, p, token, MyConstruction, "PATCH", one, `{"rfi":{}}`).wants(t, 422, "subject")
	api(t, p, token, MyConstruction, "PATCH", one, `{`).wants(t, 400, "JSON")
	api(t, p, token, MyConstruction, "DELETE", one, "").wants(t, 204, "")
	api(t, p, token, MyConstruction, "GET", one, "").wants(t, 404, "")
	for _, kind := range []string{"create", "update", "delete"} {
		d := rec.next(t)
		if !strings.Contains(d.body, `"event_type":"`+kind+`"`) || !strings.Contains(d.body, `"source_application_id":"fake-client-id"`) {
			t.Errorf("%s: %s", kind, d.body)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	p := Start(t)
	mustSend(t, request(t, "POST", p.URL+"/oauth/token", strings.Repeat("a", maxBody+1))).wants(t, 413, "too large")
	mustSend(t, request(t, "POST", p.URL+"/_fake/events", "{")).wants(t, 400, "error")
	mustSend(t, request(t, "GET", p.URL+"/rest/v1.0/me", "")).wants(t, 401, "")
}
