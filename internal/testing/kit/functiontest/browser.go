package functiontest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/fake/gatewaytest"
)

// function is a gateway.Func that takes and returns JSON, as Lambda does.
type function gateway.Func

// Invoke implements gatewaytest.Invoker.
func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	out, err := f(ctx, e)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// Front serves functions behind an API Gateway until the test ends. build takes the
// public address and returns a function for each route.
func (w *World) Front(build func(public string) map[string]gateway.Func) (base string) {
	w.t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base = "http://" + server.Listener.Addr().String()
	routes := map[string]gatewaytest.Invoker{}
	for key, f := range build(base) {
		routes[key] = function(f)
	}
	server.Config.Handler = gatewaytest.New(routes, gatewaytest.Options{Log: func(route string, err error) {
		w.t.Errorf("%s: the gateway's own error: %v", route, err)
	}})
	server.Start()
	w.t.Cleanup(server.Close)
	return base
}

// Function makes a gateway.Func from a handler, as a main does.
func (w *World) Function(h http.Handler, public string) gateway.Func {
	return gateway.Handler(h, gateway.Options{PublicURL: public, Log: w.Log.Logger})
}

// Browser keeps cookies and does not follow redirects.
type Browser struct {
	Jar http.CookieJar

	world  *World
	base   *url.URL
	client *http.Client
}

// Browser returns a browser without cookies.
func (w *World) Browser(base string) *Browser {
	w.t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	j := &jar{CookieJar: all, now: w.Clock.Now, ends: map[string]time.Time{}}
	own := new(http.Transport) // httptest closes the default one's connections whenever a server closes
	w.t.Cleanup(own.CloseIdleConnections)
	return &Browser{Jar: j, world: w, base: u, client: &http.Client{
		Jar:           j,
		Transport:     own,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// jar drops a cookie at its Max-Age by the world's clock. net/http's jar uses the machine's clock.
type jar struct {
	http.CookieJar
	now func() time.Time

	mu   sync.Mutex
	ends map[string]time.Time // by name
}

// SetCookies implements http.CookieJar.
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	for _, c := range cookies {
		if delete(j.ends, c.Name); c.MaxAge > 0 {
			j.ends[c.Name] = j.now().Add(time.Duration(c.MaxAge) * time.Second)
		}
	}
	j.mu.Unlock()
	j.CookieJar.SetCookies(u, cookies)
}

// Cookies implements http.CookieJar.
func (j *jar) Cookies(u *url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(j.CookieJar.Cookies(u), func(c *http.Cookie) bool {
		end, ok := j.ends[c.Name]
		return ok && !j.now().Before(end)
	})
}

// Cookies returns the browser's cookies for the application.
func (b *Browser) Cookies() []*http.Cookie { return b.Jar.Cookies(b.base) }

// Page is an answer.
type Page struct {
	Status  int
	Header  http.Header
	Cookies []*http.Cookie
	Body    string

	t *testing.T
}

// Get opens an address: a path, or a whole URL.
func (b *Browser) Get(address string) Page {
	b.world.t.Helper()
	return b.Do(b.request(http.MethodGet, address, nil))
}

// Post sends a form.
func (b *Browser) Post(address string, form url.Values) Page {
	b.world.t.Helper()
	r := b.request(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.Do(r)
}

func (b *Browser) request(method, address string, body io.Reader) *http.Request {
	b.world.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.base.String() + address
	}
	r, err := http.NewRequestWithContext(b.world.t.Context(), method, address, body)
	if err != nil {
		b.world.t.Fatal(err)
	}
	return r
}

// Do sends a request with the browser's cookies. The answer may contain secrets only in
// Location and Set-Cookie. The cookies' values must not be logged.
func (b *Browser) Do(r *http.Request) Page {
	t := b.world.t
	t.Helper()
	resp, err := b.client.Do(r)
	if err != nil {
		t.Errorf("%s: %v", r.Method, err)
		return Page{t: t}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	p := Page{Status: resp.StatusCode, Header: resp.Header, Cookies: resp.Cookies(), Body: string(body), t: t}
	for _, c := range p.Cookies {
		b.world.Log.Secret(c.Value)
	}
	b.world.Log.Search(t, "a page", p.Body)
	return p
}

// Wants checks the status and parts of the body.
func (p Page) Wants(status int, parts ...string) Page {
	p.t.Helper()
	if p.Status != status {
		p.t.Errorf("got status %d, want %d; body: %.500s", p.Status, status, text(p.Body))
	}
	for _, part := range parts {
		if !strings.Contains(p.Body, part) {
			p.t.Errorf("the page lacks %q: %.500s", part, text(p.Body))
		}
	}
	return p
}

// markup matches what a failed test does not print of a page.
var markup = regexp.MustCompile(`(?s)^.*<main[^>]*>|</main>.*$|<[^>]*>|\n+`)

func text(body string) string { return markup.ReplaceAllString(body, " ") }

// RedirectsTo checks that the answer is 303 to an address with this prefix, and returns
// the address.
func (p Page) RedirectsTo(prefix string) string {
	p.t.Helper()
	to := p.Header.Get("Location")
	if p.Status != http.StatusSeeOther || !strings.HasPrefix(to, prefix) {
		p.t.Errorf("got status %d to %q, want a redirect to %s; body: %.500s", p.Status, to, prefix, text(p.Body))
	}
	return to
}

// Field returns the value of the page's hidden field.
func (p Page) Field(name string) string {
	p.t.Helper()
	_, rest, ok := strings.Cut(p.Body, `<input type="hidden" name="`+name+`" value="`)
	value, _, _ := strings.Cut(rest, `"`)
	if !ok {
		p.t.Errorf("the page has no field %s: %.500s", name, text(p.Body))
	}
	return value
}
