package stack_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"procore-connect/examples/host-application/host"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

// product is a stack with the host application of examples.
type product struct {
	*stack.Stack
	url  string // of the host application
	host *link.Host
}

func newProduct(t *testing.T) *product {
	t.Helper()
	p := &product{}
	var app http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	p.url = server.URL
	p.Stack, _ = start(t, stack.Options{
		Refresh: -1, Housekeeping: -1, Reconcile: -1,
		Env: map[string]string{"RETURN_URLS": p.url + host.ReturnPath + ", https://host.example/other"},
	})
	text, _ := p.Secrets.Value(stack.LinkSecret)
	keys, err := link.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	p.host = &link.Host{PublicURL: p.AppURL, Keys: secrettest.Constant(keys)}
	app = host.New(p.host, p.url)
	return p
}

// signedIn returns a browser in which a user of a tenant has signed in at the product.
func (p *product) signedIn(ctx context.Context, tenant string) *browsertest.Browser {
	b := browsertest.New()
	b.Open(ctx, p.url+"/")
	b.Click(ctx, tenant)
	return b
}

// asks returns the address of the link that the product sends a browser to, which the browser does not open.
func (p *product) asks(ctx context.Context, b *browsertest.Browser) string {
	b.StopAt = func(u *url.URL) bool { return u.Path == "/oauth/start" }
	b.Click(ctx, "Connect Procore")
	b.StopAt = nil
	return b.URL.String()
}

// connects signs in at Procore from where a link leads, and connects a company.
func connects(ctx context.Context, t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Choose("Joe Builder")
	b.Click(ctx, "Authorize")
	if !strings.Contains(b.Text(), "Acme Corp") {
		t.Errorf("the choice does not name the tenant: %.300s", b.Text())
	}
	b.Choose("My Construction Company")
	b.Click(ctx, "Connect this company")
}

// shows fails unless the browser is at a path of the product with this status and text.
func (p *product) shows(t *testing.T, b *browsertest.Browser, path string, status int, words string) {
	t.Helper()
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if b.URL.Path != path || "http://"+b.URL.Host != p.url || b.Status != status || !strings.Contains(b.Text(), words) {
		t.Errorf("the browser is at %s%s with %d, want %s with %d and %q: %.300s", b.URL.Host, b.URL.Path, b.Status, path, status, words, b.Text())
	}
}

// A tenant's user connects a company from the product, and returns to it. A link that another person opens connects no
// company to the tenant.
func TestHostApplication(t *testing.T) {
	t.Parallel()
	p, ctx := newProduct(t), t.Context()

	sender := p.signedIn(ctx, "Acme Corp")
	p.shows(t, sender, "/", 200, "Not connected to Procore.")
	forwarded := p.asks(ctx, sender)
	for _, victim := range []*browsertest.Browser{browsertest.New(), p.signedIn(ctx, "Bolt & Sons"), p.signedIn(ctx, "Acme Corp")} {
		victim.Open(ctx, forwarded)
		if victim.URL.Path != "/oauth/authorize" { // it was opened before
			refused(t, p, victim)
			continue
		}
		connects(ctx, t, victim)
		p.shows(t, victim, host.ReturnPath, 403, "This browser did not ask for that link")
	}
	sender.Open(ctx, p.url+"/")
	p.shows(t, sender, "/", 200, "Not connected to Procore.")

	user := p.signedIn(ctx, "Acme Corp")
	user.Open(ctx, p.asks(ctx, user))
	user.StopAt = func(u *url.URL) bool { return u.Path == host.ReturnPath }
	connects(ctx, t, user)
	returned := user.URL.String()
	user.StopAt = nil
	stolen := browsertest.New()
	stolen.Open(ctx, returned)
	p.shows(t, stolen, host.ReturnPath, 403, "This browser did not ask for that link")
	for range 2 { // the second time is another load of the page
		user.Open(ctx, returned)
		p.shows(t, user, "/", 200, "Connected to My Construction Company")
	}
}

// What the product did not sign, or not for now, or not for its addresses, begins nothing.
func TestHostApplicationsLinksRefused(t *testing.T) {
	t.Parallel()
	p, ctx := newProduct(t), t.Context()
	foreign, err := link.ParseKeys(`{"current":"k1","k1":"fake-link-key-of-another-0123456789-0123456789"}`)
	if err != nil {
		t.Fatal(err)
	}
	made := func(h *link.Host, back string) string {
		t.Helper()
		address, _, err := h.Start(ctx, "tenant-42", "Acme Corp", back)
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	past := *p.host
	past.Clock = procore.Clock{Time: func() time.Time { return time.Now().Add(-2 * time.Hour) }}
	good := made(p.host, p.url+host.ReturnPath)
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	without := func(parameter string) string {
		q := u.Query()
		q.Del(parameter)
		return p.AppURL + "/oauth/start?" + q.Encode()
	}
	for name, address := range map[string]string{
		"signed by another key":            made(&link.Host{PublicURL: p.AppURL, Keys: secrettest.Constant(foreign)}, p.url+host.ReturnPath),
		"expired":                          made(&past, p.url+host.ReturnPath),
		"a foreign return address":         made(p.host, "https://elsewhere.example/"),
		"another path of the product":      made(p.host, p.url+host.ReturnPath+"/more"),
		"no return address, which are two": without(link.ParameterReturn),
		"only a return address":            without(link.ParameterLink),
	} {
		b := browsertest.New()
		b.Open(ctx, address)
		t.Log(name)
		refused(t, p, b)
	}
}

// refused fails unless the browser is on a page of the app that begins nothing.
func refused(t *testing.T, p *product, b *browsertest.Browser) {
	t.Helper()
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if b.URL.Path != "/oauth/start" || "http://"+b.URL.Host != p.AppURL || b.Status < 400 || b.Status >= 500 {
		t.Errorf("the browser is at %s%s with %d, want a refusal: %.300s", b.URL.Host, b.URL.Path, b.Status, b.Text())
	}
}
