package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

func TestLanding(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Storage()
	page := s.Browser(s.base).Get("/").Wants(http.StatusOK, "Connect to Procore", s.base+"/oauth/start")
	if len(page.Cookies) > 0 {
		t.Errorf("the landing page set cookies %v", page.Cookies)
	}
	if ops := s.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
}

// A deployment without credentials shows how to fill them in, and works soon after
// they are filled in.
func TestSetupUnfinished(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"placeholder": `{"client_id":"FILL-IN","client_secret":"FILL-IN"}`,
		"half":        `{"client_id":"fake-client-id","client_secret":""}`,
		"not JSON":    `fake-client-secret`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.Secrets.Put(functiontest.AppSecret, value)
			b := s.Browser(s.base)
			for _, path := range []string{"/", "/oauth/start"} {
				b.Get(path).Wants(http.StatusServiceUnavailable, "Finish the setup", "APP_SECRET_ID")
			}
			s.Secrets.Put(functiontest.AppSecret, functiontest.AppValue)
			b.Get("/").Wants(http.StatusOK, "Connect to Procore")
			s.works()
		})
	}
}

// Each redirect to Procore has a new state and PKCE challenge, our redirect URI, and
// a cookie that binds them to the browser.
func TestStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	seen := map[string]bool{}
	for range 3 {
		page := s.Browser(s.base).Get("/oauth/start")
		u, err := url.Parse(page.RedirectsTo(s.Procore.URL + "/oauth/authorize?"))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		state, challenge := q.Get("state"), q.Get("code_challenge")
		s.Log.Secret(state)
		if q.Get("response_type") != "code" || q.Get("client_id") != "fake-client-id" || q.Get("redirect_uri") != s.base+"/oauth/callback" {
			t.Errorf("got parameters %v", q)
		}
		if len(state) < 43 || len(challenge) != 43 || q.Get("code_challenge_method") != "S256" {
			t.Errorf("got a state of %d characters, a challenge of %d, method %q", len(state), len(challenge), q.Get("code_challenge_method"))
		}
		if len(page.Cookies) != 1 {
			t.Fatalf("got %d cookies, want 1", len(page.Cookies))
		}
		c := page.Cookies[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 || len(c.Value) < 43 {
			t.Errorf("got cookie %s; HttpOnly %v, SameSite %v, path %q, domain %q, max age %d", c.Name, c.HttpOnly, c.SameSite, c.Path, c.Domain, c.MaxAge)
		}
		for _, value := range []string{state, challenge, c.Value, c.Name} {
			if seen[value] {
				t.Error("a value was used twice")
			}
			seen[value] = true
		}
		if got := s.status(state); got != session.Started {
			t.Errorf("got a session that is %q, want started", got)
		}
	}
}

// On https the cookie cannot be set by a sibling host, nor be sent over http.
func TestCookieOnHTTPS(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(h *handler) {
		h.public, h.cookies.Secure = "https://connect.example.com", true
	})
	out := s.event(t.Context(), "/oauth/start", "")
	c, err := http.ParseSetCookie(out.Cookies[0])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(c.Name, "__Host-flow-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Errorf("got cookie %s; Secure %v, HttpOnly %v, path %q, domain %q", c.Name, c.Secure, c.HttpOnly, c.Path, c.Domain)
	}
}

// The callback turns the code into a sealed pair that waits for the choice.
func TestCallback(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, state := s.login(b)
	before := b.Cookies()[0]
	page := b.Get(callback)
	flow := session.FlowOf(procore.NewSecret(state))
	if got, want := page.RedirectsTo(s.base), s.base+"/companies?flow="+flow; got != want {
		t.Errorf("got redirect to %q, want %q", got, want)
	}
	s.wantExchanges(1)
	row := s.row(state)
	if s.status(state) != session.Authorized || row["sealed"] == nil || row["ttl"] != nil || row["held_shard"] == nil {
		t.Errorf("the session is %s, sealed %v, ttl %v, held_shard %v", s.status(state), row["sealed"] != nil, row["ttl"], row["held_shard"])
	}

	after := page.Cookies[0]
	if after.Name != before.Name || after.Value == before.Value || after.MaxAge <= 0 || !after.HttpOnly || after.SameSite != http.SameSiteLaxMode {
		t.Errorf("got cookie %s, new value %v, max age %d", after.Name, after.Value != before.Value, after.MaxAge)
	}
	if _, err := s.Sessions().Find(t.Context(), flow, procore.NewSecret(before.Value)); err == nil {
		t.Error("the cookie from before the sign-in still opens the session")
	}
	held, err := s.Sessions().Find(t.Context(), flow, procore.NewSecret(after.Value))
	if err != nil {
		t.Fatal(err)
	}
	if grants := s.count(s.Tables.Grants); grants > 0 {
		t.Errorf("got %d grants before the pair was moved, want none", grants)
	}
	s.wantRefreshTokens(procoretest.Live)
	for _, c := range s.Procore.State().Calls {
		t.Errorf("%s %s was called before the choice", c.Method, c.Path)
	}
	moved, err := s.handover().Move(t.Context(), held)
	if err != nil || moved.Principal != tokens.User(procoretest.Joe) {
		t.Errorf("the pair is of %s, or %v", moved.Principal, err)
	}
	if _, err := s.Tokens().Upkeep().Token(t.Context(), moved.Principal); err != nil {
		t.Errorf("the grant does not work: %v", err)
	}
}

// A reload of the callback leads to the choice; the code is not sent again.
func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, state := s.login(b)
	for range 3 {
		b.Get(callback).RedirectsTo(s.base + "/companies?flow=" + session.FlowOf(procore.NewSecret(state)))
	}
	b.Get("/oauth/callback?code=fake-code-other&state=" + state).RedirectsTo(s.base + "/companies?flow=")
	s.wantExchanges(1)
	if got := s.status(state); got != session.Authorized {
		t.Errorf("the session is %q, want authorized", got)
	}
}

// A user who denies sees so, however often the browser loads the callback. Other errors
// at the callback do not count as failures: a visitor can write them.
func TestDenied(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		query, known string
		want         pages.Problem
	}{
		{"error=access_denied", "access_denied", pages.Denied()},
		{"error=ACCESS_DENIED&code=", "access_denied", pages.Denied()},
		{"error=access_denied&code=x", "access_denied", pages.Denied()},
		{"error=server_error", "server_error", pages.AuthorizationFailed()},
		{"error=unauthorized_client", "unauthorized_client", pages.AuthorizationFailed()},
		{"error=x", "unknown", pages.AuthorizationFailed()},
		{"", "unknown", pages.AuthorizationFailed()},
	} {
		t.Run(strings.ReplaceAll(tt.query, "&code=", " and "), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.Browser(s.base)
			authorize, state := s.start(b)
			back := "/oauth/callback?" + tt.query + "&state=" + state
			if tt.query == "error=access_denied" {
				back = s.Procore.Deny(t, procoretest.Joe, authorize)
			}
			for range 3 {
				b.Get(back).Wants(tt.want.Status, tt.want.Title, "Connect again")
				if line := s.Log.Last(t); line["outcome"] != "rejected" || line["authorization_error"] != tt.known {
					t.Errorf("logged %v", line)
				}
			}
			if got := s.status(state); got != session.Abandoned {
				t.Errorf("the session is %q, want abandoned", got)
			}
			b.Get("/oauth/callback?code=fake-code-x&state=" + state).Wants(pages.StateUsed().Status)
			s.wantExchanges(0)
			s.works()
		})
	}
}

// An address with an error ends no sign-in that has gone on.
func TestDeniedTooLate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	_, exchanging := s.login(b)
	if _, _, err := s.Sessions().Consume(t.Context(), procore.NewSecret(exchanging), procore.NewSecret(b.Cookies()[0].Value)); err != nil {
		t.Fatal(err)
	}
	b.Get("/oauth/callback?error=access_denied&state=" + exchanging).Wants(pages.Denied().Status)
	if got := s.status(exchanging); got != session.Exchanging {
		t.Errorf("the session is %q, want still exchanging", got)
	}
	callback, state := s.login(b)
	b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
	b.Get("/oauth/callback?error=access_denied&state=" + state).RedirectsTo(s.base + "/companies?flow=")
	if got := s.status(state); got != session.Authorized {
		t.Errorf("the session is %q, want authorized", got)
	}
}

func TestMethod(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	page := s.Browser(s.base).Post("/oauth/callback", url.Values{"code": {"fake-code-x"}, "state": {"x"}}).Wants(http.StatusMethodNotAllowed)
	if got := page.Header.Get("Allow"); !strings.Contains(got, http.MethodGet) {
		t.Errorf("got Allow %q", got)
	}
}

// The redirect URI is PUBLIC_URL's, whatever the request contains.
func TestPublicURLAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	evil := func(path string) functiontest.Page {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+path+"redirect_uri=https://evil.example/&next=//evil.example", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example"
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host"} {
			r.Header.Set(name, "evil.example")
		}
		r.Header.Set("Forwarded", "host=evil.example")
		r.Header.Set("X-Forwarded-Proto", "ftp")
		r.Header.Set("Referer", "https://evil.example/")
		return b.Do(r)
	}
	if got, want := evil("/oauth/start?").RedirectsTo(s.base), s.base+"/oauth/start?moved=1"; got != want {
		t.Errorf("got redirect to %q, want %q", got, want)
	}
	to := evil("/oauth/start?moved=1&").RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Query().Get("redirect_uri"); got != s.base+"/oauth/callback" || strings.Contains(to, "evil") {
		t.Errorf("got redirect URI %q in %q", got, to)
	}
}

// A state from another environment, client id or public address is refused.
func TestOtherConfiguration(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*site){
		"environment": func(s *site) { s.oauthIs(func(o *procore.OAuth) { o.Environment.Name = procore.Sandbox().Name }) },
		"client id":   func(s *site) { s.oauthIs(func(o *procore.OAuth) { o.ClientID = "another" }) },
		"public URL":  func(s *site) { s.h.public += "0" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.Browser(s.base)
			callback, _ := s.login(b)
			change(s)
			b.Get(callback).Wants(http.StatusForbidden)
			s.wantExchanges(0)
		})
	}
}

// Without users, the landing page explains the installation, and a sign-in cannot be
// started. In mixed mode there are both ways.
func TestServiceAccountLanding(t *testing.T) {
	t.Parallel()
	of := func(p config.Principals) *site {
		return newSite(t, func(h *handler) {
			h.users, h.pages = p.Users, pages.New(pages.Site{PublicURL: h.public, Principals: p})
		})
	}
	s := of(config.Principals{ServiceAccount: true})
	page := s.Browser(s.base).Get("/").Wants(http.StatusOK, "Install from Marketplace", "/connected")
	if strings.Contains(page.Body, "/oauth/start") {
		t.Error("the page leads to a sign-in")
	}
	s.Storage()
	s.Browser(s.base).Get("/oauth/start").RedirectsTo(s.base + "/")
	if ops := s.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
	page = s.Browser(s.base).Get("/oauth/callback?code=invented").Wants(http.StatusBadRequest, "Go to the home page")
	if strings.Contains(page.Body, "/oauth/start") {
		t.Error("the problem leads to a sign-in")
	}
	s = of(config.Principals{Users: true, ServiceAccount: true})
	s.Browser(s.base).Get("/").Wants(http.StatusOK, "Install from Marketplace", "Or connect as yourself", "/oauth/start")
	s.works()
}
