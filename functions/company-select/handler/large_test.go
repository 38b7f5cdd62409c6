package handler

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"procore-connect/internal/connect/pages"
	"procore-connect/pkg/procoretest"
)

// large gives Max 2,000 companies, which Procore lists a hundred to a page.
func (s *site) large() {
	s.t.Helper()
	for i := range int64(2000) {
		if err := s.Procore.AddCompany(procoretest.NewCompany(1_000_000+i, fmt.Sprintf("Branch %04d", i), procoretest.Max)); err != nil {
			s.t.Fatal(err)
		}
	}
	s.options(procoretest.OptionsPatch{MaxPerPage: new(100)})
}

func (s *site) options(p procoretest.OptionsPatch) {
	s.t.Helper()
	if err := s.Procore.UpdateOptions(p); err != nil {
		s.t.Fatal(err)
	}
}

// found searches the list and returns the form for the company that it shows with the name.
func (v *visitor) found(name string) url.Values {
	v.s.t.Helper()
	page := v.Get("/companies?flow="+v.flow+"&q="+url.QueryEscape(name)).Wants(http.StatusOK, name)
	option := regexp.MustCompile(`name="company_id" required id="c\d+" value="([^"]*)"`).FindAllStringSubmatch(page.Body, -1)
	if len(option) != 1 {
		v.s.t.Fatalf("%d companies are found, want %s", len(option), name)
	}
	return url.Values{pages.FieldFlow: {v.flow}, pages.FieldCSRF: {page.Field(pages.FieldCSRF)}, pages.FieldCompany: {option[0][1]}}
}

// Of 2,000 companies, the first list takes three call times, of which one is /me, a search two, and the choice two.
func TestLargeAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.large()
	v := s.visitor(procoretest.Max)
	s.Rounds(1, 1, 19)
	v.list().Wants(http.StatusOK, "Showing 50 of 2,000 companies")
	s.WantRounds()
	s.Rounds(1, 19)
	form := v.found("Branch 1998")
	s.WantRounds()
	s.Rounds(1, 1)
	v.Post("/companies", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	s.WantRounds()
	s.wantEntered(1_001_998)
	if c := s.connection(1_001_998); c.CompanyName != "Branch 1998" {
		t.Errorf("connected as %q", c.CompanyName)
	}
}

// The position in a form only spares calls. A wrong one costs one more, and connects neither another company nor one
// under another's name.
func TestPositionIsNotTrusted(t *testing.T) {
	t.Parallel()
	for value, rounds := range map[string][]int{
		"1001998":            {1, 19, 1},
		"1001998.1901":       {1, 1}, // on the same page
		"1001998.5":          {1, 1, 19, 1},
		"1001998.9999999999": {1, 19, 1},
		"1001998.-1":         {1, 19, 1},
		"1001998.x":          {1, 19, 1},
		"1000003.4":          {1, 1},
		"1000003.1900":       {1, 1, 1},
		"5678.1":             {1, 1, 19}, // another user's
		"5678.1999":          {1, 1, 19},
		"0.1":                {1},
		"-1001998.1998":      {1, 1, 19},
		"1001998.1998.1":     {1, 19, 1},
		"x.1998":             nil,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.large()
			v := s.visitor(procoretest.Max)
			form := v.form(value)
			s.Rounds(rounds...)
			page := v.Post("/companies", form)
			s.WantRounds()
			text, _, _ := strings.Cut(value, ".")
			id, name := int64(1_000_003), "Branch 0003"
			switch text {
			case "1001998":
				id, name = 1_001_998, "Branch 1998"
			case "1000003":
			default:
				page.Wants(http.StatusForbidden, "You cannot connect this company")
				s.wantEntered()
				return
			}
			page.RedirectsTo(s.base + "/connected?flow=" + v.flow)
			s.wantEntered(id)
			if c := s.connection(id); c.CompanyName != name {
				t.Errorf("connected as %q, want %q", c.CompanyName, name)
			}
		})
	}
}

// Between list and choice the list may change: what moved to another page is found, and a company that the user has left
// is not connected.
func TestListChangesBeforeTheChoice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.large()
	v := s.visitor(procoretest.Max)
	v.list()
	moved, left := v.found("Branch 1900"), v.found("Branch 1998")
	for _, id := range []int64{1_000_000, 1_001_998} {
		s.PatchCompany(id, procoretest.CompanyPatch{Members: &[]int64{procoretest.Ann}})
	}
	v.Post("/companies", left).Wants(http.StatusForbidden, "You cannot connect this company")
	s.wantEntered()
	v.Post("/companies", moved).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	s.wantEntered(1_001_900)
}

// A choice without a clear answer remains, and a choice of another company says which it is, however far away that is
// listed.
func TestOtherChoiceOfALargeAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.large()
	v := s.visitor(procoretest.Max)
	first, second := v.found("Branch 0005"), v.found("Branch 1500")
	s.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", Kind: procoretest.Status, Status: 503, Headers: unavailable})
	v.Post("/companies", first).Wants(http.StatusBadGateway)
	v.Post("/companies", second).Wants(http.StatusConflict, "Branch 0005")
	s.wantEntered(1_000_005)
	v.Post("/companies", first).RedirectsTo(s.base + "/connected?flow=" + v.flow)
}

// List and choice together fit into a window of 25 calls, as Procore's documents have it.
func TestLargeAccountWithinTheRateLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.large()
	s.options(procoretest.OptionsPatch{SpikeLimit: new(25)})
	v := s.visitor(procoretest.Max)
	page := v.list().Wants(http.StatusOK, "Showing 50 of 2,000 companies")
	form := url.Values{pages.FieldFlow: {v.flow}, pages.FieldCSRF: {page.Field(pages.FieldCSRF)}, pages.FieldCompany: {"1001998.1998"}}
	v.Post("/companies", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	calls := s.Procore.State().Calls
	for _, c := range calls {
		if c.Status == http.StatusTooManyRequests {
			t.Errorf("%s?%s was refused", c.Path, c.Query)
		}
	}
	if len(calls) != 23 {
		t.Errorf("got %d calls, want 23", len(calls))
	}
}

// While the rate limit is used up, a choice makes one call and shows that it waits; the same form works later.
func TestChoiceWhileTheRateLimitIsUsedUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.large()
	v := s.visitor(procoretest.Max)
	form := v.found("Branch 1998")
	before := s.Requests("GET /rest/v1.0/companies")
	s.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: 429, Headers: unavailable, Times: 9})
	v.Post("/companies", form).Wants(http.StatusBadGateway, "Procore is not responding", s.base+"/companies?flow="+v.flow)
	if got := s.Requests("GET /rest/v1.0/companies") - before; got != 1 {
		t.Errorf("got %d calls, want 1", got)
	}
	s.wantEntered()
	s.Procore.ClearFaults()
	v.Post("/companies", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
}
