package handler

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// A wrong client secret has its own page, and the secret is read again.
func TestWrongClientSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	fresh := "fake-client-secret-2"
	if err := s.Procore.UpdateOptions(procoretest.OptionsPatch{ClientSecret: &fresh}); err != nil {
		t.Fatal(err)
	}
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	s.Clock.Advance(2 * time.Minute)
	want := pages.CredentialsRefused()
	b.Get(callback).Wants(want.Status, want.Title)
	s.wantExchanges(1)
	s.Secrets.Put(functiontest.AppSecret, `{"client_id":"fake-client-id","client_secret":"fake-client-secret-2"}`)
	s.Clock.Advance(2 * time.Minute)
	b = s.Browser(s.base)
	callback, _ = s.login(b)
	b.Get(callback).Wants(want.Status) // this flow finds out that the secret has changed
	s.works()
}

// Each answer of the token endpoint that is an OAuth error has the page of who can help.
func TestExchangeRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		body   string
		want   pages.Problem
	}{
		{400, `{"error":"invalid_grant"}`, pages.CodeExpired()},
		{401, `{"error":"invalid_grant"}`, pages.CodeExpired()},
		{400, `{"error":"unauthorized_client"}`, pages.CredentialsRefused()},
		{401, `{"error":"unauthorized_client","error_description":"The client is not authorized."}`, pages.CredentialsRefused()},
		{403, "\xef\xbb\xbf" + `{"error":"unauthorized_client"}`, pages.CredentialsRefused()},
		{401, `{"error":"invalid_client"}`, pages.CredentialsRefused()},
		{400, `{"error":"unsupported_grant_type"}`, pages.CredentialsRefused()},
		{400, `{"error":"invalid_scope"}`, pages.CredentialsRefused()},
		{400, `{"error":"invalid_request"}`, pages.AuthorizationFailed()},
		{422, `{"error":"a word of its own"}`, pages.AuthorizationFailed()},
		{503, `{"error":"temporarily_unavailable"}`, pages.ProcoreUnreachable()},
		{403, `<html>blocked</html>`, pages.ProcoreUnreachable()},
		{404, ``, pages.ProcoreUnreachable()},
	} {
		t.Run(strconv.Itoa(tt.status)+tt.body, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.Browser(s.base)
			callback, _ := s.login(b)
			s.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: tt.status, Body: tt.body})
			b.Get(callback).Wants(tt.want.Status, tt.want.Title)
			s.wantExchanges(1)
			s.works()
		})
	}
}

// However the token endpoint fails, the code is sent once.
func TestProcoreDown(t *testing.T) {
	t.Parallel()
	for _, f := range []procoretest.Fault{
		{Kind: procoretest.Reset, Times: 9},
		{Kind: procoretest.Drop, Times: 9},
		{Kind: procoretest.Status, Status: 503, Times: 9},
		{Kind: procoretest.Status, Status: 429, Times: 9},
		{Kind: procoretest.Status, Status: 500, Body: "fake-access-echo", Times: 9},
		{Kind: procoretest.Status, Status: 200, Body: "<html>maintenance</html>", Times: 9},
		{Kind: procoretest.Status, Status: 302, Headers: map[string]string{"Location": "/oauth/token"}, Times: 9},
	} {
		t.Run(f.Kind+" "+strconv.Itoa(f.Status), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.Browser(s.base)
			callback, _ := s.login(b)
			f.Endpoint = "token"
			if err := s.Procore.Fault(f); err != nil {
				t.Fatal(err)
			}
			b.Get(callback).Wants(http.StatusBadGateway, "Procore is not responding")
			b.Get(callback).Wants(pages.StateUsed().Status)
			s.wantExchanges(1)
			s.Procore.ClearFaults()
			s.works()
		})
	}
}

func TestProcoreUnreachable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	healthy := s.h.oauth
	s.oauthIs(func(o *procore.OAuth) { o.Environment.LoginURL = "http://127.0.0.1:1" })
	b.Get(callback).Wants(http.StatusBadGateway, "Procore is not responding")
	s.h.oauth = healthy
	s.works()
}

func TestProcoreSlow(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(h *handler) { h.maxWait = 200 * time.Millisecond })
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	if err := s.Procore.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: 60_000}); err != nil {
		t.Fatal(err)
	}
	b.Get(callback).Wants(http.StatusBadGateway, "Procore is not responding")
	s.wantExchanges(1)
	s.works()
}

// Once the code is sent, the pair is stored even if the browser has disconnected.
func TestBrowserDisconnects(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	callback, state := s.login(b)
	ctx, cancel := context.WithCancel(t.Context())
	original := s.h.oauth
	s.h.oauth = secrettest.Func[*procore.OAuth](func(ctx context.Context, _ bool) (*procore.OAuth, error) {
		cancel() // the state is consumed by now
		return original.Get(ctx)
	})
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	s.event(ctx, "/oauth/callback", u.RawQuery, b.Cookies()...)
	if got := s.status(state); got != session.Authorized {
		t.Errorf("the session is %q, want authorized", got)
	}
	s.wantRefreshTokens(procoretest.Live)
}

func TestStorageDownAtStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Fault(functiontest.Down)
	page := s.Browser(s.base).Get("/oauth/start").Wants(http.StatusServiceUnavailable, "Please try again in a moment")
	if len(page.Cookies) > 0 {
		t.Error("a cookie was set for a flow that is not stored")
	}
	s.Fault(nil)
	s.works()
}

// Whichever operation of the callback fails, there is a page, and no pair is revoked. If
// the code was not sent yet, or the pair was stored and only the answer was lost, the same
// address works later.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []dynamotest.Fault{
		{Code: "InternalServerError"}, {Code: "ThrottlingException"}, {Drop: true}, {Drop: true, Applied: true},
	} {
		for n, last := 1, false; !last; n++ {
			s := newSite(t, func(h *handler) { h.maxWait = 2 * time.Second })
			b := s.Browser(s.base)
			callback, state := s.login(b)
			s.Storage()
			left := n
			s.Fault(func(string, []byte) dynamotest.Fault {
				if left--; left == 0 {
					return fault
				}
				return dynamotest.Fault{}
			})
			page := b.Get(callback)
			s.Fault(nil)
			if last = len(s.Storage()) < n; last {
				page.RedirectsTo(s.base + "/companies?flow=")
				break
			}
			page.Wants(http.StatusServiceUnavailable, "Please try again in a moment")
			sent := s.Requests("POST /oauth/token")
			if got := s.Requests("POST /oauth/revoke"); got > 0 {
				t.Errorf("operation %d: got %d revocations of a pair that a grant may have", n, got)
			}
			stored := s.status(state) == session.Authorized
			again := b.Get(callback)
			if stored || sent == 0 && !(fault.Applied && again.Status == pages.StateUsed().Status) {
				again.RedirectsTo(s.base + "/companies?flow=")
			}
			s.works()
		}
	}
}

// Procore may return the pair that the user's grant has. When it can't be stored in its
// session, the grant goes on working.
func TestNotStoredIsNotRevoked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	same := procoretest.Return
	if err := s.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &same}); err != nil {
		t.Fatal(err)
	}
	g := s.Authorize(procoretest.Joe)
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	n := 0
	s.Fault(func(string, []byte) (f dynamotest.Fault) {
		if n++; n > 2 {
			f.Code = "InternalServerError"
		}
		return f
	})
	b.Get(callback).Wants(http.StatusServiceUnavailable, "Please try again in a moment")
	s.Fault(nil)
	if line := s.Log.Last(t); line["error"] == nil {
		t.Errorf("logged %v", line)
	}
	s.wantRefreshTokens(procoretest.Live)
	s.Clock.Advance(2 * time.Hour)
	if _, err := s.Tokens().Token(t.Context(), g.Principal); err != nil {
		t.Errorf("the grant does not work: %v", err)
	}
	s.works()
}

// Without secrets nothing can be sealed: no start.
func TestSecretsNotReadable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Secrets.Put(functiontest.KeysSecret, "nonsense")
	s.Browser(s.base).Get("/oauth/start").Wants(http.StatusServiceUnavailable)
	s.Secrets.Put(functiontest.KeysSecret, functiontest.KeysValue)
	s.works()
}
