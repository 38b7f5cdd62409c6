package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/procoretest"
)

// from sends a form with the headers by which browsers report where it comes from; "" leaves one out.
func (v *visitor) from(form url.Values, site, origin string) functiontest.Page {
	t := v.s.t
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.s.base+"/companies", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range map[string]string{"Sec-Fetch-Site": site, "Origin": origin} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	return v.Do(r)
}

// A form from another site is refused even with the right token, and this site's own form is accepted by every browser.
func TestFormFromAnotherSite(t *testing.T) {
	t.Parallel()
	// The gateway passes on its own host; browsers are on PUBLIC_URL.
	const public = "https://Connect.Example.com:443"
	const here, elsewhere = "https://connect.example.com", "https://attacker.example"
	for _, tt := range []struct {
		name, public, site, origin string
		good                       bool
	}{
		{"another site", public, "cross-site", elsewhere, false},
		{"another site without an origin", public, "cross-site", "", false},
		{"another site that hides its origin", public, "cross-site", "null", false},
		{"a sibling host", public, "same-site", "https://other.example.com", false},
		{"an unknown relation", public, "unknown", elsewhere, false},
		{"the header twice", public, "same-origin,cross-site", "", false},
		{"another site, old browser", public, "", elsewhere, false},
		{"a sibling host, old browser", public, "", "https://other.example.com", false},
		{"another port, old browser", public, "", here + ":8443", false},
		{"two origins", public, "", here + "," + elsewhere, false},
		{"this site", public, "same-origin", here, true},
		{"this site, by its Referrer-Policy", public, "same-origin", "null", true},
		{"this site, old browser", public, "", here, true},
		{"this site, old browser, by its Referrer-Policy", public, "", "null", true},
		{"typed or reloaded", public, "none", "", true},
		{"neither header", public, "", "", true},
		{"the local stack", "", "same-origin", "", true},
		{"the local stack, old browser", "", "", "its own", true},
		{"another port of this machine", "", "", "http://127.0.0.1:1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(h *handler) {
				if tt.public != "" {
					h.public = tt.public
				}
			})
			v := s.visitor(procoretest.Joe)
			page := v.from(v.form("5678"), tt.site, strings.Replace(tt.origin, "its own", s.base, 1))
			if tt.good {
				page.RedirectsTo(s.base + "/connected")
				s.wantEntered(procoretest.MyConstruction)
				return
			}
			page.Wants(http.StatusForbidden, "This form was not accepted")
			s.wantEntered()
		})
	}
}

// A page that is opened under the application's other name, where the browser has no cookie, leads to PUBLIC_URL. It
// does so once: a proxy in front may hide the visitor's host.
func TestOtherHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	other := strings.Replace(s.base, "127.0.0.1", "localhost", 1)
	for _, path := range []string{"/companies", "/connected"} {
		to := v.Get(other + path + "?flow=" + v.flow).RedirectsTo(s.base + path + "?")
		if u, err := url.Parse(to); err != nil || u.Query().Get("flow") != v.flow || !u.Query().Has("moved") {
			t.Errorf("%s: got redirect to %q", path, to)
		}
	}
	v.Get(other + "/companies?moved=1&flow=" + v.flow).Wants(http.StatusGone)
	v.Get(other+"/connected").Wants(http.StatusOK, "ready to connect")
	v.Get(s.base+"/companies?moved=1&flow="+v.flow).Wants(http.StatusOK, "Harbor")
	s.Browser(s.base).Get("/companies?flow=" + v.flow).Wants(http.StatusGone)
}

// HEAD is answered without a body, and moves no pair.
func TestHead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	for path, want := range map[string]int{
		"/companies?flow=" + v.flow: http.StatusOK, "/companies": http.StatusGone, "/connected": http.StatusOK, "/connected?flow=" + v.flow: http.StatusSeeOther,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if page := v.Do(r).Wants(want); page.Body != "" || len(page.Cookies) > 0 {
			t.Errorf("%s: got a body of %d bytes, %d cookies, want none", path, len(page.Body), len(page.Cookies))
		}
	}
	if got := value(s.row(v.flow), "status"); got != "authorized" || s.Requests("") != 0 {
		t.Errorf("the session is %s after %d requests to Procore, want authorized after none", got, s.Requests(""))
	}
	v.connect(procoretest.MyConstruction)
}
