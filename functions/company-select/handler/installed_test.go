package handler

import (
	"net/http"
	"strings"
	"testing"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// serving is the function of an app with these principals.
func serving(t *testing.T, p config.Principals) *site {
	t.Helper()
	return newSite(t, func(h *handler) {
		h.principals, h.pages = p, pages.New(pages.Site{PublicURL: h.public, Principals: p})
	})
}

// Any visitor may ask whether a company is connected by its installation. The answer has
// neither its name nor a cookie, reads one row, and asks Procore nothing.
func TestInstalled(t *testing.T) {
	t.Parallel()
	s := serving(t, config.Principals{ServiceAccount: true})
	b, key := s.Browser(s.base), connections.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.App}
	asked := func(parts ...string) functiontest.Page {
		t.Helper()
		s.Storage()
		page := b.Get("/connected?company_id=5678").Wants(http.StatusOK, parts...)
		if ops := s.Storage(); len(ops) != 1 || ops[0] != "GetItem" {
			t.Errorf("got operations %v, want one read", ops)
		}
		if strings.Contains(page.Body, "Secret Name") || len(page.Cookies) > 0 {
			t.Errorf("the page has the company's name, or set cookies %v", page.Cookies)
		}
		return page
	}
	asked("Not connected yet", "Install from Marketplace", "check again in five minutes")
	store := s.Store()
	if err := store.AddServiceAccount(t.Context(), key.CompanyID, "Secret Name", connections.WebhooksPending); err != nil {
		t.Fatal(err)
	}
	asked("Connected", "Procore company ID 5678", "Being set up", "/connected?company_id=5678")
	c, _, err := store.SetWebhooks(t.Context(), s.Connection(key), connections.WebhooksNeedsAdmin, s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	asked("a company administrator can give", "Webhooks API")
	if err := store.Pause(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	asked("The connection is interrupted", "connect it again")
	if err := store.End(t.Context(), key, "the app was uninstalled"); err != nil {
		t.Fatal(err)
	}
	asked("Not connected yet")
	if got := s.Requests(""); got != 0 {
		t.Errorf("got %d requests to Procore, want none", got)
	}
}

// What is not a company's id is refused and not repeated, and storage that fails has a page.
func TestInstalledOdd(t *testing.T) {
	t.Parallel()
	s := serving(t, config.Principals{ServiceAccount: true})
	b := s.Browser(s.base)
	for _, odd := range []string{"", "0", "-1", "5678x", "9223372036854775808", "%3Cb%3Eodd", strings.Repeat("9", 4000)} {
		page := b.Get("/connected?company_id="+odd).Wants(http.StatusBadRequest, "That is not a company ID")
		if strings.Contains(page.Body, "odd") || strings.Contains(page.Body, "999") {
			t.Errorf("%.20q: the page repeats it", odd)
		}
	}
	b.Get("/connected?company_id=+5678+").Wants(http.StatusOK, "Not connected yet")
	s.Fault(functiontest.Down)
	b.Get("/connected?company_id=5678").Wants(http.StatusServiceUnavailable, "Please try again in a moment", "/connected?company_id=5678")
}

// Without a company the page explains the installation. In mixed mode it offers both ways, and
// a user's own connection has its page. If users alone connect, no company can be asked for.
func TestInstalledVisitor(t *testing.T) {
	t.Parallel()
	s := serving(t, config.Principals{ServiceAccount: true})
	page := s.Browser(s.base).Get("/connected").Wants(http.StatusOK, "connects on its own", "Install App")
	if strings.Contains(page.Body, "/oauth/start") {
		t.Error("the page leads to a sign-in")
	}
	s = serving(t, config.Principals{Users: true, ServiceAccount: true})
	s.Browser(s.base).Get("/connected").Wants(http.StatusOK, "Install App", "Connect to Procore", "/oauth/start")
	v := s.visitor(procoretest.Joe)
	v.choose(procoretest.HarborHill)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Joe Builder")
	s = newSite(t)
	s.Browser(s.base).Get("/connected?company_id=5678").Wants(http.StatusOK, "is ready to connect", "/oauth/start")
}
