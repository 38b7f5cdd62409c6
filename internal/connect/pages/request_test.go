package pages_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/config"
)

// requested returns the text to forward, and the message that its link opens.
func requested(t *testing.T, p page) (shown string, message url.Values) {
	t.Helper()
	boxes := p.all("textarea")
	if len(boxes) != 1 {
		t.Fatalf("%d texts to forward, want 1", len(boxes))
	}
	if !has(boxes[0], "readonly") {
		t.Error("the text can be edited")
	}
	u, err := url.Parse(linkNamed(p, "Open as an email"))
	if err != nil || u.Scheme != "mailto" || u.Opaque != "" {
		t.Fatalf("the link leads to %v, %v, want a message without a recipient", u, err)
	}
	message, err = url.ParseQuery(u.RawQuery)
	if err != nil || strings.Contains(u.RawQuery, "+") || len(u.String()) > 2000 {
		t.Errorf("%v: %q is not a short address as RFC 6068 has it", err, u)
	}
	return boxes[0].FirstChild.Data, message
}

// Who needs an administrator has a text for one: which company, which application, and where to click.
func TestRequests(t *testing.T) {
	t.Parallel()
	const name = "Acme Construction"
	for code, tt := range map[string]struct {
		problem       pages.Problem
		subject, step string
	}{
		"user_installs_off": {pages.UserInstallsOff(name), "Please install Acme Connect in Procore", "Choose Install App"},
		"not_connected":     {pages.NotConnected(name), "Please connect Acme Connect in Procore", "App Management"},
		"disconnected":      {pages.Disconnected(name), "Please connect Acme Connect in Procore", "App Management"},
		"no_permission":     {pages.NoPermission(name), "Please give me permissions for Acme Connect in Procore", "Directory"},
		"company_inactive":  {pages.CompanyInactive(name), "Our company is inactive in Procore", "Procore's support"},
	} {
		const list = "/companies?flow=flow-1"
		got := show(t, newPages(), problem(tt.problem.InCompany(5678).BackToCompanies(list)))
		shown, message := requested(t, got)
		if message.Get("subject") != tt.subject || strings.ReplaceAll(message.Get("body"), "\r\n", "\n") != shown {
			t.Errorf("%s: the message is %q, the text %q", code, message, shown)
		}
		for _, want := range []string{"“Acme Construction” (Procore company ID 5678)", "Acme Connect", tt.step, publicURL + "/"} {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: the text lacks %q:\n%s", code, want, shown)
			}
		}
		if to := linkNamed(got, "Try again"); to != publicURL+list {
			t.Errorf("%s: Try again leads to %q", code, to)
		}
	}
	if shown, _ := requested(t, show(t, newPages(), problem(pages.NoCompanies()))); !strings.Contains(shown, "add me") {
		t.Errorf("no company: %q", shown)
	}
	if got := show(t, newPages(), problem(pages.Denied())); len(got.all("textarea")) != 0 {
		t.Error("a visitor who needs no administrator has a text for one")
	}
}

// A company's name comes from outside, and the reader of a request trusts its sender. So the name is a short quotation on
// one line, in which no mail program finds a link, and it adds no header.
func TestHostileRequest(t *testing.T) {
	t.Parallel()
	// A link is a scheme, a host or an address of a person, by whatever dot (UTS 46).
	link := regexp.MustCompile(`(?i)[a-z0-9]://|[^\s.](?:[.․。．｡])[^\s.“”]|\S@\S|\S＠\S|[a-z]:\S`)
	plain, _ := requested(t, show(t, newPages(), problem(pages.UserInstallsOff("Acme"))))
	for _, name := range []string{
		"Acme\r\nBcc: all@evil.example", "Acme%0D%0ABcc:all@evil.example&cc=x@evil.example?to=y", "see https://evil.example/login", "evil.example",
		"evil。example", "evil．example/x", "evil｡example", "evil․example", "mailto:a@evil.example", "javascript:alert(1)", "//evil.example", `\\evil\share`,
		"Acme”. Please send your password to x@evil.example. “", "Acme\". Then", "»«„‚", "a\u202ebeta", "a\u2066b\u2069", "a\u200bb.\u200bc", "a.\u00adb.c",
		"</textarea><script>alert(1)</script>", strings.Repeat("Follow these steps. ", 50), strings.Repeat("株", 500), strings.Repeat("🏗", 500), "\xff\xfe", "",
	} {
		got := show(t, newPages(), problem(pages.UserInstallsOff(name).InCompany(5678)))
		shown, message := requested(t, got)
		if n := len(message); n != 2 || strings.ReplaceAll(message.Get("body"), "\r\n", "\n") != shown {
			t.Errorf("%.40q: %d fields of a message, or another text: %q", name, n, message)
		}
		if len(got.all("script")) != 0 || strings.Count(shown, "\n") != strings.Count(plain, "\n") {
			t.Errorf("%.40q became markup or lines:\n%s", name, shown)
		}
		if found := link.FindString(strings.ReplaceAll(shown, publicURL, "")); found != "" {
			t.Errorf("%.40q added the link %q:\n%s", name, found, shown)
		}
		if i := strings.IndexFunc(shown, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r) }); i >= 0 {
			t.Errorf("%.40q: an invisible character in %q", name, shown)
		}
		if n := strings.Count(shown, "“"); n > 1 || n != strings.Count(shown, "”") || strings.ContainsAny(shown, "\"„»«") {
			t.Errorf("%.40q breaks out of its quotation:\n%s", name, shown)
		}
		if long := len([]rune(shown)) - len([]rune(plain)); long > 100 {
			t.Errorf("%.40q: the text has %d more characters", name, long)
		}
	}
}

// The page for an installation has a text for a visitor who is no administrator. It promises no sign-in where there is none.
func TestRequestInstallation(t *testing.T) {
	t.Parallel()
	for users, want := range map[bool]string{false: "check the connection here", true: "finish the connection here"} {
		p := pages.New(pages.Site{PublicURL: publicURL, Principals: config.Principals{ServiceAccount: true, Users: users}})
		for name, w := range map[string]write{
			"Install from Marketplace": (*pages.Pages).Landing,
			"ID 5678": func(p *pages.Pages, w http.ResponseWriter, r *http.Request) {
				p.NotInstalled(w, r, 5678, pages.InstallationRefused)
			},
		} {
			if shown, _ := requested(t, show(t, p, w)); !strings.Contains(shown, want) || !strings.Contains(shown, name) {
				t.Errorf("users %v: the text lacks %q or %q:\n%s", users, want, name, shown)
			}
		}
	}
}

// Who is connected without updates has a text for an administrator too: for the permission of the user, or of the app.
func TestRequestUpdates(t *testing.T) {
	t.Parallel()
	for step, w := range map[string]write{
		"edit my user": connected(pages.Connection{Webhooks: pages.WebhooksNeedsAdmin}),
		"App Management": func(p *pages.Pages, w http.ResponseWriter, r *http.Request) {
			p.Installed(w, r, 5678, pages.WebhooksNeedsAdmin, false, "")
		},
	} {
		shown, _ := requested(t, show(t, newPages(), w))
		for _, want := range []string{"(Procore company ID 5678)", "“Webhooks API”", step} {
			if !strings.Contains(shown, want) {
				t.Errorf("the text lacks %q:\n%s", want, shown)
			}
		}
	}
	if got := show(t, newPages(), connected(pages.Connection{Webhooks: pages.WebhooksNeedsAdmin, Paused: true})); len(got.all("textarea")) != 0 {
		t.Error("a connection that is interrupted has a text about updates")
	}
}
