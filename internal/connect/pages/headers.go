package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"procore-connect/internal/platform/gateway"
)

// SetHeaders sets the headers of every answer to a browser, redirects included.
func (p *Pages) SetHeaders(h http.Header) {
	gateway.SetHeaders(h, p.https)
	h.Set("Content-Security-Policy", p.csp)
}

// policy allows the one stylesheet by its hash (https://www.w3.org/TR/CSP3/#grammardef-hash-source), the icon, which is
// a data: address, and forms to this site and to the origins that it leads back to, because browsers apply form-action
// to the redirects after a form too. It allows nothing else: no script, no frame, no connection.
func policy(css template.CSS, returns []string) string {
	sum := sha256.Sum256([]byte(css))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; " +
		"form-action " + strings.Join(append([]string{"'self'"}, origins(returns)...), " ") + "; frame-ancestors 'none'; base-uri 'none'"
}

// origins returns each origin of the addresses once.
func origins(addresses []string) (all []string) {
	for _, a := range addresses {
		if u, err := url.Parse(a); err == nil && u.Host != "" && !slices.Contains(all, u.Scheme+"://"+u.Host) {
			all = append(all, u.Scheme+"://"+u.Host)
		}
	}
	return all
}

// Redirect sends the browser on with 303 See Other, so that a reload repeats a GET and never a POST. Our own paths are
// built from PublicURL. There is no body: http.Redirect's would repeat the address, and with it the state.
func (p *Pages) Redirect(w http.ResponseWriter, to string) {
	p.SetHeaders(w.Header())
	w.Header().Set("Location", p.link(to))
	w.WriteHeader(http.StatusSeeOther)
}
