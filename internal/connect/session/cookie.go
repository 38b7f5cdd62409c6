package session

import (
	"net/http"
	"strings"
)

// maxCookies is how many authorizations a browser may have under way. Cookies
// count against the gateway's limit of 10 KB of headers.
const maxCookies = 8

// Cookies names and writes the cookies that bind flows to a browser, one for
// each flow.
type Cookies struct {
	// Secure is true on https. A browser takes a __Host- cookie only with Secure,
	// for the whole host and from that host alone (RFC 6265bis section 4.1.3.2);
	// plain http on loopback has to do without.
	Secure bool
}

func (c Cookies) prefix() string {
	if c.Secure {
		return "__Host-flow-"
	}
	return "flow-"
}

func (c Cookies) name(flow string) string { return c.prefix() + flow[:min(len(flow), 12)] }

// Value is what the browser sent for the flow, or "". Of two under one name, one
// was planted, and nobody can tell which: neither counts.
func (c Cookies) Value(r *http.Request, flow string) string {
	sent := r.CookiesNamed(c.name(flow))
	if len(sent) != 1 {
		return ""
	}
	return sent[0].Value
}

// Set gives the flow's cookie to the browser.
func (c Cookies) Set(w http.ResponseWriter, flow, value string) {
	http.SetCookie(w, c.cookie(c.name(flow), value, int(cookieLife.Seconds())))
}

// Trim takes the browser's flow cookies away when there are too many.
func (c Cookies) Trim(w http.ResponseWriter, r *http.Request) {
	var ours []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.prefix()) {
			ours = append(ours, cookie.Name)
		}
	}
	if len(ours) < maxCookies {
		return
	}
	for _, name := range ours {
		http.SetCookie(w, c.cookie(name, "", -1))
	}
}

// cookie is sent on the redirect from Procore too, which is why it is Lax and
// not Strict.
func (c Cookies) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
