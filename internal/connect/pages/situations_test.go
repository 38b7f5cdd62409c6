package pages_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/procore"
)

const (
	publicURL = "https://connect.example/prod"
	loginURL  = "https://login.example"
	requestID = "c1a1f5b4-6c5b-4a5e"
	hostile   = `<script>alert(1)</script>"'&` + "\u202e" + `{{.}}`
)

func newPages() *pages.Pages {
	return pages.New(pages.Site{PublicURL: publicURL, Support: "help@acme.example", ProcoreLogin: loginURL})
}

func request(t testing.TB, method, target string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	return r.WithContext(gateway.WithRequestID(r.Context(), requestID))
}

// write shows one page as a handler would.
type write func(*pages.Pages, http.ResponseWriter, *http.Request)

func problem(pr pages.Problem) write {
	return func(p *pages.Pages, w http.ResponseWriter, r *http.Request) { p.Problem(w, r, pr) }
}

func choose(c pages.Choice) write {
	c.UserName, c.Flow, c.CSRF = "Joe Builder", "flow-1", procore.NewSecret("csrf-1")
	return func(p *pages.Pages, w http.ResponseWriter, r *http.Request) { p.Choose(w, r, c) }
}

func connected(c pages.Connection) write {
	c.CompanyID, c.CompanyName, c.UserName = 5678, "Acme Construction", "Joe Builder"
	return func(p *pages.Pages, w http.ResponseWriter, r *http.Request) { p.Connected(w, r, c) }
}

func disconnect(e pages.Ending) write {
	e.CompanyID, e.CompanyName, e.UserName, e.Flow, e.CSRF = 5678, "Acme Construction", "Joe Builder", "flow-1", procore.NewSecret("csrf-1")
	return func(p *pages.Pages, w http.ResponseWriter, r *http.Request) { p.Disconnect(w, r, e) }
}

// catalogue returns every problem of problem_*.go, by its function's name.
func catalogue() map[string]pages.Problem {
	const name = "Acme Construction"
	quoted := pages.AuthorizationFailed()
	quoted.Detail = "The authorization server is under maintenance."
	retry := pages.ProcoreUnreachable().Retry("/companies?flow=flow-1")
	retry.Code += "_retry" // TestProblems wants unique codes
	return map[string]pages.Problem{
		"Denied": pages.Denied(), "AuthorizationFailed": quoted, "AuthorizationExpired": pages.AuthorizationExpired(),
		"CodeExpired": pages.CodeExpired(), "StateMissing": pages.StateMissing(), "StateUsed": pages.StateUsed(),
		"OtherBrowser": pages.OtherBrowser(), "ProcoreUnreachable": pages.ProcoreUnreachable(),
		"CredentialsRefused": pages.CredentialsRefused(), "NoCompanies": pages.NoCompanies(),
		"CompanyNotListed": pages.CompanyNotListed(), "CompanyNotAdmitted": pages.CompanyNotAdmitted(name),
		"CompanyInactive": pages.CompanyInactive(name), "UserInstallsOff": pages.UserInstallsOff(name),
		"NotConnected": pages.NotConnected(name), "NoPermission": pages.NoPermission(name),
		"ChoiceExpired": pages.ChoiceExpired(), "ChoiceUsed": pages.ChoiceUsed(), "FormRefused": pages.FormRefused(),
		"StorageUnavailable": pages.StorageUnavailable(),
		"BadRequest":         pages.BadRequest(), "TooLarge": pages.TooLarge(), "NotFound": pages.NotFound(),
		"Retry": retry, "MethodNotAllowed": pages.MethodNotAllowed(), "Canceled": pages.Canceled(), "CompanyRefused": pages.CompanyRefused(name),
		"EndedByUser": pages.EndedByUser(name), "ConnectedAgain": pages.ConnectedAgain(name), "ReturnExpired": pages.ReturnExpired(),
		"Reauthorize": pages.Reauthorize(name).Disconnectable("/connected?flow=flow-1&disconnect=1"), "Disconnected": pages.Disconnected(name), "Revoked": pages.Revoked(name),
		"OtherChosen": pages.OtherChosen(name).BackToCompanies("/companies?flow=flow-1"),
		"LinksOff":    pages.LinksOff(), "LinkReturn": pages.LinkReturn(), "LinkInvalid": pages.LinkInvalid().BackTo(acme.Return),
		"LinkExpired": pages.LinkExpired().BackTo(acme.Return), "LinkUsed": pages.LinkUsed().BackTo(acme.Return),
	}
}

// acme is a tenant of a host application.
var acme = pages.Tenant{Name: "Acme & Sons", Return: "https://host.example/procore/done"}

func landingFor(t pages.Tenant) write {
	return func(p *pages.Pages, w http.ResponseWriter, r *http.Request) { p.LandingFor(w, r, t) }
}

// companies returns n companies, in no useful order.
func companies(n int) []pages.Company {
	out := make([]pages.Company, n)
	for i := range out {
		out[i] = pages.Company{ID: int64(1000 + i), Name: "Company " + strings.Repeat("I", 1+(i*7)%5) + string(rune('Z'-i%26))}
	}
	return out
}

// mixed returns n companies of each state.
func mixed(n int) []pages.Company {
	out := companies(n)
	for i := range out {
		out[i].Name, out[i].State = "Great Northern Construction Company "+out[i].Name, pages.CompanyState(i%3)
	}
	return out
}

// situations returns every page in every state.
func situations() map[string]write {
	few := []pages.Company{
		{ID: 5679, Name: "Acme Construction"}, {ID: 5678, Name: "Acme Construction"}, {ID: 8089, Name: "Turner Brothers"},
		{ID: 9001, Name: "Old Harbour Ltd", State: pages.Inactive}, {ID: 9002, Name: "Elsewhere Inc", State: pages.NotAdmitted},
	}
	m := map[string]write{
		"landing":                   (*pages.Pages).Landing,
		"visitor":                   (*pages.Pages).ConnectedVisitor,
		"choose":                    choose(pages.Choice{Companies: few}),
		"choose one":                choose(pages.Choice{Companies: few[1:2]}),
		"choose, none available":    choose(pages.Choice{Companies: few[3:]}),
		"choose, nothing":           choose(pages.Choice{Companies: few, NoneSent: true}),
		"choose many":               choose(pages.Choice{Companies: companies(12)}),
		"choose very many":          choose(pages.Choice{Companies: companies(2000)}),
		"choose, very many of each": choose(pages.Choice{Companies: mixed(2000)}),
		"choose, filtered":          choose(pages.Choice{Companies: companies(2000), Filter: "1999"}),
		"choose, no match":          choose(pages.Choice{Companies: companies(12), Filter: "zzz"}),
		"choose, cut":               choose(pages.Choice{Companies: companies(1400), Cut: true}),
		"choose, cut, one":          choose(pages.Choice{Companies: few[1:2], Cut: true}),
		"choose, cut, none":         choose(pages.Choice{Companies: few[3:], Cut: true}),
		"choose, cut, filtered":     choose(pages.Choice{Companies: companies(1400), Cut: true, Filter: "a & b"}),
		"choose, hostile":           choose(pages.Choice{Companies: append(companies(9), pages.Company{ID: 1, Name: hostile + strings.Repeat("W", 500)}), Filter: hostile}),
		"connected":                 connected(pages.Connection{Webhooks: pages.WebhooksOff, NextURL: "https://app.example/start"}),
		"connected, pending":        connected(pages.Connection{Webhooks: pages.WebhooksPending}),
		"connected, active":         connected(pages.Connection{Webhooks: pages.WebhooksActive, Reconnected: true}),
		"connected, admin":          connected(pages.Connection{Webhooks: pages.WebhooksNeedsAdmin, Others: 2}),
		"choose, long":              choose(pages.Choice{Companies: []pages.Company{{ID: 1, Name: hostile + strings.Repeat("W", 500)}, {ID: 562949953421312, Name: strings.Repeat("Great ", 30)}}}),
		"connected, checks":         connected(pages.Connection{Webhooks: pages.WebhooksPending, Checks: true, Flow: "flow-1"}),
		"connected, events":         connected(pages.Connection{Webhooks: pages.WebhooksActive, LastEvent: new(3 * time.Minute), Flow: "flow-1", Until: time.Unix(1.8e9, 0)}),
		"connected, no event":       connected(pages.Connection{Webhooks: pages.WebhooksActive, LastEvent: new(pages.Never)}),
		"connected, paused":         connected(pages.Connection{Webhooks: pages.WebhooksActive, Paused: true}),
		"landing, tenant":           landingFor(acme),
		"landing, hostile tenant":   landingFor(pages.Tenant{Name: hostile + strings.Repeat("W", 500), Return: "https://" + strings.Repeat("w", 200) + ".example/"}),
		"choose, tenant":            choose(pages.Choice{Companies: few, Tenant: acme}),
		"choose, tenant, none":      choose(pages.Choice{Companies: few[3:], Tenant: acme}),
		"connected, tenant":         connected(pages.Connection{Webhooks: pages.WebhooksActive, Tenant: acme, NextURL: "/return?flow=flow-1", Flow: "flow-1"}),
		"problem, tenant, admin":    problem(pages.UserInstallsOff("Acme Construction").InFlow("flow-1").Returnable("/return?flow=flow-1", acme.Return)),
		"problem, tenant, canceled": problem(pages.Canceled().InFlow("flow-1").Returnable("/return?flow=flow-1", acme.Return)),
		"disconnect":                disconnect(pages.Ending{Webhooks: pages.WebhooksActive}),
		"disconnect, others":        disconnect(pages.Ending{Webhooks: pages.WebhooksActive, Others: 2, Installed: true}),
		"disconnect, off":           disconnect(pages.Ending{Webhooks: pages.WebhooksOff, Others: 1}),
		"setup": func(p *pages.Pages, w http.ResponseWriter, r *http.Request) {
			p.SetupUnfinished(w, r, []string{"APP_SECRET_ID", "KEYS_SECRET_ID", "WEBHOOK_SECRET_ID"})
		},
	}
	for _, to := range []config.Principals{{ServiceAccount: true}, {ServiceAccount: true, Users: true}} {
		for name, w := range installs() {
			m[fmt.Sprintf("%s, users %v", name, to.Users)] = func(_ *pages.Pages, rw http.ResponseWriter, r *http.Request) {
				w(pages.New(pages.Site{PublicURL: publicURL, Support: "help@acme.example", Principals: to}), rw, r)
			}
		}
	}
	for name, pr := range catalogue() {
		m["problem "+name] = problem(pr)
	}
	return m
}

// installs returns the pages of an application with a service account.
func installs() map[string]write {
	m := map[string]write{
		"problem": problem(pages.ChoiceExpired()), "install": (*pages.Pages).Landing, "install, visitor": (*pages.Pages).ConnectedVisitor, "install, no id": (*pages.Pages).NotACompany,
	}
	for _, i := range []pages.Installation{pages.InstallationNone, pages.InstallationRefused} {
		m[fmt.Sprint("not installed ", i)] = func(p *pages.Pages, w http.ResponseWriter, r *http.Request) { p.NotInstalled(w, r, 5678, i) }
	}
	for _, s := range []pages.WebhookStatus{pages.WebhooksOff, pages.WebhooksPending, pages.WebhooksActive, pages.WebhooksNeedsAdmin} {
		m[fmt.Sprint("installed ", s)] = func(p *pages.Pages, w http.ResponseWriter, r *http.Request) {
			p.Installed(w, r, 562949953421312, s, s == pages.WebhooksPending, "https://app.example/start")
		}
	}
	return m
}

// page is what a browser receives in one situation.
type page struct {
	res  *http.Response
	body string
	doc  *html.Node
}

// show renders a page and parses it.
func show(t testing.TB, p *pages.Pages, w write) page {
	t.Helper()
	rec := httptest.NewRecorder()
	w(p, rec, request(t, http.MethodGet, "/"))
	body := rec.Body.String()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return page{rec.Result(), body, doc}
}

// all returns the elements with one of these tags, in document order.
func (p page) all(tags ...string) []*html.Node {
	var out []*html.Node
	for n := range p.doc.Descendants() {
		for _, tag := range tags {
			if n.Type == html.ElementNode && n.Data == tag {
				out = append(out, n)
			}
		}
	}
	return out
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// text returns the text of n, with single blanks.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
