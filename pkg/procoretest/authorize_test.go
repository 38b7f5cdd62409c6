package procoretest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{RedirectURIs: []string{redirect}})
	for _, tt := range []struct {
		name     string
		change   []string
		wantCode string // error code of the redirect; empty: a page shows the error
	}{
		{"unknown client", []string{"client_id", "other"}, ""},
		{"trailing slash", []string{"redirect_uri", redirect + "/"}, ""},
		{"other host", []string{"redirect_uri", "http://localhost:3000/oauth/callback"}, ""},
		{"added query", []string{"redirect_uri", redirect + "?a=b"}, ""},
		{"long state", []string{"state", strings.Repeat("s", maxState+1)}, ""},
		{"implicit flow", []string{"response_type", "token"}, "unsupported_response_type"},
		{"plain PKCE", []string{"code_challenge", strings.Repeat("c", 43), "code_challenge_method", "plain"}, "invalid_request"},
		{"short PKCE", []string{"code_challenge", "c", "code_challenge_method", "S256"}, "invalid_request"},
	} {
		address := authorizeURL(p, tt.change...)
		form := strings.TrimPrefix(address, p.URL+"/oauth/authorize?") + "&user=1234567&decision=authorize"
		for _, r := range []*http.Request{
			request(t, "GET", address, ""),
			request(t, "POST", p.URL+"/oauth/authorize", form, "Content-Type", "application/x-www-form-urlencoded"),
		} {
			got := mustSend(t, r)
			if tt.wantCode == "" {
				if got.status != 400 || got.header.Get("Location") != "" {
					t.Errorf("%s, %s: %d to %q, want a page with 400", tt.name, r.Method, got.status, got.header.Get("Location"))
				}
				continue
			}
			u, _ := url.Parse(got.header.Get("Location"))
			if q := u.Query(); got.status != 302 || q.Get("error") != tt.wantCode || q.Get("state") != "s&1" || q.Get("code") != "" {
				t.Errorf("%s, %s: %d to %v, want error %s", tt.name, r.Method, got.status, u, tt.wantCode)
			}
		}
	}
}

func TestRedirectURIMustBeLoopbackByDefault(t *testing.T) {
	t.Parallel()
	p := Start(t)
	mustSend(t, request(t, "GET", authorizeURL(p, "redirect_uri", "https://example.com/callback"), "")).wants(t, 400, "redirect_uri")
}

func TestDeny(t *testing.T) {
	t.Parallel()
	p := Start(t)
	u, err := url.Parse(p.Deny(t, Joe, authorizeURL(p)))
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("error") != "access_denied" || q.Get("error_description") == "" || q.Get("state") != "s&1" || q.Has("code") {
		t.Errorf("denied to %v", u)
	}
}

func TestUnknownUser(t *testing.T) {
	t.Parallel()
	p := Start(t)
	form := strings.TrimPrefix(authorizeURL(p), p.URL+"/oauth/authorize?") + "&user=42&decision=authorize"
	mustSend(t, request(t, "POST", p.URL+"/oauth/authorize", form, "Content-Type", "application/x-www-form-urlencoded")).
		wants(t, 400, "Choose a user")
}

// A page of another site must not click the button for the user.
func TestAuthorizeFromAnotherOrigin(t *testing.T) {
	t.Parallel()
	p := Start(t)
	form := strings.TrimPrefix(authorizeURL(p), p.URL+"/oauth/authorize?") + "&user=1234567&decision=authorize"
	mustSend(t, request(t, "POST", p.URL+"/oauth/authorize", form, "Content-Type", "application/x-www-form-urlencoded",
		"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site")).wants(t, 403, "")
}

func TestOutOfBandShowsTheCode(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{RedirectURIs: []string{redirect}})
	form := strings.TrimPrefix(authorizeURL(p, "redirect_uri", OutOfBand), p.URL+"/oauth/authorize?") + "&user=1234567&decision=authorize"
	page := mustSend(t, request(t, "POST", p.URL+"/oauth/authorize", form, "Content-Type", "application/x-www-form-urlencoded")).wants(t, 200, "fake-code-")
	_, rest, _ := strings.Cut(page.body, "fake-code-")
	code, _, _ := strings.Cut(rest, "<")
	mustSend(t, tokenRequest(t, p, credentials("grant_type", "authorization_code", "code", "fake-code-"+code, "redirect_uri", OutOfBand))).
		wants(t, 200, "fake-access-")
}
