package session

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// maxCookies is how many authorizations a browser may have in progress. Cookies
// count against the gateway's limit of 10 KB of headers.
const maxCookies = 8

// Cookies names and writes the cookies that bind flows to a browser, one for
// each flow.
type Cookies struct {
	// Secure is true on https. A browser accepts a __Host- cookie only with Secure,
	// for the whole host and from that host alone (RFC 6265bis section 4.1.3.2).
	// Plain http on loopback cannot use the prefix.
	Secure bool
}

func (c Cookies) prefix() string {
	if c.Secure {
		return "__Host-flow-"
	}
	return "flow-"
}

func (c Cookies) name(flow string) string { return c.prefix() + flow }

// Value returns what the browser sent for the flow, or nothing. Of two cookies with one
// name one was planted, and there is no way to know which, so neither counts.
func (c Cookies) Value(r *http.Request, flow string) procore.Secret {
	sent := r.CookiesNamed(c.name(flow))
	if len(sent) != 1 {
		return procore.Secret{}
	}
	return procore.NewSecret(sent[0].Value)
}

// Set sends the flow's cookie to the browser.
func (c Cookies) Set(w http.ResponseWriter, flow string, value procore.Secret) {
	http.SetCookie(w, c.cookie(c.name(flow), value.Reveal(), int(cookieLifetime.Seconds())))
}

// Keep has the browser keep the cookie of a flow whose row is valid for so long from now on
// as long as the row.
func (c Cookies) Keep(w http.ResponseWriter, flow string, value procore.Secret, valid time.Duration) {
	http.SetCookie(w, c.cookie(c.name(flow), value.Reveal(), int((valid+keptFor).Seconds())))
}

// Flows returns the flows whose cookies the browser sent, the oldest first, as Trim counts
// them: at most eight.
func (c Cookies) Flows(r *http.Request) []string {
	names := c.names(r)
	names = names[max(len(names)-maxCookies, 0):]
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, c.prefix())
	}
	return names
}

// Trim makes room for one more flow cookie: it deletes the oldest ones of a browser that has
// too many. A browser sends its cookies in the order in which it received them (RFC 6265
// section 5.4).
func (c Cookies) Trim(w http.ResponseWriter, r *http.Request) {
	names := c.names(r)
	for _, name := range names[:max(len(names)-maxCookies+1, 0)] {
		http.SetCookie(w, c.cookie(name, "", -1))
	}
}

// names returns the names of the flow cookies, in the browser's order.
func (c Cookies) names(r *http.Request) (names []string) {
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.prefix()) && !slices.Contains(names, cookie.Name) {
			names = append(names, cookie.Name)
		}
	}
	return names
}

// cookie returns a cookie with our attributes. The browser must also send it on the
// redirect from Procore, which is why it is Lax and not Strict.
func (c Cookies) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
