package pages_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/config"
	"procore-connect/pkg/procore"
)

// maxPage is how large a page may be: it is read on a building site.
const maxPage = 30 << 10

// worst are names that take the most bytes: what html/template escapes, and what UTF-8 and an address encode at length.
var worst = []string{"&", "<", ">", `"`, "'", "+", "🏗", "株", "\u00a0&", "&<\"+"}

// Every page is small whatever the names, the filter, the contact and Procore's message are.
func TestWorstSize(t *testing.T) {
	t.Parallel()
	for _, unit := range worst {
		name := strings.Repeat(unit, 300)
		p := pages.New(pages.Site{PublicURL: publicURL, Support: name, ProcoreLogin: loginURL, Principals: config.Principals{ServiceAccount: true, Users: true}})
		named := func(n int, states ...pages.CompanyState) []pages.Company {
			all := make([]pages.Company, n)
			for i := range all {
				all[i] = pages.Company{ID: math.MaxInt64 - int64(i), Name: name, State: states[i%len(states)], Position: 1000 + i}
			}
			return all
		}
		choice := func(c pages.Choice) write {
			c.UserName, c.Filter, c.Flow, c.CSRF = name, name, strings.Repeat("f", 43), procore.NewSecret(strings.Repeat("c", 43))
			return func(p *pages.Pages, w http.ResponseWriter, r *http.Request) { p.Choose(w, r, c) }
		}
		refused := pages.CompanyRefused(name).InCompany(math.MaxInt64)
		refused.Detail = name
		for what, w := range map[string]write{
			"50 companies":      choice(pages.Choice{Companies: named(50, pages.Available), NoneSent: true}),
			"200 companies cut": choice(pages.Choice{Companies: named(200, pages.Available), Cut: true, More: true}),
			"of each state":     choice(pages.Choice{Companies: named(200, pages.Available, pages.Inactive, pages.NotAdmitted), Cut: true}),
			"few that are open": choice(pages.Choice{Companies: append(named(1, pages.Available), named(200, pages.Inactive, pages.NotAdmitted)...)}),
			"none that is open": choice(pages.Choice{Companies: named(200, pages.Inactive, pages.NotAdmitted)}),
			"one inactive":      choice(pages.Choice{Companies: append(named(1, pages.Inactive), named(20, pages.NotAdmitted)...)}),
			"refused":           problem(refused),
			"an administrator":  problem(pages.NoPermission(name).InCompany(math.MaxInt64).BackToCompanies("/companies?flow=" + strings.Repeat("f", 43))),
			"not installed":     func(p *pages.Pages, w http.ResponseWriter, r *http.Request) { p.NotInstalled(w, r, math.MaxInt64, 0) },
			"connected": func(p *pages.Pages, w http.ResponseWriter, r *http.Request) {
				p.Connected(w, r, pages.Connection{CompanyID: math.MaxInt64, CompanyName: name, UserName: name, Webhooks: pages.WebhooksNeedsAdmin, Until: time.Unix(1.8e9, 0)})
			},
			"disconnect": func(p *pages.Pages, w http.ResponseWriter, r *http.Request) {
				p.Disconnect(w, r, pages.Ending{CompanyID: math.MaxInt64, CompanyName: name, UserName: name, Webhooks: pages.WebhooksActive})
			},
		} {
			if n := len(show(t, p, w).body); n > maxPage {
				t.Errorf("%s, %q: %d bytes, want at most %d", what, unit, n, maxPage)
			}
		}
	}
}

// The bound does not cost usual names anything, and says how many companies it left out.
func TestBoundOfTheList(t *testing.T) {
	t.Parallel()
	usual := make([]pages.Company, 50)
	for i := range usual {
		usual[i] = pages.Company{ID: 562949953421312 + int64(i), Name: "Harbor & Hill Builders, Inc."}
	}
	if n := len(radios(show(t, newPages(), choose(pages.Choice{Companies: usual})))); n != 50 {
		t.Errorf("%d companies with usual names are listed, want 50", n)
	}
	long := make([]pages.Company, 50)
	for i := range long {
		long[i] = pages.Company{ID: int64(i + 1), Name: strings.Repeat("&", 120)}
	}
	got := show(t, newPages(), choose(pages.Choice{Companies: long}))
	if n := len(radios(got)); n < 15 || n >= 50 {
		t.Errorf("%d companies with the longest names are listed, want some of them", n)
	}
	if shown := text(got.all("main")[0]); !strings.Contains(shown, "of 50 companies. Find the rest by name or ID.") {
		t.Errorf("the page does not say that it leaves some out: %s", shown)
	}
}
