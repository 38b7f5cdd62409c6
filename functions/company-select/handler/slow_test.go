package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/connect/pages"
	"procore-connect/pkg/procoretest"
)

// shortPages has Procore list the user's companies in pages of n, whatever size is asked
// for. After them follows what then does, if it is not nil.
func (s *site) shortPages(user int64, n int, then *procoretest.Fault) {
	s.t.Helper()
	var all []map[string]any
	for _, c := range s.Procore.State().Companies {
		for _, member := range c.Members {
			if member == user {
				all = append(all, map[string]any{"id": c.ID, "name": c.Name})
			}
		}
	}
	for page := 1; len(all) > 0 || page == 1; page++ {
		size := min(n, len(all))
		body, err := json.Marshal(all[:size])
		if err != nil {
			s.t.Fatal(err)
		}
		f := procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: http.StatusOK, Body: string(body)}
		if all = all[size:]; len(all) > 0 || then != nil {
			f.Headers = map[string]string{"Link": fmt.Sprintf(`</rest/v1.0/companies?page=%d>; rel="next"`, page+1)}
		}
		s.ProcoreFails(f)
	}
	if then != nil {
		then.Endpoint = "/rest/v1.0/companies"
		s.ProcoreFails(*then)
	}
}

// However the list ends too early, the companies that came are shown, and one of them can
// be connected. The page says that there may be more, and how to see them.
func TestListIsCut(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]procoretest.Fault{
		"too slow": {Kind: procoretest.Delay, DelayMS: 60_000},
		"reset":    {Kind: procoretest.Reset, Times: 9},
		"503":      {Kind: procoretest.Status, Status: 503, Headers: unavailable, Times: 9},
		"429":      {Kind: procoretest.Status, Status: 429, Headers: unavailable, Times: 9},
		"gateway":  {Kind: procoretest.Status, Status: 403, Body: "<html>blocked</html>", Headers: map[string]string{"Content-Type": "text/html"}, Times: 9},
		"refused":  {Kind: procoretest.Status, Status: 400, Times: 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			for i := range int64(40) {
				if err := s.Procore.AddCompany(procoretest.NewCompany(1_000_000+i, fmt.Sprintf("Branch %02d", i), procoretest.Ann)); err != nil {
					t.Fatal(err)
				}
			}
			v := s.visitor(procoretest.Ann)
			v.list() // moves the pair
			s.shortPages(procoretest.Ann, 20, &f)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			out := s.direct(ctx, v, http.MethodGet, "")
			cancel()
			if out.StatusCode != http.StatusOK || !strings.Contains(out.Body, "send all of your companies in time") ||
				!strings.Contains(out.Body, `href="`+s.base+"/companies?flow="+v.flow+`"`) || !strings.Contains(out.Body, "Branch 39") {
				t.Errorf("got status %d, want the companies that came, and a way to the rest: %s", out.StatusCode, out.Body)
			}
			if line := s.Log.Last(t); line["companies_listed"] == nil || line["error"] == nil || line["outcome"] != "ok" {
				t.Errorf("logged %v", line)
			}
			s.Procore.ClearFaults()
			form := v.form("1000021")
			s.shortPages(procoretest.Ann, 20, &procoretest.Fault{Kind: procoretest.Delay, DelayMS: 60_000})
			v.Post("/companies", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
			s.wantEntered(1_000_021)
		})
	}
}

// A company that did not come in time is not called one to which the user does not belong.
func TestChosenCompanyDidNotCome(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form(strconv.FormatInt(procoretest.HarborHill, 10))
	s.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: http.StatusOK,
		Body: `[{"id":5678,"name":"My Construction Company"}]`, Headers: map[string]string{"Link": `<?page=2>; rel="next"`}})
	s.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: 503, Headers: unavailable, Times: 9})
	v.Post("/companies", form).Wants(http.StatusBadGateway, "Procore is not responding", s.base+"/companies?flow="+v.flow)
	s.wantEntered()
}

// What Procore lists is read as far as it goes: only an explicit false is inactive, and a
// company without a positive id, or a second one of an id, does not count.
func TestOddCompanies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		ids  []string // that can be chosen
	}{
		"no is_active":      {`[{"id":5678,"name":"A Co"},{"id":5679,"name":"B Co","is_active":null}]`, []string{"5678", "5679"}},
		"odd is_active":     {`[{"id":5678,"name":"A Co","is_active":"yes"},{"id":5679,"name":"B Co","is_active":[]}]`, []string{"5678", "5679"}},
		"inactive":          {`[{"id":5678,"name":"A Co","is_active":true},{"id":5679,"name":"B Co","is_active":false}]`, []string{"5678"}},
		"ids as text":       {`[{"id":"5678","name":"A Co"}]`, []string{"5678"}},
		"no positive id":    {`[{"id":0,"name":"Z"},{"id":-1,"name":"N"},{"name":"none"},{"id":null},{"id":5678,"name":"A Co"}]`, []string{"5678"}},
		"twice":             {`[{"id":5678,"name":"A Co"},{"id":5678,"name":"A Co"}]`, []string{"5678"}},
		"no name":           {`[{"id":5678},{"id":5679,"name":null},{"id":5680,"name":5}]`, []string{"5678", "5679", "5680"}},
		"odd items":         {`[null,"x",7,[],{"id":5678,"name":"A Co"}]`, []string{"5678"}},
		"byte order mark":   {"\xef\xbb\xbf" + `[{"id":5678,"name":"A Co"}]`, []string{"5678"}},
		"odd other fields":  {`[{"id":5678,"name":"A Co","logo_url":7,"my_company":"?"}]`, []string{"5678"}},
		"wrapped, as in v2": {`{"data":[{"id":"5678","name":"A Co"}]}`, []string{"5678"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			s.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: http.StatusOK, Body: tt.body, Times: 2})
			page := v.list().Wants(http.StatusOK)
			for _, id := range []string{"5678", "5679", "5680"} {
				want := 0
				for _, one := range tt.ids {
					if one == id {
						want = 1
					}
				}
				if got := strings.Count(page.Body, `name="company_id" required id="c`+id+`"`); got != want {
					t.Errorf("company %s is listed %d times, want %d", id, got, want)
				}
			}
			form := map[string][]string{pages.FieldFlow: {v.flow}, pages.FieldCSRF: {page.Field(pages.FieldCSRF)}, pages.FieldCompany: {"5678"}}
			v.Post("/companies", form).RedirectsTo(s.base + "/connected")
		})
	}
}

// The first call into the company is judged by its status alone. An answer that a gateway
// made does not speak for Procore.
func TestVerifiedByStatus(t *testing.T) {
	t.Parallel()
	html := map[string]string{"Content-Type": "text/html"}
	for _, tt := range []struct {
		status  int
		body    string
		headers map[string]string
		page    string // "": connected
	}{
		{200, `[]`, nil, ""},
		{200, ` `, nil, ""},
		{200, `{"an":"object"}`, nil, ""},
		{200, `[{"id":{},"name":7,"updated_at":"soon"}]`, nil, ""},
		{200, `[{"id":1,`, nil, ""},
		{200, `null`, nil, ""},
		{200, `[]`, map[string]string{"Link": `<?page=2>; rel="next"`, "Total": "900"}, ""},
		{200, `[]`, map[string]string{"Content-Encoding": "gzip"}, ""},
		{200, `<html>sign in to the Wi-Fi</html>`, html, ""},
		{206, `[]`, nil, ""},
		{204, `[]`, nil, ""},
		{403, `<html>blocked</html>`, html, "Procore is not responding"},
		{401, `<html>sign in</html>`, html, "Procore is not responding"},
		{404, `<html>no such host</html>`, html, "Procore is not responding"},
		{502, `<html>bad gateway</html>`, html, "Procore is not responding"},
		{522, `<html>timed out</html>`, html, "Procore is not responding"},
		{403, `{"errors":["You do not have permission"]}`, nil, "You need more permissions"},
		{401, `{"errors":"Unauthorized"}`, nil, "was disconnected from"},
	} {
		t.Run(strconv.Itoa(tt.status)+tt.body, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			form := v.form("5678")
			s.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", Kind: procoretest.Status, Status: tt.status, Body: tt.body, Headers: tt.headers, Times: 3})
			page := v.Post("/companies", form)
			if tt.page == "" {
				page.RedirectsTo(s.base + "/connected?flow=" + v.flow)
				s.connection(procoretest.MyConstruction)
				return
			}
			if page.Status < 400 || !strings.Contains(page.Body, tt.page) {
				page.Wants(http.StatusBadGateway, tt.page)
			}
			if got := len(s.connections(procoretest.MyConstruction)); got > 0 {
				t.Errorf("got %d connections, want none", got)
			}
		})
	}
}
