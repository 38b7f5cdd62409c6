package procoretest

import (
	"net/url"
	"strings"
	"testing"
)

func press(t *testing.T, p *Server, path string, form ...string) reply {
	t.Helper()
	v := url.Values{}
	for i := 0; i < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	return mustSend(t, request(t, "POST", p.URL+path, v.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
}

func home(t *testing.T, p *Server) string {
	t.Helper()
	return mustSend(t, request(t, "GET", p.URL+"/", "")).wants(t, 200, "</html>").body
}

func TestPageMakesChanges(t *testing.T) {
	t.Parallel()
	p := Start(t)
	rec := receive(t, nil)
	pair := p.Token(t, Joe, redirect)
	hook := newHook(t, p, pair.AccessToken, rec.URL, "v2.0")
	for _, kind := range []string{"create", "update", "delete"} {
		addTrigger(t, p, pair.AccessToken, hook, "RFIs", kind)
	}
	place := []string{"company_id", "5678", "project_id", "2001", "resource_name", "RFIs"}
	got := press(t, p, "/_ui/change", append(place, "event_type", "create")...).wants(t, 303, "")
	if to := got.header.Get("Location"); to != "/?at=tool-5678-2001-rfis&done=create&hooks=1#tool-5678-2001-rfis" {
		t.Errorf("sent to %s", to)
	}
	rec.next(t)
	made := p.State().Resources
	id := "8589934"
	if last := made[len(made)-1]; !strings.Contains(home(t, p), last.Title) {
		t.Errorf("the page lacks %q", last.Title)
	} else {
		_, id, _ = strings.Cut(last.Title, " ")
	}
	press(t, p, "/_ui/change", append(place, "event_type", "update", "resource_id", id)...).wants(t, 303, "")
	if d := rec.next(t); !strings.Contains(d.body, `"resource_id":`+id) {
		t.Errorf("delivered %s", d.body)
	}
	press(t, p, "/_ui/change", append(place, "event_type", "delete", "resource_id", id)...).wants(t, 303, "")
	rec.next(t)
	eventually(t, p, "three deliveries", func(st State) bool { return len(st.Deliveries) == 3 })
	page := home(t, p)
	if !strings.Contains(page, "ok 200") || !strings.Contains(page, rec.URL) || !strings.Contains(page, "RFIs update") {
		t.Errorf("the page lacks hook or deliveries: %s", page)
	}
	for _, secret := range []string{pair.AccessToken, pair.RefreshToken, "hook-secret"} {
		if strings.Contains(page, secret) {
			t.Errorf("the page contains %s", secret)
		}
	}
	press(t, p, "/_ui/change", "company_id", "5").wants(t, 400, "could not be made")
}

func TestPageSwitches(t *testing.T) {
	t.Parallel()
	p := Start(t)
	press(t, p, "/_ui/company", "company_id", "5678", "switch", "connected", "on", "false").wants(t, 303, "")
	press(t, p, "/_ui/company", "company_id", "91011", "switch", "user_installs", "on", "true").wants(t, 303, "")
	press(t, p, "/_ui/company", "company_id", "91011", "switch", "installed", "on", "true").wants(t, 303, "")
	if page := home(t, p); !strings.Contains(page, "Install app: My Construction Company") || !strings.Contains(page, "Remove app: Locked Gate Contractors") {
		t.Errorf("the page lacks a button to install or to remove: %s", page)
	}
	press(t, p, "/_ui/company", "company_id", "1").wants(t, 400, "does not exist")
	st := p.State()
	if c := st.Company(LockedGate); st.Company(MyConstruction).Connected || !c.UserInstalls || !c.Installed || !c.ServiceAccount {
		t.Errorf("companies %+v", st.Companies)
	}
	press(t, p, "/_ui/company", "company_id", "91011", "switch", "installed", "on", "false").wants(t, 303, "")
	if c := p.Company(LockedGate); c.Installed {
		t.Errorf("company %+v, want the app removed", c)
	}
}

func TestPagesEscape(t *testing.T) {
	t.Parallel()
	p := Start(t)
	const bad = `<script>alert("1")</script>`
	if err := p.AddUser(User{ID: 1, Login: bad, Name: bad}); err != nil {
		t.Fatal(err)
	}
	if err := p.AddCompany(NewCompany(2, bad)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Emit(Event{CompanyID: 2, ResourceName: bad, EventType: "create", Title: bad}); err != nil {
		t.Fatal(err)
	}
	login := mustSend(t, request(t, "GET", authorizeURL(p, "state", bad), "")).wants(t, 200, "&lt;script&gt;")
	for name, page := range map[string]string{"home": home(t, p), "login": login.body} {
		if strings.Contains(page, "<script>") {
			t.Errorf("%s does not escape: %s", name, page)
		}
	}
	if csp := login.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("policy %q", csp)
	}
}

func TestPageFromAnotherOrigin(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for _, path := range []string{"/_ui/change", "/_ui/create", "/_ui/company", "/_ui/trouble", "/_ui/hook", "/_ui/again", "/_fake/events", "/_fake/answers"} {
		mustSend(t, request(t, "POST", p.URL+path, "", "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site")).wants(t, 403, "")
	}
}

func TestStyleAndScript(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for path, want := range map[string][2]string{"style.css": {"color-scheme", "text/css"}, "live.js": {"fetch('/_ui/live')", "text/javascript"}} {
		got := mustSend(t, request(t, "GET", p.URL+"/_ui/"+path, "")).wants(t, 200, want[0])
		if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, want[1]) {
			t.Errorf("type of %s is %s", path, kind)
		}
	}
}
