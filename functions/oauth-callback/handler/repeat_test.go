package handler

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// setCookie puts a cookie in the browser's jar, as if it had received no newer one.
func (s *site) setCookie(b *functiontest.Browser, c *http.Cookie) {
	s.t.Helper()
	u, err := url.Parse(s.base)
	if err != nil {
		s.t.Fatal(err)
	}
	b.Jar.SetCookies(u, []*http.Cookie{c})
}

// The answer to a callback did not reach the browser, which loads it again with the cookie
// from before the sign-in. It ends where the first one did; without the code it doesn't.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, state := s.login(b)
	before := b.Cookies()[0]
	want := b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
	after := b.Cookies()[0]

	s.setCookie(b, before)
	b.Get("/oauth/callback?code=fake-code-other&state="+state).Wants(http.StatusForbidden, "started in another browser")
	b.Get("/oauth/callback?state="+state).Wants(http.StatusForbidden, "started in another browser")
	s.Browser(s.base).Get(callback).Wants(http.StatusForbidden, "started in another browser")
	other := s.Browser(s.base)
	s.setCookie(other, &http.Cookie{Name: before.Name, Value: state, Path: "/"})
	other.Get(callback).Wants(http.StatusForbidden, "started in another browser")

	if got := b.Get(callback).RedirectsTo(s.base); got != want {
		t.Errorf("got redirect to %q, want %q", got, want)
	}
	if got := b.Cookies()[0]; got.Value != after.Value {
		t.Error("the browser has not received the session's cookie")
	}
	s.wantExchanges(1)

	held, err := s.Sessions().Find(t.Context(), session.FlowOf(procore.NewSecret(state)), procore.NewSecret(after.Value))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.handover().Move(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	s.setCookie(b, before)
	if got := b.Get(callback).RedirectsTo(s.base); got != want {
		t.Errorf("after the pair was moved: got redirect to %q, want %q", got, want)
	}
	s.oauthIs(func(o *procore.OAuth) { o.ClientID = "another" })
	s.setCookie(b, before)
	b.Get(callback).Wants(http.StatusForbidden, "started in another browser")
}

// loadedAgain loads the callback once more when the first one has used up the state, and
// returns the two pages.
func (s *site) loadedAgain(b *functiontest.Browser, callback string) (first, second functiontest.Page) {
	s.t.Helper()
	var once sync.Once
	again := make(chan functiontest.Page, 1)
	healthy := s.h.oauth
	s.h.oauth = secrettest.Func[*procore.OAuth](func(ctx context.Context, _ bool) (*procore.OAuth, error) {
		once.Do(func() { go func() { again <- b.Get(callback) }() })
		return healthy.Get(ctx)
	})
	first = b.Get(callback)
	s.h.oauth = healthy
	return first, <-again
}

// A user who is impatient loads the callback again while the code is being exchanged.
func TestLoadedWhileExchanging(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: 300})
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	first, second := s.loadedAgain(b, callback)
	if a, b := first.RedirectsTo(s.base+"/companies?flow="), second.RedirectsTo(s.base+"/companies?flow="); a != b {
		t.Errorf("got redirects to %q and %q", a, b)
	}
	if first.Cookies[0].Value != second.Cookies[0].Value {
		t.Error("the two answers set different cookies")
	}
	s.wantExchanges(1)
}

// However often the browser loads the callback at once, and although none of the answers
// with the new cookie reached it, one exchange is made, and all loads end at one place with
// one cookie.
func TestLoadedManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for round := 1; round <= 3; round++ {
		s.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: 100})
		b := s.Browser(s.base)
		callback, state := s.login(b)
		want := s.base + "/companies?flow=" + session.FlowOf(procore.NewSecret(state))
		before := b.Cookies()[0]
		var all sync.WaitGroup
		answers := make(chan functiontest.Page, 9)
		for range 8 {
			again := s.Browser(s.base)
			s.setCookie(again, before)
			all.Go(func() { answers <- again.Get(callback) })
		}
		all.Wait()
		s.setCookie(b, before)
		answers <- b.Get(callback)
		close(answers)
		cookies := map[string]bool{}
		for page := range answers {
			if got := page.RedirectsTo(s.base); got != want || len(page.Cookies) != 1 {
				t.Fatalf("got redirect to %q with %d cookies, want %q with one", got, len(page.Cookies), want)
			}
			cookies[page.Cookies[0].Value] = true
		}
		if len(cookies) != 1 {
			t.Errorf("got %d different cookies, want one", len(cookies))
		}
		s.wantExchanges(round)
	}
}

// If the exchange fails, the second load doesn't wait any longer.
func TestLoadedWhileExchangeFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 503})
	b := s.Browser(s.base)
	callback, state := s.login(b)
	first, second := s.loadedAgain(b, callback)
	first.Wants(http.StatusBadGateway, "Procore is not responding")
	second.Wants(pages.StateUsed().Status, pages.StateUsed().Title)
	if got := s.status(state); got != session.Abandoned {
		t.Errorf("the session is %q, want abandoned", got)
	}
	s.wantExchanges(1)
	s.works()
}

// A process that died while it exchanged the code leaves a session for which a second load
// doesn't wait for long.
func TestExchangeDied(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(h *handler) { h.maxWait = 100 * time.Millisecond })
	b := s.Browser(s.base)
	callback, state := s.login(b)
	if _, _, err := s.Sessions().Consume(t.Context(), procore.NewSecret(state), procore.NewSecret(b.Cookies()[0].Value)); err != nil {
		t.Fatal(err)
	}
	b.Get(callback).Wants(pages.StateUsed().Status, pages.StateUsed().Title)
	s.wantExchanges(0)
}

// get opens an address as a browser does that reports where the request comes from.
func (s *site) get(b *functiontest.Browser, path, site string) functiontest.Page {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if site != "" {
		r.Header.Set("Sec-Fetch-Site", site)
	}
	return b.Do(r)
}

// A link on another site starts nothing: Procore may not ask a user who is signed in there.
func TestStartFromAnotherSite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	s.Storage()
	page := s.get(b, "/oauth/start", "cross-site").Wants(http.StatusOK, "Connect to Procore", s.base+"/oauth/start")
	if ops := s.Storage(); len(ops) > 0 || len(page.Cookies) > 0 {
		t.Errorf("got operations %v, %d cookies, want none", ops, len(page.Cookies))
	}
	for _, site := range []string{"same-origin", "same-site", "none", ""} {
		s.get(b, "/oauth/start", site).RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	}
}

// stale makes a session of the browser whose pair was stale: Procore returned a pair whose
// refresh token had been sent before, and had not arrived.
func (s *site) stale(b *functiontest.Browser) (flow string) {
	s.t.Helper()
	same := procoretest.Return
	if err := s.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &same}); err != nil {
		s.t.Fatal(err)
	}
	g := s.Authorize(procoretest.Joe)
	s.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Reset})
	if _, err := s.Tokens().Upkeep().Refresh(s.t.Context(), g.Principal, 2*time.Hour); err != nil {
		s.t.Fatal(err) // the access token is valid
	}
	callback, state := s.login(b)
	b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
	flow = session.FlowOf(procore.NewSecret(state))
	held, err := s.Sessions().Find(s.t.Context(), flow, procore.NewSecret(b.Cookies()[len(b.Cookies())-1].Value))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.handover().Move(s.t.Context(), held); err == nil {
		s.t.Fatal("the pair is not stale")
	}
	return flow
}

// After a stale pair the browser goes through the authorization once more, although for a
// browser the redirect is still Procore's. No one else can make it do so.
func TestStartOnceMore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	flow := s.stale(b)
	repeats := func(authorize string) bool {
		again, ok := s.row(mustState(t, authorize))["again"].(*types.AttributeValueMemberBOOL)
		return ok && again.Value
	}
	if !repeats(s.get(b, "/oauth/start?flow="+flow, "cross-site").RedirectsTo(s.Procore.URL + "/oauth/authorize?")) {
		t.Error("the new session does not show that it repeats another one")
	}
	if repeats(s.get(b, "/oauth/start", "").RedirectsTo(s.Procore.URL + "/oauth/authorize?")) {
		t.Error("a session that repeats no other one claims to")
	}
	for _, path := range []string{"/oauth/start?flow=", "/oauth/start?flow=nonsense", "/oauth/start?again=1", "/oauth/start?again=true"} {
		s.get(b, path, "cross-site").Wants(http.StatusOK, "Connect to Procore")
	}
	s.get(s.Browser(s.base), "/oauth/start?flow="+flow, "cross-site").Wants(http.StatusOK, "Connect to Procore")
	other := s.Browser(s.base)
	callback, state := s.login(other)
	other.Get(callback)
	s.get(other, "/oauth/start?flow="+session.FlowOf(procore.NewSecret(state)), "cross-site").Wants(http.StatusOK, "Connect to Procore")
}
