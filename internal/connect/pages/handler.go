package pages

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"

	"procore-connect/internal/platform/gateway"
	signed "procore-connect/pkg/link"
)

// Handler serves mux, calls SetHeaders for every answer, and shows pages where mux itself would answer 404 or 405 with
// a line of text. Slashes at the end of a path do not count. Any other spelling of a path, such as //oauth/callback, is
// not found, because mux would redirect to the right one with a body that repeats the code and the state.
func (p *Pages) Handler(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.SetHeaders(w.Header())
		page := withoutSlash(r)
		if path.Clean(page.URL.Path) != page.URL.Path {
			p.Problem(w, r, NotFound())
			return
		}
		h, pattern := mux.Handler(page)
		if pattern != "" {
			mux.ServeHTTP(w, page)
			r.Pattern = page.Pattern // for the log line
			return
		}
		probe := &probe{header: http.Header{}}
		h.ServeHTTP(probe, page)
		if probe.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = probe.header["Allow"]
			p.Problem(w, r, MethodNotAllowed())
			return
		}
		p.Problem(w, r, NotFound())
	})
}

// withoutSlash returns the request for the same path without slashes at its end. Its RequestURI is as it was sent. A
// form is never sent to such a path.
func withoutSlash(r *http.Request) *http.Request {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return r
	}
	u := *r.URL
	u.Path, u.RawPath = cmp.Or(strings.TrimRight(u.Path, "/"), "/"), ""
	page := r.WithContext(r.Context())
	page.URL = &u
	return page
}

// probe records what a handler would answer.
type probe struct {
	header http.Header
	status int
}

// Header returns the headers the handler may set.
func (p *probe) Header() http.Header { return p.header }

// WriteHeader records the status.
func (p *probe) WriteHeader(status int) { p.status = status }

// Write discards the body.
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// Elsewhere redirects to another function's page whose path was sent with a slash at its end, which the API has no route
// for. Without one, the page does not exist.
func (p *Pages) Elsewhere(w http.ResponseWriter, r *http.Request) {
	if sent, _, _ := strings.Cut(r.RequestURI, "?"); !strings.HasSuffix(sent, "/") {
		p.Problem(w, r, NotFound())
		return
	}
	p.Redirect(w, address(r, r.URL.Query().Has(fieldMoved)))
}

// ToPublicURL redirects a browser that opened a page at another host of the application to the same page at PublicURL,
// where its cookies are. It reports whether it did. A proxy may hide the host that the browser sees, so no request is
// redirected twice.
func (p *Pages) ToPublicURL(w http.ResponseWriter, r *http.Request) bool {
	domain := hostname(gateway.Domain(r.Context()))
	if domain == "" || strings.EqualFold(domain, hostname(p.host)) || r.URL.Query().Has(fieldMoved) {
		return false
	}
	p.Redirect(w, address(r, true))
	return true
}

// fieldMoved marks an address to which ToPublicURL has redirected.
const fieldMoved = "moved"

// address returns the path of a page with the parameters that pages have.
func address(r *http.Request, moved bool) string {
	sent, kept := r.URL.Query(), url.Values{}
	for _, name := range []string{FieldFlow, FieldFilter, FieldCompany, signed.ParameterLink, signed.ParameterReturn} {
		if sent.Has(name) {
			kept.Set(name, sent.Get(name))
		}
	}
	if moved {
		kept.Set(fieldMoved, "1")
	}
	return strings.TrimSuffix(r.URL.Path+"?"+kept.Encode(), "?")
}

// hostname returns a host without its port: cookies are the same for every port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}
