package pages_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/gateway"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	p := newPages()
	codes := map[string]bool{}
	for name, pr := range catalogue() {
		if pr.Code == "" || codes[pr.Code] || pr.Status < 400 {
			t.Errorf("%s: code %q, status %d, want a unique code and an error status", name, pr.Code, pr.Status)
		}
		codes[pr.Code] = true
		got := show(t, p, problem(pr))
		if got.res.StatusCode != pr.Status {
			t.Errorf("%s: status = %d, want %d", name, got.res.StatusCode, pr.Status)
		}
		shown := text(got.all("main")[0])
		if first := regexp.MustCompile(`<p class="kind (yours|admin|wait|broken|done)">[^<]+</p>\s*<h1>`); !first.MatchString(got.body) {
			t.Errorf("%s: nothing above the heading shows who has to act", name)
		}
		if !strings.Contains(text(got.all("footer")[0]), requestID) {
			t.Errorf("%s: no request id", name)
		}
		for n := range got.doc.Descendants() {
			if attr(n, "role") == "alert" && !strings.Contains(text(n), text(got.all("h1")[0])) {
				t.Errorf("%s: the alert is not the heading with what happened", name)
			}
		}
		if !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s: no alert", name)
		}
		for _, s := range []string{pr.What, pr.Next} {
			if s == "" || !strings.HasSuffix(s, ".") || len(s) > 200 {
				t.Errorf("%s: %q is not a short sentence", name, s)
			}
		}
		if jargon := regexp.MustCompile(`(?i)\b(oauth|token|state parameter|csrf|http|api|pkce|dynamo|cookie jar)\b`).FindString(shown); jargon != "" {
			t.Errorf("%s: a site manager does not use the word %q", name, jargon)
		}
	}
}

// TestCatalogueIsComplete: the tests above must cover each problem that is added to a file.
func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("problem_*.go")
	if err != nil || len(names) == 0 {
		t.Fatal("no file with problems", err)
	}
	all, found := catalogue(), 0
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func ([A-Z]\w*)\(.*\) Problem \{`).FindAllStringSubmatch(string(src), -1) {
			found++
			if _, ok := all[m[1]]; !ok {
				t.Errorf("%s is in no test", m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("%d problems found in %v", found, names)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	if got := show(t, newPages(), problem(pages.StorageUnavailable())).res.Header.Get("Retry-After"); got != "30" {
		t.Errorf("Retry-After = %q, want 30", got)
	}
}

// TestProblemIsLogged runs a problem through the gateway: its code is in the request's line, Procore's message is not.
func TestProblemIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := newPages()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pr := pages.AuthorizationFailed()
		pr.Detail = "a message from outside"
		p.Problem(w, r, pr)
	})
	e := events.APIGatewayV2HTTPRequest{RawPath: "/oauth/callback"}
	e.RequestContext.HTTP.Method, e.RequestContext.RequestID = "GET", "JKJaXmPLvHcESHA="
	res, err := gateway.Handler(h, gateway.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `"problem":"authorization_failed"`) || strings.Contains(log.String(), "outside") {
		t.Errorf("log = %s", log.String())
	}
	if !strings.Contains(res.Body, "a message from outside") || !strings.Contains(res.Body, "JKJaXmPLvHcESHA=") {
		t.Error("the page lacks Procore's message or the request id")
	}
}

// The support contact stands in the sentence itself, as a link if it is an address.
func TestSupportInSentences(t *testing.T) {
	t.Parallel()
	for contact, want := range map[string]struct{ sentence, to string }{
		"help@acme.example":         {"contact help@acme.example.", "mailto:help@acme.example"},
		"https://help.acme.example": {"contact support at https://help.acme.example.", "https://help.acme.example"},
		"the help desk, ext. 42":    {"contact the help desk, ext. 42.", ""},
		"":                          {"contact the team that runs Acme Connect.", ""},
	} {
		got := show(t, pages.New(pages.Site{PublicURL: publicURL, Support: contact}), problem(pages.ProcoreUnreachable()))
		if main := got.all("main")[0]; !strings.Contains(text(main), want.sentence) || want.to != "" && linkNamed(got, contact) != want.to {
			t.Errorf("%q: %q, want %q", contact, text(main), want.sentence)
		}
	}
}

// A visitor whose account has no company is not sent in a circle: the account has to change at Procore first.
func TestOtherAccount(t *testing.T) {
	t.Parallel()
	for name, got := range map[string]page{
		"no company":   show(t, newPages(), problem(pages.NoCompanies())),
		"none of them": show(t, newPages(), situations()["choose, none available"]),
	} {
		if linkNamed(got, "Open Procore") != loginURL || linkNamed(got, "Connect with another account") != publicURL+"/oauth/start" || linkNamed(got, "Connect to Procore") != "" {
			t.Errorf("%s: %s", name, text(got.all("main")[0]))
		}
		for _, a := range got.all("a") {
			if attr(a, "target") != "" && attr(a, "rel") != "noopener noreferrer" {
				t.Errorf("%s: the other tab can reach this one", name)
			}
		}
	}
	if got := show(t, pages.New(pages.Site{PublicURL: publicURL}), problem(pages.NoCompanies())); linkNamed(got, "Open Procore") != "" || !strings.Contains(got.body, "sign out there") {
		t.Error("a link to a login that is not known")
	}
}

// Each reason why a company can't be connected has a next step.
func TestWays(t *testing.T) {
	t.Parallel()
	inactive, closed := pages.Company{ID: 1, Name: "Old Harbour", State: pages.Inactive}, pages.Company{ID: 2, Name: "Elsewhere", State: pages.NotAdmitted}
	for name, tt := range map[string]struct {
		companies    []pages.Company
		admin, team  bool
		text, noText string
	}{
		"inactive":     {[]pages.Company{inactive}, true, false, "“Old Harbour” (Procore company ID 1)", "Elsewhere"},
		"two inactive": {[]pages.Company{inactive, {ID: 3, Name: "Quay", State: pages.Inactive}}, true, false, "our company,", "Old Harbour"},
		"not admitted": {[]pages.Company{closed}, false, true, "", ""},
		"both":         {[]pages.Company{inactive, closed}, true, true, "“Old Harbour”", "Elsewhere"},
	} {
		got := show(t, newPages(), choose(pages.Choice{Companies: tt.companies}))
		shown := text(got.all("main")[0])
		if strings.Contains(shown, "Ask help@acme.example to enable your company") != tt.team || linkNamed(got, "Try again") != publicURL+"/companies?flow=flow-1" {
			t.Errorf("%s: %s", name, shown)
		}
		if !tt.admin {
			if len(got.all("textarea")) != 0 {
				t.Errorf("%s: a text for an administrator, who can't help", name)
			}
			continue
		}
		if box, _ := requested(t, got); !strings.Contains(box, tt.text) || strings.Contains(box, tt.noText) {
			t.Errorf("%s: the text is %q", name, box)
		}
	}
}

// The button of a page that asks nothing of the visitor, or that only the team can help with, is not the main thing on it.
// The team needs the company's id.
func TestQuietButtons(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		problem pages.Problem
		quiet   bool
	}{
		"connect again": {pages.AuthorizationExpired(), false},
		"not enabled":   {pages.CompanyNotAdmitted("Acme").InCompany(5678), true},
		"ended":         {pages.Revoked("Acme").InCompany(5678), true},
		"canceled":      {pages.Canceled(), true},
		"disconnected":  {pages.EndedByUser("Acme").InCompany(5678), true},
	} {
		got := show(t, newPages(), problem(tt.problem))
		var classes string
		for _, a := range got.all("a") {
			if strings.HasPrefix(attr(a, "class"), "button") {
				classes += attr(a, "class")
			}
		}
		if strings.Contains(classes, "quiet") != tt.quiet {
			t.Errorf("%s: the button is %q, want quiet %v", name, classes, tt.quiet)
		}
		if id := strings.Contains(text(got.all("main")[0]), "Procore company ID 5678"); id != (tt.problem.Kind == pages.Broken) {
			t.Errorf("%s: the page has the company's id: %v", name, id)
		}
	}
}
