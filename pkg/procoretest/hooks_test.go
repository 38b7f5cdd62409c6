package procoretest

import (
	"fmt"
	"strings"
	"testing"
)

const hooksPath = "/rest/v1.0/webhooks/hooks"

func TestHookRules(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{AllowedHosts: []string{"host.docker.internal"}})
	token := p.Token(t, Joe, redirect).AccessToken
	form := `{"company_id":5678,"hook":{"namespace":"our-app","api_version":"v2.0","destination_url":"http://127.0.0.1:9/hook"}}`
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
		{"project scope", `"company_id":5678`, `"project_id":2001`, 201, `"owned_by_project_id":2001`},
		{"id as text", `"company_id":5678`, `"project_id":"2002"`, 201, `"owned_by_project_id":2002`},
		{"the world", "127.0.0.1:9", "example.com", 422, "loopback"},
		{"looks like loopback", "127.0.0.1:9", "127.0.0.1.example.com", 422, "loopback"},
		{"with a user", "127.0.0.1:9", "me@127.0.0.1:9", 422, "not an http"},
		{"other scheme", "http:", "file:", 422, "not an http"},
		{"capital namespace", "our-app", "Our-App", 422, "namespace"},
		{"unknown version", "v2.0", "v9.0", 422, "payload_version"},
		{"both scopes", `"company_id":5678`, `"company_id":5678,"project_id":2001`, 400, "either"},
		{"no scope", `"company_id":5678,`, ``, 400, "either"},
		{"scope of another company", `5678`, `91011`, 400, "header"},
		{"project of another company", `"company_id":5678`, `"project_id":3001`, 404, "project"},
		{"fields not under hook", `"hook":{`, `"webhook":{`, 422, "hook"},
		{"no destination", `destination_url`, `url`, 422, "hook"},
		{"long headers", `"namespace"`, `"destination_headers":{"Authorization":"` + long + `"},"namespace"`, 422, "destination_headers"},
		{"not JSON", `{"company_id"`, `"company_id"`, 400, "JSON"},
	} {
		got := api(t, p, token, MyConstruction, "POST", hooksPath, strings.Replace(form, tt.old, tt.new, 1))
		if got.status != tt.want || !strings.Contains(got.body, tt.part) {
			t.Errorf("%s: %d %s, want %d %q", tt.name, got.status, got.body, tt.want, tt.part)
		}
	}
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
		{"?company_id=5678&namespace=our-app", 200, true},
		{"?company_id=5678", 200, false}, // the default namespace is procore
		{"?project_id=2001&namespace=our-app", 200, false},
		{"", 400, false},
	} {
		got := api(t, p, token, MyConstruction, "GET", hooksPath+tt.query, "").wants(t, tt.want, "")
		if found := strings.Contains(got.body, fmt.Sprintf(`"id":%d`, id)); found != tt.found {
			t.Errorf("%q: %s", tt.query, got.body)
		}
		if strings.Contains(got.body, "hook-secret") {
			t.Errorf("%q: the header is not masked: %s", tt.query, got.body)
		}
		if tt.found && !strings.Contains(got.body, `"Authorization":"*****ecret"`) {
			t.Errorf("%q: %s", tt.query, got.body)
		}
	}
}

func TestChangeAndDeleteAHook(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	one := fmt.Sprintf("%s/%d", hooksPath, newHook(t, p, token, "http://127.0.0.1:9/hook", "v2.0"))
	api(t, p, token, MyConstruction, "PATCH", one, `{"company_id":5678,"hook":{"destination_url":"http://127.0.0.1:9/new"}}`).wants(t, 200, "/new")
	api(t, p, token, MyConstruction, "PATCH", one, `{"company_id":5678,"hook":{"destination_url":"https://example.com"}}`).wants(t, 422, "loopback")
	api(t, p, token, HarborHill, "PATCH", one, `{"company_id":4294967311,"hook":{"destination_url":"http://127.0.0.1:9/mine"}}`).wants(t, 404, "hook")
	api(t, p, token, MyConstruction, "DELETE", one+"?project_id=2001", "").wants(t, 404, "hook")
	if got := p.State().Hooks; len(got) != 1 || got[0].DestinationURL != "http://127.0.0.1:9/new" || got[0].PayloadVersion != "v2.0" {
		t.Errorf("hooks %+v", got)
	}
	api(t, p, token, MyConstruction, "DELETE", one+"?company_id=5678", "").wants(t, 200, "")
	api(t, p, token, MyConstruction, "DELETE", one+"?company_id=5678", "").wants(t, 404, "hook")
}

func TestTriggerRules(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	path := fmt.Sprintf("%s/%d/triggers", hooksPath, newHook(t, p, token, "http://127.0.0.1:9/hook", "v2.0"))
	form := `{"company_id":5678,"api_version":"v2.0","trigger":{"resource_name":"RFIs","event_type":"create"}}`
	var made struct{ ID int64 }
	for _, tt := range []struct {
		name, old, new string
		want           int
		part           string
	}{
		{"good", "", "", 201, `"event_type":"CREATE"`},
		{"the same again", "", "", 422, "taken"},
		{"other event", "create", "update", 201, "UPDATE"},
		{"unknown event", "create", "approve", 422, "event_type"},
		{"no version", "api_version", "version", 422, "api_version"},
		{"no resource", "RFIs", "", 422, "resource_name"},
		{"not under trigger", `"trigger"`, `"t"`, 422, "trigger"},
		{"ended: Project Users update", `RFIs","event_type":"create`, `Project Users","event_type":"update`, 422, "Company Users"},
		{"Project Users create", `RFIs`, `Project Users`, 201, "Project Users"},
	} {
		got := api(t, p, token, MyConstruction, "POST", path, strings.Replace(form, tt.old, tt.new, 1)).wants(t, tt.want, tt.part)
		if tt.name == "good" {
			got.into(t, &made)
		}
	}
	api(t, p, token, MyConstruction, "GET", path+"?company_id=5678", "").wants(t, 200, "Project Users")
	one := fmt.Sprintf("%s/%d?company_id=5678", path, made.ID)
	api(t, p, token, MyConstruction, "DELETE", one, "").wants(t, 200, "")
	api(t, p, token, MyConstruction, "DELETE", one, "").wants(t, 404, "trigger")
	if n := len(p.State().Hooks[0].Triggers); n != 2 {
		t.Errorf("%d triggers are left", n)
	}
}
