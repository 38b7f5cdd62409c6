package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"path"

	"procore-connect/internal/platform/gateway"
)

// SetHeaders sets the headers of every answer to a browser, redirects included.
func (p *Pages) SetHeaders(h http.Header) {
	gateway.SetHeaders(h, p.https)
	h.Set("Content-Security-Policy", p.csp)
}

// policy allows the one stylesheet by its hash (https://www.w3.org/TR/CSP3/#grammardef-hash-source), the icon, which is
// a data: address, and forms to this site. It allows nothing else: no script, no frame, no connection.
func policy(css template.CSS) string {
	sum := sha256.Sum256([]byte(css))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// Redirect sends the browser on with 303 See Other, so that a reload repeats a GET and never a POST. Our own paths are
// built from PublicURL. There is no body: http.Redirect's would repeat the address, and with it the state.
func (p *Pages) Redirect(w http.ResponseWriter, to string) {
	p.SetHeaders(w.Header())
	w.Header().Set("Location", p.link(to))
	w.WriteHeader(http.StatusSeeOther)
}

// Handler serves mux, calls SetHeaders for every answer, and shows pages where mux itself would answer 404 or 405 with
// a line of text. Another spelling of a path, such as //oauth/callback, is not found, because mux would redirect to the
// right one with a body that repeats the code and the state.
func (p *Pages) Handler(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.SetHeaders(w.Header())
		if path.Clean(r.URL.Path) != r.URL.Path {
			p.Problem(w, r, NotFound())
			return
		}
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &probe{header: http.Header{}}
		h.ServeHTTP(probe, r)
		switch probe.status {
		case http.StatusNotFound:
			p.Problem(w, r, NotFound())
		case http.StatusMethodNotAllowed:
			w.Header()["Allow"] = probe.header["Allow"]
			p.Problem(w, r, MethodNotAllowed())
		default:
			mux.ServeHTTP(w, r)
		}
	})
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
