package main

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
