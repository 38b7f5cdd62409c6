package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// A first call into a company, and the answers that it may have.
func TestCall(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	const company, harbor = procoretest.MyConstruction, procoretest.NorthernPlanner
	for user, id := range map[int64]int64{procoretest.Joe: company, procoretest.Ann: harbor} {
		w.Authorize(user)
		w.connect(id, user, "Company", "User", connections.WebhooksPending)
	}
	type line struct{ file, args string }
	calls := func(all ...line) {
		t.Helper()
		for _, one := range all {
			wants(t, w, one.file, append([]string{"call"}, strings.Fields(one.args)...)...)
		}
	}
	calls(
		line{"call-me", "GET /rest/v1.0/me --company 5678"},
		line{"call-page", "GET /rest/v1.0/companies?per_page=1 --company 5678 --user 1234567 -q x={company_id}"},
		line{"call-v2", "GET /rest/v2.0/companies/{company_id}/webhooks/hooks --company 5678 -q namespace=procore-connect"},
		line{"call-json", "GET /rest/v1.0/me --company 5678 --json"},
		line{"call-not-found", "GET /rest/v1.0/projects/99 --company 5678 -q company_id=5678"},
		line{"call-user", "GET /rest/v1.0/me --company 5678 --user 99"},
		line{"call-none", "GET /rest/v1.0/me --company 99"},
		line{"call-version", "GET /projects --company 5678"},
		line{"call-no-rest", "GET v1.0/me --company 5678"},
		line{"call-url", "GET https://api.procore.com/rest/v1.0/me --company 5678"},
		line{"call-host", "GET //example.com/rest/v1.0/me --company 5678"},
		line{"call-braces", "GET /rest/v1.0/projects/{project_id} --company 5678"},
		line{"call-up", "GET /rest/v1.0/../../oauth/token --company 5678"},
		line{"call-vapid", "GET /vapid/projects --company 5678"},
		line{"call-post", "POST /rest/v1.0/rfis --company 5678"},
		line{"call-no-company", "GET /rest/v1.0/me"},
		line{"call-query", "GET /rest/v1.0/me --company 5678 -q per_page"},
	)
	w.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 200, Times: 1, Body: "<h1>Down\x1b[31m</h1>\n"})
	calls(line{"call-text", "GET /rest/v1.0/me --company 5678"})
	const echo = `{"destination_headers":{"Authorization":"Bearer abc\"def"},"access_token" : "x","id":1}`
	w.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 200, Times: 1, Body: echo})
	calls(line{"call-hidden", "GET /rest/v1.0/me --company 5678"})
	w.Clock.Advance(2 * time.Hour) // the access token expires
	calls(line{"call-refreshed", "GET /rest/v1.0/me --company 5678"})
	w.PatchCompany(company, procoretest.CompanyPatch{Connected: new(bool)})
	calls(line{"call-disconnected", "GET /rest/v1.0/projects --company 5678 -q company_id=5678"}, line{"call-after", "GET /rest/v1.0/me --company 5678"})
	for _, c := range w.Procore.State().Calls {
		if c.Method != "GET" && !strings.Contains(c.Path, "/oauth/") {
			t.Errorf("call made the call %s %s", c.Method, c.Path)
		}
	}
}

// A path may only lead to the API of the environment.
func FuzzCallPath(f *testing.F) {
	for _, path := range []string{"/rest/v1.0/me", "//example.com/rest/v1.0/me", "/rest/v1.0/%2e%2e/x", "/rest/v1.0/me?q=1#x", "\\example.com", "@example.com/"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := operator.Call{CompanyID: 5678, Path: path}.Address()
		if err != nil {
			return
		}
		if u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.String(), "/rest/v") || slices.Contains(strings.Split(u.Path, "/"), "..") {
			t.Errorf("%q leads to %q", path, u)
		}
	})
}
