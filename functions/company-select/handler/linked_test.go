package handler

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/connect/linked"
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const returnURL = "https://host.example/procore/done?from=app"

// hostSite is a site with a host application.
type hostSite struct {
	*site
	host *link.Host
	keys *link.Keys
}

func newHostSite(t *testing.T, change ...func(*handler)) *hostSite {
	t.Helper()
	k, err := link.ParseKeys(`{"current":"k1","k1":"fake-link-key-0123456789-0123456789-01234567"}`)
	if err != nil {
		t.Fatal(err)
	}
	s := &hostSite{keys: k}
	s.site = newSite(t, append([]func(*handler){func(h *handler) {
		h.links = linked.Links{Keys: secrettest.Constant(k), Returns: []string{returnURL}, Clock: h.sessions.Clock}
		h.pages = pages.New(pages.Site{PublicURL: h.public, Returns: h.links.Returns})
	}}, change...)...)
	s.host = &link.Host{PublicURL: s.base, Keys: secrettest.Constant(k), Clock: s.Clock.Seam()}
	return s
}

// guest is a visitor whom the host application sent, with what the host has in its session of this browser.
type guest struct {
	*visitor
	site     *hostSite
	verifier procore.Secret
}

// guest authorizes as a user by a link of a tenant, in a new browser.
func (s *hostSite) guest(user int64, reference string) *guest {
	s.t.Helper()
	_, verifier, err := s.host.Start(s.t.Context(), reference, "Acme & Sons", returnURL)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Log.Secret(verifier.Reveal())
	g := &guest{visitor: &visitor{Browser: s.Browser(s.base), s: s.site}, site: s, verifier: verifier}
	g.flow = g.authorizeBy(user, session.Opening{Link: session.Link{
		Name: link.Challenge(verifier), Reference: reference, Tenant: "Acme & Sons", Return: returnURL,
	}})
	return g
}

// arrives checks that a page leads to the host application, and returns the code.
func (g *guest) arrives(page string, outcome link.Outcome) (code string) {
	t := g.site.t
	t.Helper()
	u, err := url.Parse(g.Get(page).RedirectsTo("https://host.example/procore/done?"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	g.site.Log.Secret(q.Get("code"))
	if q.Get("from") != "app" || q.Get("link") != link.Challenge(g.verifier) || q.Get("result") != string(outcome) || q.Get("code") == "" || len(q) != 4 {
		t.Errorf("arrived at %s, want %s", u.Redacted(), outcome)
	}
	return q.Get("code")
}

// connected connects a company, and returns the code.
func (g *guest) connected(company int64) (code string) {
	g.site.t.Helper()
	back := g.choose(company).RedirectsTo(g.site.base + "/return?flow=" + g.flow)
	return g.arrives(back, link.Connected)
}

func (s *hostSite) redeem(code string, verifier procore.Secret) (link.Result, *link.RedeemError) {
	s.t.Helper()
	result, err := s.host.Redeem(s.t.Context(), code, verifier)
	refused, known := errors.AsType[*link.RedeemError](err)
	if err != nil && !known {
		s.t.Fatal(err)
	}
	return result, refused
}

// refuses checks that a redemption has no effect.
func (s *hostSite) refuses(code string, verifier procore.Secret, want string) *link.RedeemError {
	s.t.Helper()
	_, refused := s.redeem(code, verifier)
	if refused == nil || refused.Code != want {
		s.t.Fatalf("the redemption is %v, want %s", refused, want)
	}
	return refused
}

// The reference takes effect when the host redeems the code, once.
func TestLinkedConnection(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	g := s.guest(procoretest.Joe, "tenant-42")
	g.list().Wants(http.StatusOK, "You are connecting a company for", "Acme &amp; Sons", "host.example")
	code := g.connected(procoretest.MyConstruction)
	if c := s.connection(procoretest.MyConstruction); c.State != connections.Connected || c.Reference != "" {
		t.Errorf("before the redemption: %s with reference %q", c.State, c.Reference)
	}
	g.Get("/connected?flow="+g.flow).Wants(http.StatusOK, "Connected for", "Acme &amp; Sons", "Back to host.example", "/return?flow="+g.flow)
	result, refused := s.redeem(code, g.verifier)
	want := link.Result{
		Outcome: link.Connected, Reference: "tenant-42", Tenant: "Acme & Sons", CompanyID: procoretest.MyConstruction,
		CompanyName: result.CompanyName, UserID: procoretest.Joe, UserName: result.UserName,
	}
	if refused != nil || result != want || result.CompanyName == "" || result.UserName == "" {
		t.Errorf("redeemed: %+v, %v", result, refused)
	}
	if c := s.connection(procoretest.MyConstruction); c.Reference != "tenant-42" {
		t.Errorf("the reference is %q", c.Reference)
	}
	if again := s.refuses(code, g.verifier, link.ErrorUsed); again.Status != http.StatusConflict || again.Result.CompanyID != procoretest.MyConstruction || again.Result.Reference != "tenant-42" {
		t.Errorf("the second redemption has %+v", again.Result)
	}
	g.list().RedirectsTo(s.base + "/connected?flow=" + g.flow) // the host knows
	if again := g.arrives("/return?flow="+g.flow, link.Connected); again != code {
		t.Error("loaded again, the code is another one")
	}
	s.wantWorking(connections.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.User(procoretest.Joe)})
}

// A link that was forwarded binds nothing: the other person's browser brings the code to a host whose session there has no
// verifier, or the verifier of another link; and who has the verifier lacks the code.
func TestForwardedLink(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	sender, receiver := s.guest(procoretest.Joe, "tenant-1"), s.guest(procoretest.Ann, "tenant-2")
	code := receiver.connected(procoretest.NorthernPlanner)
	s.refuses(code, sender.verifier, link.ErrorUnknown)
	s.refuses(code, procore.Secret{}, link.ErrorUnknown)
	s.refuses("", receiver.verifier, link.ErrorUnknown)
	s.refuses(strings.ToLower(code), receiver.verifier, link.ErrorUnknown)
	if c := s.connection(procoretest.NorthernPlanner); c.Reference != "" {
		t.Errorf("the reference is %q", c.Reference)
	}
	s.Browser(s.base).Get("/return?flow="+receiver.flow).Wants(http.StatusGone, "connect again") // another browser has no code
	if _, refused := s.redeem(code, receiver.verifier); refused != nil {
		t.Errorf("its own session: %v", refused)
	}
}

// Only who has a key redeems.
func TestRedemptionIsSigned(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	g := s.guest(procoretest.Joe, "tenant-42")
	code := g.connected(procoretest.MyConstruction)
	other, err := link.ParseKeys(`{"current":"k1","k1":"another-key-0123456789-0123456789-0123456789"}`)
	if err != nil {
		t.Fatal(err)
	}
	good := s.host.Keys
	s.host.Keys = secrettest.Constant(other)
	if e := s.refuses(code, g.verifier, link.ErrorUnauthorized); e.Status != http.StatusUnauthorized {
		t.Errorf("another key is answered %d", e.Status)
	}
	s.host.Keys = good
	form := url.Values{"code": {code}, "verifier": {g.verifier.Reveal()}}
	signed, err := s.keys.Sign(link.Link{Reference: "tenant-42", Tenant: "Acme", Challenge: link.Challenge(g.verifier), Expires: s.Clock.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	for name, authorization := range map[string]string{"none": "", "a link": "Bearer " + signed, "basic": "Basic " + signed, "no token": "Bearer "} {
		r := g.redemption(form)
		r.Header.Set("Authorization", authorization)
		if page := g.Do(r); page.Status != http.StatusUnauthorized || page.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", name, page.Status, page.Body)
		}
	}
	s.Clock.Advance(session.CodeLifetime + time.Second)
	s.refuses(code, g.verifier, link.ErrorUnknown)
	code = g.arrives("/return?flow="+g.flow, link.Connected) // the browser's own page still leads back
	if _, refused := s.redeem(code, g.verifier); refused != nil {
		t.Errorf("after the browser came back again: %v", refused)
	}
}

func (g *guest) redemption(form url.Values) *http.Request {
	g.site.t.Helper()
	r, err := http.NewRequestWithContext(g.site.t.Context(), http.MethodPost, g.site.base+link.PathRedeem, strings.NewReader(form.Encode()))
	if err != nil {
		g.site.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// A connection that has ended, or was made again, since the browser came back, does not take the reference.
func TestRedeemedTooLate(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	g := s.guest(procoretest.Joe, "tenant-42")
	code := g.connected(procoretest.MyConstruction)
	again := &visitor{Browser: s.Browser(s.base), s: s.site}
	again.flow = again.authorize(procoretest.Joe)
	again.connect(procoretest.MyConstruction)
	if e := s.refuses(code, g.verifier, link.ErrorOver); e.Status != http.StatusConflict {
		t.Errorf("made again: %d", e.Status)
	}
	ended := s.guest(procoretest.Joe, "tenant-43")
	code = ended.connected(procoretest.MyConstruction)
	if err := s.Store().End(t.Context(), s.connection(procoretest.MyConstruction).Key, "on purpose"); err != nil {
		t.Fatal(err)
	}
	s.refuses(code, ended.verifier, link.ErrorOver)
	if c := s.connection(procoretest.MyConstruction); c.Reference != "" {
		t.Errorf("the reference is %q", c.Reference)
	}
}

// Of many redemptions at a time one has the effect; the others have the result.
func TestRedeemedAtATime(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	g := s.guest(procoretest.Joe, "tenant-42")
	code := g.connected(procoretest.MyConstruction)
	var all sync.WaitGroup
	answers := make([]error, 6)
	for i := range answers {
		all.Go(func() { _, answers[i] = s.host.Redeem(t.Context(), code, g.verifier) })
	}
	all.Wait()
	effects := 0
	for _, err := range answers {
		e, refused := errors.AsType[*link.RedeemError](err)
		switch {
		case err == nil:
			effects++
		case !refused || e.Code != link.ErrorUsed || e.Result.Reference != "tenant-42":
			t.Errorf("%v, want that it was used", err)
		}
	}
	if effects != 1 || s.connection(procoretest.MyConstruction).Reference != "tenant-42" {
		t.Errorf("%d had the effect, want 1", effects)
	}
}

// While storage fails, the host may redeem again; if only the answer to the write was lost, it learns the result.
func TestRedemptionMeetsAnOutage(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	g := s.guest(procoretest.Joe, "tenant-42")
	code := g.connected(procoretest.MyConstruction)
	s.Fault(dynamotest.Nth(1, "TransactWriteItems", dynamotest.Fault{Code: "InternalServerError"}))
	if e := s.refuses(code, g.verifier, link.ErrorUnavailable); e.Status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", e.Status)
	}
	s.Fault(nil)
	if _, refused := s.redeem(code, g.verifier); refused != nil {
		t.Errorf("afterwards: %v", refused)
	}
}

// A user who doesn't connect goes back to the host, which learns that.
func TestLinkedUserDeclines(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	g := s.guest(procoretest.Joe, "tenant-42")
	form := g.form("")
	form.Del(pages.FieldCompany)
	form.Set(pages.FieldCancel, "1")
	back := g.Post("/companies", form).RedirectsTo(s.base + "/return?flow=" + g.flow)
	code := g.arrives(back, link.Declined)
	result, refused := s.redeem(code, g.verifier)
	if want := (link.Result{Outcome: link.Declined, Reference: "tenant-42", Tenant: "Acme & Sons"}); refused != nil || result != want {
		t.Errorf("%+v, %v", result, refused)
	}
	s.refuses(code, g.verifier, link.ErrorUsed)
	page := g.list().Wants(http.StatusGone, "Back to host.example", s.base+"/oauth/start?flow="+g.flow)
	if strings.Contains(page.Body, `href="`+s.base+`/oauth/start"`) {
		t.Error("a button begins without the tenant")
	}
}

// A user who needs an administrator has the text to forward, and a way back to the host, which learns why. Later, the
// user connects by the same link.
func TestLinkedUserNeedsAnAdmin(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	s.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{UserInstalls: new(false)})
	g := s.guest(procoretest.Joe, "tenant-42")
	g.Get("/return?flow=" + g.flow).RedirectsTo(s.base + "/companies?flow=" + g.flow)
	g.choose(procoretest.MyConstruction).Wants(http.StatusForbidden, "Back to host.example", "/return?flow="+g.flow, "request")
	code := g.arrives("/return?flow="+g.flow, link.NeedsAdmin)
	result, refused := s.redeem(code, g.verifier)
	if refused != nil || result.Outcome != link.NeedsAdmin || result.CompanyID != procoretest.MyConstruction || result.CompanyName == "" || result.Reason != "user_installs_off" {
		t.Errorf("%+v, %v", result, refused)
	}
	if len(s.connections(procoretest.MyConstruction)) != 0 {
		t.Error("a company is connected")
	}
	s.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{UserInstalls: new(true)})
	code = g.connected(procoretest.MyConstruction)
	if result, refused := s.redeem(code, g.verifier); refused != nil || result.Outcome != link.Connected {
		t.Errorf("afterwards: %+v, %v", result, refused)
	}
}

// Another tenant's link replaces the reference of the same connection, when its host redeems it.
func TestAnotherTenant(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	for _, reference := range []string{"tenant-1", "tenant-2"} {
		g := s.guest(procoretest.Joe, reference)
		code := g.connected(procoretest.MyConstruction)
		if c := s.connection(procoretest.MyConstruction); c.Reference == reference {
			t.Errorf("%s took effect before the redemption", reference)
		}
		if _, refused := s.redeem(code, g.verifier); refused != nil {
			t.Fatal(refused)
		}
		if c := s.connection(procoretest.MyConstruction); c.Reference != reference {
			t.Errorf("the reference is %q, want %s", c.Reference, reference)
		}
	}
}

// A return address that is no longer allowed is not followed, and the connection's page is shown instead.
func TestReturnIsNoLongerAllowed(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	g := s.guest(procoretest.Joe, "tenant-42")
	s.h.links.Returns = []string{"https://other.example/"}
	g.choose(procoretest.MyConstruction).RedirectsTo(s.base + "/connected?flow=" + g.flow)
	g.Get("/return?flow="+g.flow).Wants(http.StatusBadRequest, "site that")
	s.h.links = linked.Links{}
	r := g.redemption(url.Values{"code": {"x"}, "verifier": {"y"}})
	if page := g.Do(r); page.Status != http.StatusNotFound || !strings.Contains(page.Body, `"off"`) {
		t.Errorf("links are off: %d %s", page.Status, page.Body)
	}
}

// A form that leads to the host is admitted by the pages' policy, and no other site is.
func TestFormActionAdmitsTheHost(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	page := s.guest(procoretest.Joe, "tenant-42").list()
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://host.example;") {
		t.Errorf("the policy is %s", csp)
	}
}

// A redemption that is too large, or not a form, is refused.
func TestRedemptionIsBounded(t *testing.T) {
	t.Parallel()
	s := newHostSite(t)
	g := s.guest(procoretest.Joe, "tenant-42")
	token, err := s.keys.SignRedemption(s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := g.redemption(url.Values{"code": {strings.Repeat("x", 2*maxForm)}, "verifier": {g.verifier.Reveal()}})
	r.Header.Set("Authorization", "Bearer "+token)
	g.Do(r).Wants(http.StatusBadRequest, link.ErrorUnknown)
}
