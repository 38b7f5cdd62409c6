package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/procore"
)

// head sends HEAD, as programs do that check links.
func (s *site) head(b *functiontest.Browser, address string) functiontest.Page {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodHead, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	page := b.Do(r)
	if page.Body != "" || len(page.Cookies) > 0 {
		s.t.Errorf("got a body of %d bytes, %d cookies, want none", len(page.Body), len(page.Cookies))
	}
	return page
}

// HEAD is answered like GET, and neither issues a state nor uses one up.
func TestHead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, state := s.login(b)
	s.Storage()
	for _, address := range []string{s.base, s.base + "/", s.base + "//", s.base + "/oauth/start", s.base + "/oauth/start/", callback,
		strings.Replace(callback, "?", "/?", 1)} {
		if page := s.head(b, address).Wants(http.StatusOK); page.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("got content type %q", page.Header.Get("Content-Type"))
		}
	}
	s.head(b, s.base+"/elsewhere").Wants(http.StatusNotFound)
	s.head(b, s.base+"/connected/").RedirectsTo(s.base + "/connected")
	if ops := s.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
	if got := s.status(state); got != session.Started {
		t.Errorf("the session is %q, want started", got)
	}
	b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
}

// A slash at the end of an address is no other address.
func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	for _, path := range []string{"//", "///"} {
		b.Get(s.base+path).Wants(http.StatusOK, "Connect to Procore")
	}
	b.Get("/oauth/start/").RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	callback, state := s.login(b)
	flow := session.FlowOf(procore.NewSecret(state))
	b.Get(strings.Replace(callback, "?", "/?", 1)).RedirectsTo(s.base + "/companies?flow=" + flow)
	for path, want := range map[string]string{
		"/companies/?flow=" + flow + "&q=caf%C3%A9": "/companies?" + url.Values{"flow": {flow}, "q": {"café"}}.Encode(),
		"/companies/":      "/companies",
		"/connected/":      "/connected",
		"/connected//?x=1": "/connected",
	} {
		if got := b.Get(path).RedirectsTo(s.base); got != s.base+want {
			t.Errorf("%s: got redirect to %q, want %q", path, got, want)
		}
	}
}

// Whatever the API has no route for shows a page with a way on. It reads and writes nothing.
func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	s.Storage()
	for _, path := range []string{"/elsewhere", "/companies", "/companies/5678/", "/webhooks/procore", "/favicon.ico", "/.env", "/oauth", "/oauth/", "/OAuth/Start"} {
		b.Get(path).Wants(http.StatusNotFound, "Page not found", s.base+"/")
	}
	for _, path := range []string{"/elsewhere", "/webhooks/procore/", "/companies/"} {
		if page := b.Post(path, nil); page.Status != http.StatusNotFound && page.Status != http.StatusMethodNotAllowed || !strings.Contains(page.Body, "<h1>") {
			t.Errorf("POST %s: got status %d", path, page.Status)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.base+"/companies", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Do(r).Wants(http.StatusMethodNotAllowed).Header.Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("got Allow %q", got)
	}
	if ops := s.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
	s.wantExchanges(0)
}

// A browser that opens the application under its other name is sent to PUBLIC_URL before it
// receives a cookie, which would be missing at the callback.
func TestOtherHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	s.Storage()
	other := strings.Replace(s.base, "127.0.0.1", "localhost", 1)
	page := b.Get(other + "/oauth/start")
	if got := page.RedirectsTo(s.base); got != s.base+"/oauth/start?moved=1" || len(page.Cookies) > 0 || len(s.Storage()) > 0 {
		t.Errorf("got redirect to %q, %d cookies; want PUBLIC_URL, and nothing stored", got, len(page.Cookies))
	}
	authorize := b.Get(page.Header.Get("Location")).RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	s.Log.Secret(mustState(t, authorize))
	b.Get(s.Procore.Authorize(t, 1234567, authorize)).RedirectsTo(s.base + "/companies?flow=")
	b.Get(other+"/").Wants(http.StatusOK, s.base+"/oauth/start")
}
