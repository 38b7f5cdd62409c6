package handler

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/testing/kit/functiontest"
)

// No parameter, whatever its name, decides where the browser goes.
func TestOpenRedirect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	evil := url.Values{}
	for _, name := range []string{
		"next", "url", "to", "target", "return", "return_to", "returnTo", "redirect", "redirect_uri", "redirect_url", "continue", "goto", "flow", "iss",
	} {
		evil.Set(name, "https://evil.example/")
	}
	b := s.Browser(s.base)
	authorize := b.Get("/oauth/start?" + evil.Encode()).RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	callback, _ := s.login(b)
	for name, page := range map[string]functiontest.Page{
		"landing":            b.Get("/?" + evil.Encode()),
		"callback":           b.Get(callback + "&" + evil.Encode()),
		"callback, again":    b.Get(callback + "&" + evil.Encode()),
		"callback, no state": b.Get("/oauth/callback?" + evil.Encode()),
	} {
		if to := page.Header.Get("Location"); to != "" && !strings.HasPrefix(to, s.base+"/companies?flow=") || strings.Contains(to+page.Body, "evil.example") {
			t.Errorf("%s: leads to %q, or shows the address", name, to)
		}
	}
	if strings.Contains(authorize, "evil.example") {
		t.Error("the redirect to Procore has parameters of the address")
	}
}

// No cache, frame or next site sees an answer.
func TestAnswersStayPrivate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, state := s.login(b)
	denied, _ := s.start(b)
	for name, page := range map[string]functiontest.Page{
		"landing": b.Get("/"), "start": b.Get("/oauth/start"), "callback": b.Get(callback), "again": b.Get(callback),
		"other browser": s.Browser(s.base).Get(callback), "no state": b.Get("/oauth/callback?code=fake-code-x"),
		"denied": b.Get("/oauth/callback?error=access_denied&state=" + url.QueryEscape(mustState(t, denied))),
		"method": b.Post("/oauth/callback", nil),
	} {
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		} {
			if got := page.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", name, csp)
		}
		if to := page.Header.Get("Location"); strings.HasPrefix(to, s.base) && (strings.Contains(to, "code") || strings.Contains(to, state)) {
			t.Errorf("%s: the code or the state is in the next address", name)
		}
	}
}

func mustState(t *testing.T, authorize string) string {
	t.Helper()
	u, err := url.Parse(authorize)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("state")
}

// Anyone can start as often as the gateway allows. Each start costs one small row
// that expires automatically, no call to Procore, and no other user's flow.
func TestFloodOfStarts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	s.Storage()
	for range 50 {
		s.Browser(s.base).Get("/oauth/start").RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	}
	ops := s.Storage()
	if diff := cmp.Diff(ops, strings.Split(strings.Repeat("PutItem ", 49)+"PutItem", " ")); diff != "" {
		t.Errorf("operations (-got +want):\n%s", diff)
	}
	s.wantExchanges(0)
	out, err := s.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &s.Tables.Sessions})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range out.Items {
		if n := size(item); n > 1024 {
			t.Errorf("a start takes %d bytes, want 1 KB, what one write unit holds", n)
		}
		ttl, _ := item["ttl"].(*types.AttributeValueMemberN)
		if ttl == nil || ttl.Value > fmt.Sprint(s.Clock.Now().Add(25*time.Hour).Unix()) {
			t.Fatal("a start stays for longer than a day")
		}
	}
	b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
}

func size(item map[string]types.AttributeValue) (n int) {
	for name, v := range item {
		n += len(name)
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += len(v.Value)
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		}
	}
	return n
}

// Other spellings of the callback's path, and other methods, don't use up the state.
func TestOtherSpellings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"//oauth/callback/", "//oauth/callback", "/oauth//callback", "/oauth/./callback", "/x/../oauth/callback", "/OAUTH/CALLBACK",
		"/oauth/callback;x", "/oauth/callback%00", "/oauth%2Fcallback", `/oauth\callback`, "//evil.example/oauth/callback", "/oauth/callback/..", "",
	} {
		out := s.event(t.Context(), path, u.RawQuery, b.Cookies()...)
		if to := out.Headers["Location"]; to != "" && (to[0] != '/' || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
			t.Errorf("%q redirects to %.30q, another site", path, to)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodOptions, http.MethodTrace, "get", "GET ", ""} {
		out := s.invoke(t.Context(), method, "/oauth/callback", u.RawQuery, b.Cookies()...)
		if out.StatusCode < 400 {
			t.Errorf("%q: got status %d, want a refusal", method, out.StatusCode)
		}
	}
	s.wantExchanges(0)
	b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
}

// A link made by an attacker shows none of their words on our page.
func TestForeignWords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	words := url.Values{"error": {"server_error"}, "error_description": {"call this number"}, "error_uri": {"https://evil.example"}}
	words.Set("state", strings.Repeat("A", 52))
	page := b.Get("/oauth/callback?"+words.Encode()).Wants(pages.OtherBrowser().Status, pages.OtherBrowser().Title)
	if strings.Contains(page.Body, "call this") || strings.Contains(page.Body, "evil.example") {
		t.Error("the page shows text from the address")
	}
	if log := s.Log.String(); strings.Contains(log, "call this") || strings.Contains(log, "evil.example") {
		t.Error("the log has text from the address")
	}
}
