package procoretest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const hooksPath = "/rest/v2.0/companies/5678/webhooks/hooks"

func TestHookRules(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{AllowedHosts: []string{"host.docker.internal"}})
	token := p.Token(t, Joe, redirect).AccessToken
	form := `{"namespace":"our-app","payload_version":"v2.0","destination_url":"http://127.0.0.1:9/hook"}`
	long := strings.Repeat("x", maxHeaderBytes)
	for _, tt := range []struct {
		name, old, new string
		want           int
		part           string
	}{
		{"good", "", "", 201, `"namespace":"our-app"`},
		{"the same again", "", "", 422, "already been taken"},
		{"other namespace", "our-app", "other-app2", 201, "other-app2"},
		{"other destination", "/hook", "/other", 201, "/other"},
		{"allowed host", "127.0.0.1:9", "host.docker.internal", 201, "host.docker.internal"},
		{"localhost", "127.0.0.1:9", "localhost:9", 201, "localhost"},
		{"IPv6 loopback", "127.0.0.1:9", "[::1]:9", 201, "::1"},
		{"the world", "127.0.0.1:9", "example.com", 422, "loopback"},
		{"looks like loopback", "127.0.0.1:9", "127.0.0.1.example.com", 422, "loopback"},
		{"with a user", "127.0.0.1:9", "me@127.0.0.1:9", 422, "not an http"},
		{"other scheme", "http:", "file:", 422, "not an http"},
		{"capital namespace", "our-app", "Our-App", 422, "namespace"},
		{"no namespace", `"namespace":"our-app",`, "", 422, "namespace"},
		{"unknown version", "v2.0", "v9.0", 422, "payload_version"},
		{"no version", `"payload_version":"v2.0",`, "", 422, "payload_version"},
		{"as REST v1.0 has it", "payload_version", "api_version", 422, "payload_version"},
		{"no destination", `destination_url`, `url`, 422, "destination_url"},
		{"long headers", `"namespace"`, `"destination_headers":{"Authorization":"` + long + `"},"namespace"`, 422, "destination_headers"},
		{"unknown status", `"namespace"`, `"status":"paused","namespace"`, 422, "status"},
		{"not JSON", `{"namespace"`, `"namespace"`, 400, "JSON"},
	} {
		got := api(t, p, token, MyConstruction, "POST", hooksPath, strings.Replace(form, tt.old, tt.new, 1))
		if got.status != tt.want || !strings.Contains(got.body, tt.part) {
			t.Errorf("%s: %d %s, want %d %q", tt.name, got.status, got.body, tt.want, tt.part)
		}
	}
	for project, want := range map[string]int{"2001": 201, "3001": 404} {
		path := "/rest/v2.0/companies/5678/projects/" + project + "/webhooks/hooks"
		api(t, p, token, MyConstruction, "POST", path, form).wants(t, want, "")
	}
	api(t, p, token, MyConstruction, "GET", strings.Replace(hooksPath, "5678", "91011", 1)+"?namespace=our-app", "").wants(t, 400, "header")
	api(t, p, token, MyConstruction, "GET", "/rest/v1.0/webhooks/hooks?company_id=5678", "").wants(t, 404, "does not have GET")
}

func TestSharedURLs(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{SharedURLs: true})
	token := p.Token(t, Joe, redirect).AccessToken
	first := newHook(t, p, token, "http://127.0.0.1:9/hook", "v2.0")
	if second := newHook(t, p, token, "http://127.0.0.1:9/hook", "v2.0"); second == first {
		t.Error("the second hook is the first one")
	}
}

func TestHooksAreListedByScopeAndNamespace(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	id := newHook(t, p, token, "http://127.0.0.1:9/hook", "v3.0")
	for _, tt := range []struct {
		query string
		want  int
		found bool
	}{
		{"?namespace=our-app", 200, true},
		{"?namespace=our-app&payload_version=v4.0", 200, false},
		{"?namespace=other", 200, false},
		{"", 400, false},
	} {
		got := api(t, p, token, MyConstruction, "GET", hooksPath+tt.query, "").wants(t, tt.want, "")
		if found := strings.Contains(got.body, fmt.Sprintf(`"id":"%d"`, id)); found != tt.found {
			t.Errorf("%q: %s", tt.query, got.body)
		}
		if strings.Contains(got.body, "hook-secret") {
			t.Errorf("%q: the header is not masked: %s", tt.query, got.body)
		}
		if tt.found && (!strings.Contains(got.body, `"Authorization":"*****ecret"`) || !strings.Contains(got.body, `"project_id":null`)) {
			t.Errorf("%q: %s", tt.query, got.body)
		}
	}
	ofProject := strings.Replace(hooksPath, "/webhooks", "/projects/2001/webhooks", 1)
	api(t, p, token, MyConstruction, "GET", ofProject, "").wants(t, 200, `"data":[]`)
	api(t, p, token, MyConstruction, "GET", hooksPath+"?namespace=our-app&include_trigger_count=true", "").wants(t, 200, `"trigger_count":0`)
}

func TestChangeAndDeleteAHook(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	one := fmt.Sprintf("%s/%d", hooksPath, newHook(t, p, token, "http://127.0.0.1:9/hook", "v2.0"))
	api(t, p, token, MyConstruction, "PATCH", one, `{"destination_url":"http://127.0.0.1:9/new"}`).wants(t, 200, "/new")
	api(t, p, token, MyConstruction, "PATCH", one, `{"destination_url":"https://example.com"}`).wants(t, 422, "loopback")
	api(t, p, token, HarborHill, "PATCH", strings.Replace(one, "5678", "4294967311", 1), `{"destination_url":"http://127.0.0.1:9/mine"}`).wants(t, 404, "hook")
	api(t, p, token, MyConstruction, "DELETE", strings.Replace(one, "/webhooks", "/projects/2001/webhooks", 1), "").wants(t, 404, "hook")
	api(t, p, token, MyConstruction, "GET", one, "").wants(t, 200, "/new")
	if got := p.State().Hooks; len(got) != 1 || got[0].DestinationURL != "http://127.0.0.1:9/new" || got[0].PayloadVersion != "v2.0" {
		t.Errorf("hooks %+v", got)
	}
	api(t, p, token, MyConstruction, "DELETE", one, "").wants(t, 204, "")
	api(t, p, token, MyConstruction, "DELETE", one, "").wants(t, 404, "hook")
	api(t, p, token, MyConstruction, "GET", one, "").wants(t, 404, "hook")
}

func TestTriggerRules(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	path := fmt.Sprintf("%s/%d/triggers", hooksPath, newHook(t, p, token, "http://127.0.0.1:9/hook", "v2.0"))
	four := fmt.Sprintf("%s/%d/triggers", hooksPath, newHook(t, p, token, "http://127.0.0.1:9/four", "v4.0"))
	var made struct{ Data struct{ ID string } }
	for _, tt := range []struct {
		name, path, resource, event string
		want                        int
		part                        string
	}{
		{"good", path, "RFIs", "create", 201, `"event_type":"CREATE"`},
		{"the same again", path, "RFIs", "create", 422, "taken"},
		{"other event", path, "RFIs", "UPDATE", 201, "UPDATE"},
		{"unknown event", path, "RFIs", "approve", 422, "event_type"},
		{"no resource", path, "", "create", 422, "resource_name"},
		{"unknown resource", path, "rfi", "create", 422, "resource_name"},
		{"users cannot be deleted", path, "Company Users", "delete", 422, "create, update"},
		{"a resource of v4.0", path, "Document Upload", "Completed", 422, "resource_name"},
		{"a reason of v4.0", four, "Document Upload", "Completed", 201, "COMPLETED"},
		{"ended: Project Users update", path, "Project Users", "update", 422, "Company Users"},
		{"Project Users create", path, "Project Users", "create", 201, "Project Users"},
	} {
		got := api(t, p, token, MyConstruction, "POST", tt.path, fmt.Sprintf(`{"resource_name":%q,"event_type":%q}`, tt.resource, tt.event))
		if got.status != tt.want || !strings.Contains(got.body, tt.part) {
			t.Errorf("%s: %d %s, want %d %q", tt.name, got.status, got.body, tt.want, tt.part)
		}
		if tt.name == "good" {
			got.into(t, &made)
		}
	}
	api(t, p, token, MyConstruction, "GET", path, "").wants(t, 200, "Project Users")
	one := path + "/" + made.Data.ID
	api(t, p, token, MyConstruction, "DELETE", one, "").wants(t, 204, "")
	api(t, p, token, MyConstruction, "DELETE", one, "").wants(t, 404, "trigger")
	if n := len(p.State().Hooks[0].Triggers); n != 2 {
		t.Errorf("%d triggers are left", n)
	}
}

// A bulk call does what it can, and is answered 207 if that is not all.
func TestBulkTriggers(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	path := fmt.Sprintf("%s/%d/triggers/bulk", hooksPath, newHook(t, p, token, "http://127.0.0.1:9/hook", "v3.0"))
	send := func(method, body string, want int, part string) reply {
		t.Helper()
		return api(t, p, token, MyConstruction, method, path, body).wants(t, want, part)
	}
	const rfis, projects = `{"resource_name":"RFIs","event_type":"create"}`, `{"resource_name":"Projects","event_type":"delete"}`
	send("POST", "["+rfis+"]", 201, `"data":[{`)
	send("POST", "["+rfis+","+projects+"]", 207, "already been taken")
	send("POST", rfis, 400, "JSON")
	id := idText(p.State().Hooks[0].Triggers[0].ID)
	send("DELETE", `["`+id+`","77"]`, 207, `"succeeded":["`+id+`"]`)
	send("POST", "["+rfis+"]", 201, "")
	send("DELETE", `["`+idText(p.State().Hooks[0].Triggers[0].ID)+`"]`, 200, "succeeded")
	if n := len(p.State().Hooks[0].Triggers); n != 0 {
		t.Errorf("%d triggers are left", n)
	}
}

func TestWebhookResources(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	path := strings.TrimSuffix(hooksPath, "/hooks") + "/resources?per_page=200&payload_version="
	var all struct {
		Data []struct {
			Name    string
			Actions []string
		}
	}
	got := api(t, p, token, MyConstruction, "GET", path+"v4.0&page=2", "").wants(t, 200, "Document Upload")
	if got.header.Get("Per-Page") != "100" {
		t.Errorf("a page has %s resources", got.header.Get("Per-Page"))
	}
	api(t, p, token, MyConstruction, "GET", path, "").wants(t, 400, "payload_version")
	api(t, p, token, MyConstruction, "GET", path+"v3.0", "").wants(t, 200, "").into(t, &all)
	for _, r := range all.Data {
		if slices.Contains([]string{"Company Users", "Company Vendors", "Projects"}, r.Name) && !slices.Equal(r.Actions, []string{"create", "update"}) {
			t.Errorf("%s has %v", r.Name, r.Actions)
		}
	}
	if len(all.Data) != 100 {
		t.Errorf("got %d resources on a page", len(all.Data))
	}
}

// A hook whose deliveries keep failing is disabled until it is made active.
func TestDisabled(t *testing.T) {
	t.Parallel()
	p, rec, list := hooked(t, "v2.0", func(n int, w http.ResponseWriter) {
		if n <= 2 {
			w.WriteHeader(500)
		}
	}, Options{DisableAfter: 2})
	emitUpdate(t, p, 1)
	rec.next(t)
	eventually(t, p, "paused", func(st State) bool { return st.Hooks[0].Paused })
	p.Advance(lastBackoff)
	rec.next(t)
	eventually(t, p, "disabled", func(st State) bool { return st.Hooks[0].Disabled && st.Hooks[0].Waiting == 0 })
	if e, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "update"}); err != nil || len(e.EventIDs) > 0 {
		t.Errorf("a disabled hook reports %v, %v", e, err)
	}
	token := p.Token(t, Joe, redirect).AccessToken
	api(t, p, token, MyConstruction, "GET", list+"?filter[status]=discarded", "").wants(t, 200, "RFIs")
	one := strings.TrimSuffix(list, "/deliveries")
	api(t, p, token, MyConstruction, "GET", one, "").wants(t, 200, `"status":"disabled"`)
	api(t, p, token, MyConstruction, "PATCH", one, `{"status":"active"}`).wants(t, 200, `"status":"active"`)
	emitUpdate(t, p, 1)
	rec.next(t)
}
