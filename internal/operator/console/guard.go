package console

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"slices"
	"sync"

	"procore-connect/internal/platform/gateway"
)

// maxForm bounds the body of a form.
const maxForm = 64 << 10

// policy allows what the pages have: their style, their script and its requests for the same pages, and their forms.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard admits the one person whom the terminal shows an address. Other programs of this machine, other people who may
// reach its loopback address, and every site that the person's browser shows can send requests too.
type guard struct {
	port  string
	token string // of the address that is printed
	// launch is in the address with which a browser is started. Other users of the machine may see it among the arguments of
	// processes, so that it admits once.
	launch    string
	session   string // the cookie
	formToken string // in each form
	say       func(string)

	mu       *sync.Mutex
	launched bool
}

func newGuard(port string, say func(string)) guard {
	return guard{port: port, token: rand.Text(), launch: rand.Text(), session: rand.Text(), formToken: rand.Text(), say: say, mu: new(sync.Mutex)}
}

// Address returns the address that admits a browser, as often as it is opened.
func (g *guard) Address() string { return "http://127.0.0.1:" + g.port + "/enter?token=" + g.token }

// LaunchAddress returns the address that admits one browser, once.
func (g *guard) LaunchAddress() string {
	return "http://127.0.0.1:" + g.port + "/enter?token=" + g.launch
}

// cookie is the name of the session's cookie. Browsers send cookies to all ports of a host, so that it has the port.
func (g *guard) cookie() string { return "console-" + g.port }

// protect serves a request that the person's own pages sent, by a host name of loopback: another one is that of a site
// whose name was made to lead here.
func (c *Console) protect(next http.Handler) http.Handler {
	hosts := []string{"127.0.0.1:" + c.port, "localhost:" + c.port}
	pages := http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/enter" && r.Method == http.MethodGet:
			c.enter(w, r)
		case r.URL.Path == "/style.css": // also of the page that does not admit
			next.ServeHTTP(w, r)
		case !c.admitted(r):
			c.refuse(w, r, http.StatusForbidden, "Open the address that the terminal shows. If you came here by a link, load this page again.")
		case r.Method == http.MethodPost:
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil || !same(r.PostForm.Get("form"), c.formToken) {
				c.refuse(w, r, http.StatusForbidden, "This form is not one of this console. Go back, load the page again, and send it from there.")
				return
			}
			next.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gateway.SetHeaders(w.Header(), false)
		w.Header().Set("Content-Security-Policy", policy)
		if !slices.Contains(hosts, r.Host) {
			c.refuse(w, r, http.StatusMisdirectedRequest, "This is not the address of the console.")
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// enter exchanges the token of the address for the cookie. It answers with a page that leads on, and not with a redirect:
// a browser that followed a link of another site would not send the cookie with a redirect.
func (c *Console) enter(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	launched := same(token, c.launch)
	switch {
	case launched && !c.first():
		c.say("The address that opened the browser was opened again, which is refused. If that was not you, press ^C.")
		c.refuse(w, r, http.StatusForbidden, "This address was opened before. Open the one that the terminal shows. If you did not open it before, stop the console: another user of this machine may have done it.")
		return
	case !launched && !same(token, c.token):
		c.refuse(w, r, http.StatusForbidden, "This is not the address that the terminal shows. Each run of the console has its own.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: c.cookie(), Value: c.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}) //nolint:gosec // no TLS on loopback
	c.render(w, r, page{Template: "enter", Title: "Console", Bare: true})
}

// first reports whether the address of the launch is opened for the first time.
func (g *guard) first() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.launched
	g.launched = true
	return !was
}

// admitted reports whether the request has the session's cookie.
func (g *guard) admitted(r *http.Request) bool {
	return slices.ContainsFunc(r.CookiesNamed(g.cookie()), func(c *http.Cookie) bool { return same(c.Value, g.session) })
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refuse shows a page without what the console knows.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, status int, text string) {
	c.render(w, r, page{Template: "refused", Title: "Not admitted", Status: status, Bare: true, Main: text})
}
