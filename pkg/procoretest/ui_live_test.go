package procoretest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pageWith returns the page after a button was clicked.
func pageWith(t *testing.T, p *Server, path string, form ...string) string {
	t.Helper()
	got := press(t, p, path, form...).wants(t, 303, "")
	return mustSend(t, request(t, "GET", p.URL+got.header.Get("Location"), "")).wants(t, 200, "</html>").body
}

// Beside a button, and after the click, the page says why no hook reports the change.
func TestPageNamesMissingTriggers(t *testing.T) {
	t.Parallel()
	p := Start(t)
	rfi := []string{"company_id", "5678", "project_id", "2001", "resource_name", "RFIs", "event_type", "create"}
	const hint, without = `id="hint-tool-5678-2001-rfis"`, "No hook of this company exists"
	for _, page := range []string{home(t, p), pageWith(t, p, "/_ui/change", rfi...)} {
		if !strings.Contains(page, hint+">"+without) || !strings.Contains(page, `aria-describedby="hint-tool-5678-2001-rfis"`) {
			t.Error("the page does not say that the company has no hook")
		}
	}
	if page := pageWith(t, p, "/_ui/change", rfi...); !strings.Contains(page, "Created. "+without) {
		t.Error("the page does not say that nothing was reported")
	}
	rec := receive(t, nil)
	token := p.Token(t, Joe, redirect).AccessToken
	hook := newHook(t, p, token, rec.URL, "v3.0")
	addTrigger(t, p, token, hook, "RFIs", "create")
	if page := pageWith(t, p, "/_ui/change", rfi...); !strings.Contains(page, hint+">No hook has a trigger for RFIs (update, delete).") ||
		!strings.Contains(page, "Created, and reported to a hook.") || !strings.Contains(page, "Its hooks report: RFIs create.") {
		t.Error("the page does not say which triggers the hook has")
	}
	rec.next(t)
	addTrigger(t, p, token, hook, "RFIs", "update")
	addTrigger(t, p, token, hook, "RFIs", "delete")
	if strings.Contains(home(t, p), hint) {
		t.Error("the page says that a trigger is missing that is there")
	}
	if page := pageWith(t, p, "/_ui/hook", "hook_id", fmt.Sprint(hook), "disabled", "true"); !strings.Contains(page, hint+">The hook of this company is disabled") {
		t.Error("the page does not say that the hook is disabled")
	}
}

func TestPageCreatesAnyResource(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for _, tt := range []struct{ name, project, place, words string }{
		{"Submittals", "2001", "tool-5678-2001-submittals", "Created. No hook"},
		{"trade", "2001", "tool-5678-0-trades", "Created. No hook"},
		{"Projects", "0", "tool-5678-0-projects", "Created. No hook"},
	} {
		page := pageWith(t, p, "/_ui/create", "company_id", "5678", "project_id", tt.project, "resource_name", tt.name, "title", "Made by hand")
		_, section, _ := strings.Cut(page, `<section id="`+tt.place+`"`)
		section, _, _ = strings.Cut(section, "</section>")
		if !strings.Contains(section, "Made by hand") || !strings.Contains(section, tt.words) {
			t.Errorf("%s: %s", tt.name, section)
		}
	}
	press(t, p, "/_ui/create", "company_id", "5678", "project_id", "0", "resource_name", "Submittals").wants(t, 400, "are in a project")
	press(t, p, "/_ui/create", "company_id", "5678", "project_id", "2001", "resource_name", "Widgets").wants(t, 400, "not the name of a resource")
}

func TestPageMakesTrouble(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect)
	trouble := func(name, words string) {
		t.Helper()
		if page := pageWith(t, p, "/_ui/trouble", "trouble", name); !strings.Contains(page, words) {
			t.Errorf("%s: the page lacks %q", name, words)
		}
	}
	trouble("unavailable", "status 503 for the next 3 requests to /rest/")
	if got := api(t, p, token.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 503, ""); got.header.Get("Retry-After") != "1" {
		t.Errorf("headers %v", got.header)
	}
	trouble("token", "drop for the next 1 requests to /oauth/token")
	if _, err := send(t, tokenRequest(t, p, credentials("grant_type", "refresh_token", "refresh_token", token.RefreshToken))); err == nil {
		t.Error("the token endpoint answered")
	}
	trouble("time", "1h30m0s ahead")
	trouble("lose", "10 % of deliveries are lost")
	trouble("end", "No trouble now.")
	if p.opts.LoseDeliveries != 0 {
		t.Error("deliveries are still lost")
	}
	press(t, p, "/_ui/trouble", "trouble", "fire").wants(t, 400, "no such trouble")
}

// The page shows a delivery with its answer, delivers it again, and has neither the hook's header nor a token, even where
// the destination echoes it.
func TestPageShowsDeliveries(t *testing.T) {
	t.Parallel()
	p := Start(t)
	rec := receive(t, func(_ int, w http.ResponseWriter) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `stored <b>, with hook-secret and Bearer hook-secret`)
	})
	pair := p.Token(t, Joe, redirect)
	hook := newHook(t, p, pair.AccessToken, rec.URL, "v3.0")
	addTrigger(t, p, pair.AccessToken, hook, "RFIs", "create")
	if _, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create"}); err != nil {
		t.Fatal(err)
	}
	first := rec.next(t)
	st := eventually(t, p, "a delivery", func(st State) bool { return len(st.Deliveries) == 1 })
	live := mustSend(t, request(t, "GET", p.URL+"/_ui/live", "")).wants(t, 200, "&#34;resource_name&#34;: &#34;RFIs&#34;").body
	for _, want := range []string{"ok 201", "Authorization, Content-Type, User-Agent", "stored &lt;b&gt;, with [removed]", "POST <code>" + hooksPath, "issued <code>" + Fingerprint(pair.RefreshToken)} {
		if !strings.Contains(live, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, secret := range []string{pair.AccessToken, pair.RefreshToken, "hook-secret"} {
		if strings.Contains(live, secret) || strings.Contains(home(t, p), secret) {
			t.Errorf("the page contains %s", secret)
		}
	}
	again := []string{"delivery_id", fmt.Sprint(st.Deliveries[0].ID)}
	if page := pageWith(t, p, "/_ui/again", again...); !strings.Contains(page, "delivered again") {
		t.Error("the page does not confirm")
	}
	if second := rec.next(t); second.body != first.body {
		t.Errorf("delivered %s, want once more %s", second.body, first.body)
	}
	steer(t, p, "PATCH", fmt.Sprintf("hooks/%d", hook), `{"disabled":true}`).wants(t, 200, "ok")
	press(t, p, "/_ui/again", again...).wants(t, 400, "is disabled")
	steer(t, p, "PATCH", fmt.Sprintf("hooks/%d", hook), `{"disabled":false}`).wants(t, 200, "ok")
	steer(t, p, "POST", "redeliveries", fmt.Sprintf(`{"delivery_id":%d}`, st.Deliveries[0].ID)).wants(t, 200, "ok")
	rec.next(t)
}

func TestTokenLog(t *testing.T) {
	t.Parallel()
	p := Start(t)
	first := p.Token(t, Joe, redirect)
	var second Pair
	refresh(t, p, first.RefreshToken).wants(t, 200, "").into(t, &second)
	refresh(t, p, first.RefreshToken).wants(t, 400, "invalid_grant")
	refresh(t, p, "invented").wants(t, 400, "invalid_grant")
	revoke(t, p, "token", second.AccessToken).wants(t, 200, "")
	service := p.ServiceToken()
	a, b := Fingerprint(first.RefreshToken), Fingerprint(second.RefreshToken)
	want := []TokenEvent{
		{Event: TokenIssued, Fingerprint: a, UserID: Joe},
		{Event: TokenPresented, Fingerprint: a, State: Live, Spent: true, UserID: Joe},
		{Event: TokenRefreshed, Fingerprint: b, From: a, UserID: Joe},
		{Event: TokenPresented, Fingerprint: a, State: Spent, UserID: Joe},
		{Event: TokenPresented, Fingerprint: Fingerprint("invented"), State: Unknown},
		{Event: TokenRevoked, Fingerprint: b, Reason: ByEndpoint, UserID: Joe},
		{Event: TokenIssued, Fingerprint: Fingerprint(service.AccessToken)},
	}
	got := p.State().TokenLog
	for i := range got {
		got[i].At = time.Time{}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("log %+v, want %+v", got, want)
	}
	for range maxTokenEvents {
		p.ServiceToken()
	}
	if n := len(p.State().TokenLog); n > maxTokenEvents || n < maxTokenEvents/2 {
		t.Errorf("%d events are kept", n)
	}
}
