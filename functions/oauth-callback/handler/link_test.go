package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/connect/linked"
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	returnURL = "https://host.example/procore/done?from=app"
	linkKeys  = `{"current":"k1","k1":"fake-link-key-0123456789-0123456789-01234567"}`
)

// linkSite is a site that takes links, with a host application.
type linkSite struct {
	*site
	host *link.Host
}

func newLinkSite(t *testing.T, change ...func(*handler)) *linkSite {
	t.Helper()
	k, err := link.ParseKeys(linkKeys)
	if err != nil {
		t.Fatal(err)
	}
	s := &linkSite{}
	s.site = newSite(t, append([]func(*handler){func(h *handler) {
		h.links = linked.Links{Keys: secrettest.Constant(k), Returns: []string{returnURL}, Clock: h.sessions.Clock}
		h.pages = pages.New(pages.Site{PublicURL: h.public, Returns: h.links.Returns})
	}}, change...)...)
	s.host = &link.Host{PublicURL: s.base, Keys: secrettest.Constant(k), Clock: s.Clock.Seam()}
	return s
}

// link returns the address that the host sends a browser to.
func (s *linkSite) link() string {
	s.t.Helper()
	address, verifier, err := s.host.Start(s.t.Context(), "tenant-42", "Acme & Sons", returnURL)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Log.Secret(verifier.Reveal())
	return address
}

// begin opens a link and returns the state at Procore.
func (s *linkSite) begin(b *functiontest.Browser, address string) (state string) {
	s.t.Helper()
	u, err := url.Parse(b.Get(address).RedirectsTo(s.Procore.URL + "/oauth/authorize?"))
	if err != nil {
		s.t.Fatal(err)
	}
	state = u.Query().Get("state")
	s.Log.Secret(state)
	return state
}

func (s *linkSite) wantLink(b *functiontest.Browser, state string) session.Session {
	s.t.Helper()
	flow := session.FlowOf(procore.NewSecret(state))
	held, err := s.Sessions().Find(s.t.Context(), flow, s.cookie(b, flow))
	want := session.Link{Name: held.Link.Name, Reference: "tenant-42", Tenant: "Acme & Sons", Return: returnURL}
	if err != nil || held.Link.Name == "" || held.Link != want {
		s.t.Errorf("the session follows %+v, %v", held.Link, err)
	}
	return held
}

func (s *linkSite) cookie(b *functiontest.Browser, flow string) procore.Secret {
	for _, c := range b.Cookies() {
		if c.Name == "flow-"+flow {
			return procore.NewSecret(c.Value)
		}
	}
	return procore.Secret{}
}

// A user who comes from another site sees for whom the company will be connected, and nothing has begun.
func TestLinkFromAnotherSite(t *testing.T) {
	t.Parallel()
	s := newLinkSite(t)
	b, address := s.Browser(s.base), s.link()
	page := s.get(b, strings.TrimPrefix(address, s.base), "cross-site").Wants(http.StatusOK, "Acme &amp; Sons", "host.example", "close this page")
	if s.count(s.Tables.Sessions) != 0 {
		t.Error("a link that another site opened has begun something")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(u.RawQuery, "&", "&amp;"); !strings.Contains(page.Body, `href="`+s.base+"/oauth/start?"+want+`"`) {
		t.Errorf("the button does not lead to the link: %s", page.Body)
	}
	s.wantLink(b, s.begin(b, address))
	s.get(s.Browser(s.base), strings.TrimPrefix(s.link(), s.base)+"x", "cross-site").Wants(http.StatusBadRequest)
}

// Unsigned, expired, foreign: the page says what to do, and nothing has begun.
func TestRefusedLinks(t *testing.T) {
	t.Parallel()
	s := newLinkSite(t)
	good, err := url.Parse(s.link())
	if err != nil {
		t.Fatal(err)
	}
	ref := good.Query().Get("ref")
	expired := s.link()
	foreign, err := link.ParseKeys(`{"current":"k1","k1":"another-key-0123456789-0123456789-0123456789"}`)
	if err != nil {
		t.Fatal(err)
	}
	other := *s.host
	other.Keys = secrettest.Constant(foreign)
	forged, _, err := other.Start(t.Context(), "tenant-42", "Acme & Sons", returnURL)
	if err != nil {
		t.Fatal(err)
	}
	with := func(query url.Values) string { return s.base + "/oauth/start?" + query.Encode() }
	for name, tt := range map[string]struct {
		address string
		status  int
		problem string
		leads   string // where the button leads; empty: nowhere
	}{
		"by another key":            {forged, http.StatusBadRequest, "not valid", returnURL},
		"unsigned":                  {with(url.Values{"ref": {"tenant-42"}, "return": {returnURL}}), http.StatusBadRequest, "not valid", returnURL},
		"without a token":           {with(url.Values{"return": {returnURL}}), http.StatusBadRequest, "not valid", returnURL},
		"two tokens":                {with(url.Values{"ref": {ref, ref}, "return": {returnURL}}), http.StatusBadRequest, "not valid", returnURL},
		"another return address":    {with(url.Values{"ref": {ref}, "return": {"https://evil.example/"}}), http.StatusBadRequest, "site that", ""},
		"another path":              {with(url.Values{"ref": {ref}, "return": {"https://host.example/procore/done/../evil?from=app"}}), http.StatusBadRequest, "site that", ""},
		"another query":             {with(url.Values{"ref": {ref}, "return": {returnURL + "&a=b"}}), http.StatusBadRequest, "site that", ""},
		"a host that begins so":     {with(url.Values{"ref": {ref}, "return": {"https://host.example.evil.example/procore/done?from=app"}}), http.StatusBadRequest, "site that", ""},
		"script as return address":  {with(url.Values{"ref": {ref}, "return": {"javascript:alert(1)"}}), http.StatusBadRequest, "site that", ""},
		"an empty return address":   {with(url.Values{"ref": {ref}, "return": {""}}), http.StatusBadRequest, "site that", ""},
		"two return addresses":      {with(url.Values{"ref": {ref}, "return": {returnURL, "https://evil.example/"}}), http.StatusBadRequest, "site that", ""},
		"one return address, twice": {with(url.Values{"ref": {ref}, "return": {returnURL, returnURL}}), http.StatusBadRequest, "site that", ""},
	} {
		page := s.Browser(s.base).Get(tt.address).Wants(tt.status, tt.problem)
		if leads := strings.Contains(page.Body, `href="`+returnURL+`"`); leads != (tt.leads != "") || strings.Contains(page.Body, "evil") {
			t.Errorf("%s: the button leads back: %v; body: %s", name, leads, page.Body)
		}
		if strings.Contains(page.Body, ref) {
			t.Errorf("%s: the page repeats the token", name)
		}
	}
	s.Clock.Advance(link.MaxLifetime + time.Minute)
	s.Browser(s.base).Get(expired).Wants(http.StatusGone, "expired", returnURL)
	if n := s.count(s.Tables.Sessions); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
	if s.Requests("POST /oauth/token") != 0 {
		t.Error("the token endpoint was called")
	}
}

// A link works once, in the browser that opened it first. That browser may begin again with it.
func TestUsedLink(t *testing.T) {
	t.Parallel()
	s := newLinkSite(t)
	b, address := s.Browser(s.base), s.link()
	first := s.begin(b, address)
	s.Browser(s.base).Get(address).Wants(http.StatusConflict, "already used", returnURL)
	second := s.begin(b, address)
	s.wantLink(b, second)
	s.Clock.Advance(session.StateLifetime + time.Minute)
	third := s.begin(b, address) // the second state has expired
	if first == second || second == third {
		t.Error("a state is used again")
	}
	s.Browser(s.base).Get(address).Wants(http.StatusConflict, "already used")
}

// A link that has led to a connection leads to the host application once more.
func TestLinkOfAConnection(t *testing.T) {
	t.Parallel()
	s := newLinkSite(t)
	b, address := s.Browser(s.base), s.link()
	state := s.begin(b, address)
	held := s.wantLink(b, state)
	s.set(held.Flow, "status", string(session.Connected))
	b.Get(address).RedirectsTo(s.base + "/return?flow=" + held.Flow)
	b.Get("/oauth/start?flow=" + held.Flow).RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	s.Browser(s.base).Get(address).Wants(http.StatusConflict, "already used")
}

// What a user does again after a problem is for the same tenant.
func TestLinkIsKeptAfterAProblem(t *testing.T) {
	t.Parallel()
	s := newLinkSite(t)
	b := s.Browser(s.base)
	state := s.begin(b, s.link())
	again := s.base + "/oauth/start?flow=" + session.FlowOf(procore.NewSecret(state))
	b.Get("/oauth/callback?error=server_error&state="+state).Wants(http.StatusForbidden, `href="`+again+`"`)
	b.Get("/oauth/callback?error=server_error&state="+state).Wants(http.StatusForbidden, `href="`+again+`"`)
	second := s.begin(b, again)
	s.wantLink(b, second)
	s.Clock.Advance(session.StateLifetime + time.Minute)
	flow := session.FlowOf(procore.NewSecret(second))
	b.Get("/oauth/callback?code=fake-code&state="+second).Wants(http.StatusGone, `href="`+s.base+"/oauth/start?flow="+flow+`"`)
	s.wantLink(b, s.begin(b, "/oauth/start?flow="+flow))
	other := s.Browser(s.base)
	u, err := url.Parse(other.Get("/oauth/start?flow=" + flow).RedirectsTo(s.Procore.URL + "/oauth/authorize?"))
	if err != nil {
		t.Fatal(err)
	}
	otherState := u.Query().Get("state")
	s.Log.Secret(otherState)
	if held, err := s.Sessions().Find(t.Context(), session.FlowOf(procore.NewSecret(otherState)), s.cookie(other, session.FlowOf(procore.NewSecret(otherState)))); err != nil || held.Link.Name != "" {
		t.Errorf("another browser follows %+v, %v", held.Link, err)
	}
}

// A user who does not allow access goes back to the host application, which learns of it.
func TestLinkIsDeclined(t *testing.T) {
	t.Parallel()
	s := newLinkSite(t)
	b := s.Browser(s.base)
	state := s.begin(b, s.link())
	back := s.base + "/return?flow=" + session.FlowOf(procore.NewSecret(state))
	b.Get("/oauth/callback?error=access_denied&state=" + state).RedirectsTo(back)
	held := s.wantLink(b, state)
	if held.Outcome() != link.Declined {
		t.Errorf("the outcome is %q", held.Outcome())
	}
	b.Get("/oauth/callback?error=access_denied&state=" + state).RedirectsTo(s.base + "/companies?flow=") // loaded again: company-select goes on
}

// The code arrives with the link's session, as with any other.
func TestLinkIsAuthorized(t *testing.T) {
	t.Parallel()
	s := newLinkSite(t)
	b := s.Browser(s.base)
	authorize := b.Get(s.link()).RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	if strings.Contains(authorize, "tenant") || strings.Contains(authorize, "host.example") {
		t.Errorf("Procore learns of the link: %s", authorize)
	}
	u, err := url.Parse(authorize)
	if err != nil {
		t.Fatal(err)
	}
	s.Log.Secret(u.Query().Get("state"))
	b.Get(s.Procore.Authorize(t, procoretest.Joe, authorize)).RedirectsTo(s.base + "/companies?flow=")
	if held := s.wantLink(b, u.Query().Get("state")); held.Status != session.Authorized {
		t.Errorf("the session is %s", held.Status)
	}
}

// A deployment without return addresses takes no link; and without a link, nothing changes.
func TestLinksAreOff(t *testing.T) {
	t.Parallel()
	s := newLinkSite(t, func(h *handler) { h.links = linked.Links{} })
	s.Browser(s.base).Get(s.link()).Wants(http.StatusNotFound, "can&#39;t be used here")
	s.works()
}
