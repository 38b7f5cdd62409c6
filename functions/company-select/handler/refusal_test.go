package handler

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// A form that doesn't come from this browser's page changes nothing, and the page's
// own form works afterwards.
func TestForgedForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v, other := s.visitor(procoretest.Joe), s.visitor(procoretest.Joe)
	good, others := v.form("5678"), other.form("5678")
	with := func(name, value string) url.Values {
		form := url.Values{}
		for k, vs := range good {
			form[k] = slices.Clone(vs)
		}
		if form.Set(name, value); value == "" {
			form.Del(name)
		}
		return form
	}
	tests := []struct {
		name   string
		form   url.Values
		status int
	}{
		{"no CSRF token", with(pages.FieldCSRF, ""), http.StatusForbidden},
		{"wrong CSRF token", with(pages.FieldCSRF, strings.Repeat("A", 43)), http.StatusForbidden},
		{"CSRF token of another flow", with(pages.FieldCSRF, others.Get(pages.FieldCSRF)), http.StatusForbidden},
		{"flow of another browser", with(pages.FieldFlow, other.flow), http.StatusGone},
		{"form of another browser", others, http.StatusGone},
		{"no flow", with(pages.FieldFlow, ""), http.StatusGone},
		{"flow that never existed", with(pages.FieldFlow, strings.Repeat("A", 43)), http.StatusGone},
		{"hostile flow", with(pages.FieldFlow, "\"><script>\r\nSet-Cookie: a=b"), http.StatusGone},
		{"nothing", url.Values{}, http.StatusGone},
	}
	for _, tt := range tests {
		if got := v.Post("/companies", tt.form); got.Status != tt.status {
			t.Errorf("%s: got status %d, want %d", tt.name, got.Status, tt.status)
		}
	}
	third := s.Browser(s.base)
	third.Post("/companies", good).Wants(http.StatusGone)
	third.Get("/companies?flow=" + v.flow).Wants(http.StatusGone)
	s.wantEntered()
	v.Post("/companies", good).RedirectsTo(s.base + "/connected")
}

// A flow's id is not a secret: it is useless without the cookie's value.
func TestStolenFlow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v, thief := s.visitor(procoretest.Joe), s.visitor(procoretest.Ann)
	form := v.form("5678")
	own, theirs := thief.Cookies()[0], *v.Cookies()[0]
	theirs.Value = own.Value
	u, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	thief.Jar.SetCookies(u, []*http.Cookie{&theirs})
	thief.Get("/companies?flow=" + v.flow).Wants(http.StatusGone)
	thief.Post("/companies", form).Wants(http.StatusGone)
	thief.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "is ready to connect")
	s.wantEntered()
	v.Post("/companies", form).RedirectsTo(s.base + "/connected")
}

// A pair of one environment is not sent to another, such as the sandbox's after a
// fork went to production, nor by another app.
func TestOtherEnvironment(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*procore.OAuth){
		"environment": func(o *procore.OAuth) { o.Environment.Name = procore.Production().Name },
		"client id":   func(o *procore.OAuth) { o.ClientID = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v, fresh, done := s.visitor(procoretest.Joe), s.visitor(procoretest.Joe), s.visitor(procoretest.Joe)
			form := v.form("5678")
			done.connect(procoretest.MyConstruction)
			calls := len(s.Procore.State().Calls)
			before := s.h.sessions.OAuth
			s.h.sessions.OAuth = secrettest.Func[*procore.OAuth](func(ctx context.Context, _ bool) (*procore.OAuth, error) {
				o, err := before.Get(ctx)
				if err != nil {
					return nil, err
				}
				changed := *o
				change(&changed)
				return &changed, nil
			})
			v.list().Wants(http.StatusGone)
			fresh.list().Wants(http.StatusGone)
			v.Post("/companies", form).Wants(http.StatusGone)
			done.Get("/connected?flow="+done.flow).Wants(http.StatusOK, "is ready to connect")
			if got := len(s.Procore.State().Calls); got != calls {
				t.Errorf("got %d calls to the other environment, want none", got-calls)
			}
			s.wantEntered(procoretest.MyConstruction)
		})
	}
}

// Parameters count only in the body: a link can't choose a company.
func TestChoiceInTheAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.Post("/companies?"+v.form("5678").Encode(), nil).Wants(http.StatusGone)
	s.wantEntered()
}

func TestNothingChosen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("")
	form.Del(pages.FieldCompany)
	v.Post("/companies", form).Wants(http.StatusUnprocessableEntity, "chosen a company yet", "My Construction Company")
	s.wantEntered()
}

func TestUnreadableForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	form.Set("filler", strings.Repeat("x", 20<<10))
	v.Post("/companies", form).Wants(http.StatusRequestEntityTooLarge, "too large")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/companies", strings.NewReader("flow=%zz"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	v.Do(r).Wants(http.StatusBadRequest)
	s.wantEntered()
	v.connect(procoretest.MyConstruction)
}

// Only a company that Procore listed for the user and that is admitted is called.
func TestCompanyOutOfBounds(t *testing.T) {
	t.Parallel()
	off := false
	tests := []struct{ name, company, page string }{
		{"of another user", fmt.Sprint(procoretest.NorthernPlanner), "You cannot connect this company"},
		{"of no user", fmt.Sprint(procoretest.ClosedBook), "You cannot connect this company"},
		{"unknown", "42", "You cannot connect this company"},
		{"zero", "0", "You cannot connect this company"},
		{"negative", "-5678", "You cannot connect this company"},
		{"not a number", "abc", "You cannot connect this company"},
		{"with a suffix", "5678x", "You cannot connect this company"},
		{"too large", "99999999999999999999999", "You cannot connect this company"},
		{"inactive", fmt.Sprint(procoretest.HarborHill), "This company is inactive"},
		{"not admitted", fmt.Sprint(procoretest.LockedGate), "This company is not enabled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(h *handler) {
				h.allowed = config.Companies{IDs: []int64{procoretest.MyConstruction, procoretest.HarborHill, procoretest.NorthernPlanner}}
			})
			s.PatchCompany(procoretest.HarborHill, procoretest.CompanyPatch{IsActive: &off})
			v := s.visitor(procoretest.Joe)
			v.Post("/companies", v.form(tt.company)).Wants(http.StatusForbidden, tt.page, s.base+"/companies?flow="+v.flow)
			s.wantEntered()
			v.connect(procoretest.MyConstruction)
			s.wantEntered(procoretest.MyConstruction)
		})
	}
}

// Each reason why a company refuses the app has its own page. Nothing is half
// installed, and another company may be chosen.
func TestCompanyRefuses(t *testing.T) {
	t.Parallel()
	on, off := true, false
	tests := []struct {
		name, page, problem string
		company             int64
		patch               procoretest.CompanyPatch
	}{
		{"user installs off", "only administrators can install", "user_installs_off", procoretest.LockedGate, procoretest.CompanyPatch{}},
		{"401", "was disconnected from", "not_connected", procoretest.HarborHill, procoretest.CompanyPatch{UnauthorizedUntilInstalled: &on}},
		{"disconnected", "was disconnected from", "not_connected", procoretest.HarborHill, procoretest.CompanyPatch{Connected: &off}},
		{"no permission", "You need more permissions", "no_permission", procoretest.HarborHill, procoretest.CompanyPatch{DeniedTools: &[]string{"projects"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.PatchCompany(tt.company, tt.patch)
			v := s.visitor(procoretest.Joe)
			v.choose(tt.company).Wants(http.StatusForbidden, tt.page, s.base+"/companies?flow="+v.flow)
			if line := s.Log.Last(t); line["problem"] != tt.problem || line["company_id"] != float64(tt.company) || line["principal"] == nil || line["error"] == nil {
				t.Errorf("logged %v", line)
			}
			if got := len(s.connections(tt.company)); got > 0 {
				t.Errorf("got %d connections, want none", got)
			}
			calls := s.Requests("GET /rest/v1.1/projects")
			if calls != 1 {
				t.Errorf("got %d calls into the company, want 1: it must not be hammered", calls)
			}
			v.connect(procoretest.MyConstruction)
			if c := s.connection(procoretest.MyConstruction); c.State != connections.Connected || c.Rev != 1 {
				t.Errorf("got %s, revision %d", c.State, c.Rev)
			}
		})
	}
}
