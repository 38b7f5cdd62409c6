package handler

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/procore"
)

// A callback with an unknown state is refused, and costs no exchange.
func TestState(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, state := s.login(b)
	tests := []struct {
		name, query string
		want        pages.Problem
	}{
		{"no parameters", "", pages.StateMissing()},
		{"missing", "code=fake-code-x", pages.StateMissing()},
		{"empty", "code=fake-code-x&state=", pages.StateMissing()},
		{"missing, with an error", "error=access_denied&error_description=send+money", pages.StateMissing()},
		{"never issued", "code=fake-code-x&state=" + strings.Repeat("A", 52), pages.OtherBrowser()},
		{"cut short", "code=fake-code-x&state=" + state[:len(state)-1], pages.OtherBrowser()},
		{"the flow's id", "code=fake-code-x&state=" + session.FlowOf(procore.NewSecret(state)), pages.OtherBrowser()},
		{"hostile", "code=fake-code-x&state=" + url.QueryEscape("<script>\r\nSet-Cookie: a=b\x00"), pages.OtherBrowser()},
		{"too long", "code=fake-code-x&state=" + strings.Repeat("A", 4000), pages.BadRequest()},
		{"too long a code", "code=" + strings.Repeat("A", 4000) + "&state=" + state, pages.BadRequest()},
		{"duplicate", "code=fake-code-x&state=" + state + "&state=" + state, pages.BadRequest()},
		{"duplicate, different", "code=fake-code-x&state=x&state=" + state, pages.BadRequest()},
		{"duplicate code", "code=fake-code-x&code=fake-code-y&state=" + state, pages.BadRequest()},
		{"duplicate error", "error=a&error=b&state=" + state, pages.BadRequest()},
		{"broken escape", "code=fake-code-x&state=%zz", pages.StateMissing()},
	}
	for _, tt := range tests {
		page := b.Get("/oauth/callback?" + tt.query)
		if page.Status != tt.want.Status || !strings.Contains(page.Body, html.EscapeString(tt.want.Title)) {
			t.Errorf("%s: got status %d, want %d %q", tt.name, page.Status, tt.want.Status, tt.want.Title)
		}
		if strings.Contains(page.Body, "send money") || strings.Contains(page.Body, "<script") || len(page.Cookies) > 0 {
			t.Errorf("%s: the page shows text from the address, or sets a cookie", tt.name)
		}
	}
	s.wantExchanges(0)
	b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
}

// R6: login CSRF. A callback opened in another browser is refused, whatever
// cookies it has, and the first browser can still finish.
func TestOtherBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first, other := s.Browser(s.base), s.Browser(s.base)
	callback, state := s.login(first)
	other.Get(callback).Wants(http.StatusForbidden, "started in another browser")

	s.login(other)
	own, planted := other.Cookies()[0], *first.Cookies()[0]
	planted.Value = own.Value
	u, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	other.Jar.SetCookies(u, []*http.Cookie{&planted})
	other.Get(callback).Wants(http.StatusForbidden, "started in another browser")
	s.wantExchanges(0)
	if got := s.status(state); got != session.Started {
		t.Errorf("the session is %q, want it still started", got)
	}
	first.Get(callback).RedirectsTo(s.base + "/companies?flow=" + session.FlowOf(procore.NewSecret(state)))
	s.wantExchanges(1)
}

// Code injection: another user's code does not match the PKCE challenge of the
// attacker's flow.
func TestInjectedCode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	victim, attacker := s.Browser(s.base), s.Browser(s.base)
	stolen, _ := s.login(victim)
	_, state := s.start(attacker)
	u, err := url.Parse(stolen)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"code": {u.Query().Get("code")}, "state": {state}}
	attacker.Get("/oauth/callback?"+q.Encode()).Wants(pages.CodeExpired().Status, pages.CodeExpired().Title)
	if got := s.Procore.State().RefreshTokens; len(got) > 0 {
		t.Errorf("got %d pairs, want none", len(got))
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	s.Clock.Advance(session.StateLifetime + 2*time.Second)
	want := pages.AuthorizationExpired()
	b.Get(callback).Wants(want.Status, want.Title)
	s.wantExchanges(0)
	s.works()
}

// Procore's code may have expired before the state.
func TestCodeRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	_, state := s.start(b)
	b.Get("/oauth/callback?code=fake-code-x&state="+state).Wants(pages.CodeExpired().Status, pages.CodeExpired().Title)
	s.wantExchanges(1)
	b.Get("/oauth/callback?code=fake-code-x&state=" + state).Wants(pages.StateUsed().Status)
	s.wantExchanges(1)
	s.works()
}

// Procore's message at the redirect is quoted, escaped and bounded.
func TestErrorDescription(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, description, shown string
	}{
		{"none", "", "Connect again"},
		{"plain", "The server is busy", "The server is busy"},
		{"script", `<script>alert(1)</script>"'`, "&lt;script&gt;"},
		{"line breaks", "one\r\nSet-Cookie: a=b\r\n\r\n{\"msg\":\"request\",\"outcome\":\"forged\"}", "Set-Cookie"},
		{"not UTF-8", "x\xff\xfe\x00y", "x"},
		{"long", strings.Repeat("long ", 400), "long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.Browser(s.base)
			_, state := s.start(b)
			q := url.Values{"state": {state}, "error": {"server_error"}, "error_description": {tt.description}}
			page := b.Get("/oauth/callback?"+q.Encode()).Wants(pages.AuthorizationFailed().Status, tt.shown)
			if strings.Contains(page.Body, "<script") || page.Header.Get("Set-Cookie") != "" || strings.Count(page.Body, "long ") > 200 {
				t.Errorf("the page has it unescaped or unbounded")
			}
			if got := len(s.Log.Lines(t, "request")); got != 2 {
				t.Errorf("got %d lines in the log, want 2", got)
			}
			s.wantExchanges(0)
		})
	}
}

// API Gateway refuses ten kilobytes of headers. If they reach the function, it refuses
// them too, and leaves the flow as it was.
func TestOversizedDescription(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, state := s.login(b)
	q := url.Values{"state": {state}, "error": {"server_error"}, "error_description": {strings.Repeat("x", 10<<10)}}
	out := s.event(t.Context(), "/oauth/callback", q.Encode(), b.Cookies()...)
	if out.StatusCode != http.StatusBadRequest || strings.Contains(out.Body, "xxx") {
		t.Errorf("got status %d, want 400 and nothing of the text", out.StatusCode)
	}
	b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
}

// Many tabs begin a sign-in, and then end one after the other. Only the oldest ones have
// lost their cookies, and the browser never has many.
func TestManyStarts(t *testing.T) {
	t.Parallel()
	const tabs, kept = 20, 8
	s := newSite(t)
	b := s.Browser(s.base)
	var callbacks []string
	for range tabs {
		callback, _ := s.login(b)
		callbacks = append(callbacks, callback)
		if got := len(b.Cookies()); got > kept {
			t.Fatalf("the browser has %d cookies", got)
		}
	}
	for i, callback := range callbacks {
		if i < tabs-kept {
			b.Get(callback).Wants(http.StatusForbidden, "started in another browser")
		} else {
			b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
		}
	}
}

// The same callback twice at once: one exchange, and both end at the same place.
func TestDoubleCallback(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n := range 10 {
		b := s.Browser(s.base)
		callback, _ := s.login(b)
		done := make(chan functiontest.Page, 2)
		for range 2 {
			go func() { done <- b.Get(callback) }()
		}
		first, second := <-done, <-done
		if a, b := first.RedirectsTo(s.base+"/companies?flow="), second.RedirectsTo(s.base+"/companies?flow="); a != b {
			t.Errorf("got redirects to %q and %q", a, b)
		}
		s.wantExchanges(n + 1)
	}
}
