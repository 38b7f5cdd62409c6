package pages_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/gateway"
)

// TestStructure checks that every page in every state has what a screen reader, a keyboard and a phone need.
func TestStructure(t *testing.T) {
	t.Parallel()
	p := newPages()
	for name, w := range situations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := show(t, p, w)
			if root := got.all("html"); attr(root[0], "lang") != "en" {
				t.Error("html has no lang")
			}
			for _, tag := range []string{"h1", "title", "main", "header", "footer", "style"} {
				if n := len(got.all(tag)); n != 1 {
					t.Errorf("%d <%s>, want 1", n, tag)
				}
			}
			title, h1 := text(got.all("title")[0]), text(got.all("h1")[0])
			if h1 == "" || !strings.HasPrefix(title, h1+" – ") {
				t.Errorf("title %q does not begin with the heading %q", title, h1)
			}
			if !strings.Contains(got.body, "width=device-width") {
				t.Error("no viewport")
			}
			checkHeadings(t, got)
			checkFields(t, got)
			checkInert(t, got)
			checkLinks(t, got)
			if n := len(got.body); n > maxPage {
				t.Errorf("%d bytes, want at most 30 KB", n)
			}
			if stops := strings.HasPrefix(name, "problem ") || name == "setup"; strings.Contains(got.body, requestID) != stops && !strings.HasPrefix(name, "problem, ") {
				t.Errorf("a request ID: %v, want %v: it helps where something went wrong", !stops, stops)
			}
			if strings.Contains(got.body, "{app}") || strings.Contains(got.body, "{support}") || strings.Contains(got.body, "ZgotmplZ") {
				t.Error("an unfilled placeholder is on the page")
			}
			if foot := text(got.all("footer")[0]); !strings.Contains(foot, "help@acme.example") {
				t.Errorf("footer = %q, want the support contact", foot)
			}
		})
	}
}

func checkHeadings(t *testing.T, p page) {
	t.Helper()
	for i, h := range p.all("h1", "h2", "h3") {
		if (i == 0) != (h.Data == "h1") || h.Data == "h3" {
			t.Errorf("heading %d is %s: one h1 first, then h2", i, h.Data)
		}
	}
}

// checkFields checks that each visible field has a label and existing descriptions, that each group has a legend, and
// that ids are unique.
func checkFields(t *testing.T, p page) {
	t.Helper()
	ids, labels := map[string]bool{}, map[string]string{}
	for n := range p.doc.Descendants() {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("id %q twice", id)
			}
			ids[id] = true
		}
		if n.Data == "label" {
			labels[attr(n, "for")] = text(n)
		}
	}
	for _, n := range p.all("input") {
		if attr(n, "type") != "hidden" && labels[attr(n, "id")] == "" {
			t.Errorf("field %q has no label", attr(n, "id"))
		}
	}
	for n := range p.doc.Descendants() {
		for d := range strings.FieldsSeq(attr(n, "aria-describedby")) {
			if !ids[d] {
				t.Errorf("described by %q, which does not exist", d)
			}
		}
	}
	for _, n := range p.all("fieldset") {
		if first := firstElement(n); first == nil || first.Data != "legend" || text(first) == "" {
			t.Error("fieldset without a legend")
		}
	}
	for _, n := range p.all("button", "a") {
		if text(n) == "" {
			t.Errorf("<%s> without a name", n.Data)
		}
	}
}

func firstElement(n *html.Node) *html.Node {
	for c := range n.ChildNodes() {
		if c.Type == html.ElementNode {
			return c
		}
	}
	return nil
}

// checkInert checks that there is no script, no inline style or event handler (the policy would refuse them), and nothing
// to load.
func checkInert(t *testing.T, p page) {
	t.Helper()
	if n := p.all("script", "iframe", "img", "object", "embed", "base"); len(n) != 0 {
		t.Errorf("<%s> on the page", n[0].Data)
	}
	for n := range p.doc.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || a.Key == "src" {
				t.Errorf("<%s %s>", n.Data, a.Key)
			}
		}
	}
	for _, n := range p.all("link") {
		if !strings.HasPrefix(attr(n, "href"), "data:image/svg+xml,") {
			t.Errorf("link to %q", attr(n, "href"))
		}
	}
	css := text(p.all("style")[0])
	if strings.Contains(css, "url(") || strings.Contains(css, "@import") {
		t.Error("the stylesheet loads something")
	}
}

// checkLinks checks that links and forms stay below the public address, stage included, or are the configured ones.
func checkLinks(t *testing.T, p page) {
	t.Helper()
	for _, n := range p.all("a", "form") {
		to := attr(n, "href") + attr(n, "action")
		if !strings.HasPrefix(to, publicURL+"/") && to != "mailto:help@acme.example" && !strings.HasPrefix(to, "mailto:?subject=") && to != loginURL && to != "#company" && to != "#yourself" && to != "https://app.example/start" && to != acme.Return {
			t.Errorf("<%s> leads to %q", n.Data, to)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	p := newPages()
	for name, w := range situations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := show(t, p, w)
			sum := sha256.Sum256([]byte(got.all("style")[0].FirstChild.Data))
			want := map[string]string{
				"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
					"'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
				"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
				"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
				"Strict-Transport-Security": "max-age=63072000", "Content-Type": "text/html; charset=utf-8",
			}
			for k, v := range want {
				if got := got.res.Header.Get(k); got != v {
					t.Errorf("%s = %q, want %q", k, got, v)
				}
			}
		})
	}
	to := pages.New(pages.Site{PublicURL: publicURL, Returns: []string{acme.Return, acme.Return + "/2", "http://127.0.0.1:8080/x"}})
	if got := show(t, to, (*pages.Pages).Landing).res.Header.Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' https://host.example http://127.0.0.1:8080; ") {
		t.Errorf("with return addresses, the policy is %q", got)
	}
	plain := show(t, pages.New(pages.Site{PublicURL: "http://127.0.0.1:3000"}), (*pages.Pages).Landing)
	if got := plain.res.Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security = %q over http, want none", got)
	}
}

func TestLanding(t *testing.T) {
	t.Parallel()
	got := show(t, newPages(), (*pages.Pages).Landing)
	if to := linkNamed(got, "Connect to Procore"); to != publicURL+"/oauth/start" {
		t.Errorf("Connect to Procore leads to %q", to)
	}
}

// linkNamed returns where the link of that accessible name leads.
func linkNamed(p page, name string) string {
	for _, a := range p.all("a") {
		if text(a) == name {
			return attr(a, "href")
		}
	}
	return ""
}

func TestConnected(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		c    pages.Connection
		has  []string
		not  []string
	}{
		{"off", pages.Connection{}, []string{"Acme Construction", "5678", "Joe Builder", "close this page"}, []string{"Updates from Procore", "Reconnected"}},
		{"pending", pages.Connection{Webhooks: pages.WebhooksPending}, []string{"Being set up", "Check again"}, nil},
		{"active", pages.Connection{Webhooks: pages.WebhooksActive}, []string{"within seconds"}, []string{"Check again"}},
		{"needs admin", pages.Connection{Webhooks: pages.WebhooksNeedsAdmin}, []string{"a company administrator", "Webhooks API"}, nil},
		{"reconnected", pages.Connection{Reconnected: true}, []string{"Reconnected"}, nil},
		{"one other", pages.Connection{Others: 1}, []string{"Both connections stay in place"}, nil},
		{"next", pages.Connection{NextURL: "https://app.example/start"}, []string{"Continue"}, []string{"close this page"}},
		{"next is a script", pages.Connection{NextURL: "javascript:alert(1)"}, nil, []string{"javascript:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := show(t, newPages(), connected(tt.c))
			for _, s := range tt.has {
				if !strings.Contains(text(got.all("main")[0]), s) {
					t.Errorf("the page lacks %q", s)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(got.body, s) {
					t.Errorf("the page has %q", s)
				}
			}
		})
	}
}

func TestCheckAgain(t *testing.T) {
	t.Parallel()
	for flow, want := range map[string]string{"": "/connected", "a b&c": "/connected?flow=a+b%26c"} {
		got := show(t, newPages(), connected(pages.Connection{Webhooks: pages.WebhooksPending, Flow: flow}))
		if to := linkNamed(got, "Check again"); to != publicURL+want {
			t.Errorf("Check again leads to %q, want %q", to, want)
		}
	}
}

func TestSetupUnfinished(t *testing.T) {
	t.Parallel()
	got := show(t, newPages(), situations()["setup"])
	if got.res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status = %d, want 503", got.res.StatusCode)
	}
	for _, s := range []string{"APP_SECRET_ID", "client_id", "KEYS_SECRET_ID", "WEBHOOK_SECRET_ID", "put-secret-value", requestID} {
		if !strings.Contains(got.body, s) {
			t.Errorf("the page lacks %q", s)
		}
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	p := newPages()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /companies", func(w http.ResponseWriter, r *http.Request) {
		if r.Pattern != "GET /companies" {
			t.Errorf("pattern = %q: the log line needs it", r.Pattern)
		}
		p.Redirect(w, "/connected")
	})
	mux.HandleFunc("POST /companies", p.Landing)
	mux.HandleFunc("GET /connected", p.Elsewhere)
	tests := []struct {
		method, target string
		status         int
		allow, to      string
	}{
		{"GET", "/companies", 303, "", publicURL + "/connected"},
		{"POST", "/companies", 200, "", ""},
		{"DELETE", "/companies", 405, "GET, HEAD, POST", ""},
		{"GET", "/elsewhere", 404, "", ""},
		{"GET", "/x/../companies", 404, "", ""},
		{"GET", "//companies", 404, "", ""},
		{"GET", "//companies/", 404, "", ""},
		{"GET", "/companies/.", 404, "", ""},
		{"GET", "/companies/", 303, "", publicURL + "/connected"},
		{"GET", "/companies//", 303, "", publicURL + "/connected"},
		{"HEAD", "/companies/", 303, "", publicURL + "/connected"},
		{"POST", "/companies/", 404, "", ""},
		{"GET", "/elsewhere/", 404, "", ""},
		{"GET", "/connected/?flow=f&q=a%20b&next=x", 303, "", publicURL + "/connected?flow=f&q=a+b"},
		{"GET", "/connected/?moved=1", 303, "", publicURL + "/connected?moved=1"},
		{"GET", "/connected?flow=f", 404, "", ""},
	}
	for _, tt := range tests {
		rec := httptest.NewRecorder()
		p.Handler(mux).ServeHTTP(rec, request(t, tt.method, tt.target))
		got := []any{rec.Code, rec.Header().Get("Allow"), rec.Header().Get("Location")}
		if diff := cmp.Diff(got, []any{tt.status, tt.allow, tt.to}); diff != "" {
			t.Errorf("%s %s (-got +want):\n%s", tt.method, tt.target, diff)
		}
		if rec.Header().Get("Referrer-Policy") != "no-referrer" || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: no security headers", tt.method, tt.target)
		}
		if tt.status >= 400 && tt.method != "HEAD" && !strings.Contains(rec.Body.String(), "<h1>") {
			t.Errorf("%s %s: %q, want a page", tt.method, tt.target, rec.Body)
		}
	}
}

// A browser at another host is sent to PublicURL once, with the parameters that pages have.
func TestToPublicURL(t *testing.T) {
	t.Parallel()
	const here = "connect.example"
	for _, tt := range []struct{ domain, target, to string }{
		{here, "/oauth/start", ""},
		{"CONNECT.Example", "/oauth/start", ""},
		{here + ":8443", "/oauth/start", ""},
		{"", "/oauth/start", ""}, // not known
		{"www.connect.example", "/oauth/start", "/oauth/start?moved=1"},
		{here + ".", "/oauth/start", "/oauth/start?moved=1"}, // a browser keeps its cookies apart
		{"abc.execute-api.us-east-1.amazonaws.com", "/companies?flow=f&q=x&next=//evil.example", "/companies?flow=f&moved=1&q=x"},
		{"abc.execute-api.us-east-1.amazonaws.com", "/companies?flow=f&moved=1", ""},
		{"[::1]:3000", "/oauth/start", "/oauth/start?moved=1"},
	} {
		r := request(t, "GET", tt.target)
		r = r.WithContext(gateway.WithDomain(r.Context(), tt.domain))
		rec := httptest.NewRecorder()
		moved, want := newPages().ToPublicURL(rec, r), ""
		if tt.to != "" {
			want = publicURL + tt.to
		}
		if got := rec.Header().Get("Location"); got != want || moved != (want != "") {
			t.Errorf("%s at %q: moved %v to %q, want %q", tt.target, tt.domain, moved, got, want)
		}
	}
	at := pages.New(pages.Site{PublicURL: "http://[::1]:3000"})
	r := request(t, "GET", "/oauth/start")
	if at.ToPublicURL(httptest.NewRecorder(), r.WithContext(gateway.WithDomain(r.Context(), "[::1]:3000"))) {
		t.Error("an IPv6 address is not itself")
	}
}

func TestRedirectHasNoBody(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	newPages().Redirect(rec, "https://login.procore.com/oauth/authorize?state=s")
	if rec.Body.Len() != 0 || rec.Header().Get("Location") != "https://login.procore.com/oauth/authorize?state=s" {
		t.Errorf("%v %q", rec.Header(), rec.Body)
	}
}

func TestSupport(t *testing.T) {
	t.Parallel()
	tests := []struct{ support, want string }{
		{"help@acme.example", "mailto:help@acme.example"},
		{"https://acme.example/help", "https://acme.example/help"},
		{"Ask Ann, room 3", ""},
		{"javascript:alert(1)", ""},
		{"http://acme.example", ""},
		{"", ""},
	}
	for _, tt := range tests {
		got := show(t, pages.New(pages.Site{Support: tt.support}), problem(pages.ProcoreUnreachable()))
		foot := got.all("footer")[0]
		var to []string
		for n := range foot.Descendants() {
			if n.Data == "a" {
				to = append(to, attr(n, "href"))
			}
		}
		if !strings.Contains(text(foot), tt.support) || slices.Compact(append(to, ""))[0] != tt.want {
			t.Errorf("%q: %q %v, want a link to %q", tt.support, text(foot), to, tt.want)
		}
		if tt.support == "" && !strings.Contains(text(got.all("main")[0]), "the team that runs "+pages.DefaultBrand().Name) {
			t.Error("without a support contact the page does not name the team")
		}
	}
}
