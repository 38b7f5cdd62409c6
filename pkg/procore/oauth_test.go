package procore_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	testRedirect = "http://127.0.0.1:3000/oauth/callback"
	testVerifier = "fake-verifier-of-more-than-forty-three-characters"
)

// app returns the fake's app.
func app(p *procoretest.Server) *procore.OAuth {
	return &procore.OAuth{
		Environment: procore.Environment{Name: "custom", LoginURL: p.URL, APIURL: p.URL},
		ClientID:    "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"),
	}
}

// authorize takes a user through the browser and returns the code.
func authorize(t *testing.T, p *procoretest.Server, o *procore.OAuth) string {
	t.Helper()
	u, err := url.Parse(p.Authorize(t, procoretest.Joe, o.AuthCodeURL(procore.NewSecret("a state"), procore.NewSecret(testVerifier), testRedirect)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.Query().Get("state"), "a state"; got != want {
		t.Fatalf("state = %q, want %q", got, want)
	}
	return u.Query().Get("code")
}

// asToken is the fake's pair as the client has it.
func asToken(p procoretest.Pair) procore.Token {
	return procore.Token{AccessToken: procore.NewSecret(p.AccessToken), RefreshToken: procore.NewSecret(p.RefreshToken)}
}

// outcome returns the error of a call of the token endpoint.
func outcome(t *testing.T, err error, want procore.Outcome) *procore.TokenError {
	t.Helper()
	e, ok := errors.AsType[*procore.TokenError](err)
	if !ok || e.Outcome != want {
		t.Fatalf("error = %v, want a TokenError with outcome %v", err, want)
	}
	return e
}

// alive reports whether the fake's API accepts the token.
func alive(t *testing.T, p *procoretest.Server, token string) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/rest/v1.0/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// presented returns how often each refresh token reached the fake, oldest first.
func presented(p *procoretest.Server) []int {
	var all []int
	for _, r := range p.State().RefreshTokens {
		all = append(all, r.Presented)
	}
	return all
}

func TestAuthCodeURL(t *testing.T) {
	t.Parallel()
	o := &procore.OAuth{Environment: procore.Sandbox(), ClientID: "an id", ClientSecret: procore.NewSecret("fake-client-secret")}
	for _, redirect := range []string{"https://app.example/oauth/callback/", procore.OutOfBand} {
		got, err := url.Parse(o.AuthCodeURL(procore.NewSecret("a&state"), procore.NewSecret(testVerifier), redirect))
		if err != nil {
			t.Fatal(err)
		}
		challenge := sha256.Sum256([]byte(testVerifier))
		want := url.Values{
			"response_type":         {"code"},
			"client_id":             {"an id"},
			"redirect_uri":          {redirect},
			"state":                 {"a&state"},
			"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
			"code_challenge_method": {"S256"},
		}
		if diff := cmp.Diff(want, got.Query()); diff != "" {
			t.Errorf("parameters (-want +got):\n%s", diff)
		}
		got.RawQuery = ""
		if got, want := got.String(), "https://login-sandbox.procore.com/oauth/authorize"; got != want {
			t.Errorf("address = %q, want %q", got, want)
		}
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	o := app(p)
	code := authorize(t, p, o)
	pair, err := o.Exchange(t.Context(), procore.NewSecret(code), procore.NewSecret(testVerifier), testRedirect)
	if err != nil {
		t.Fatal(err)
	}
	if pair.RefreshToken.IsZero() || !alive(t, p, pair.AccessToken.Reveal()) {
		t.Error("the pair is not one")
	}
	if left := time.Until(pair.Expiry); left < 89*time.Minute || left > 90*time.Minute {
		t.Errorf("expires in %v, want almost 90m", left)
	}
	_, err = o.Exchange(t.Context(), procore.NewSecret(code), procore.NewSecret(testVerifier), testRedirect)
	if e := outcome(t, err, procore.Refused); e.Status != 400 || e.Code != "invalid_grant" {
		t.Errorf("second exchange: %v, want 400 invalid_grant", e)
	}
}

func TestExchangeRefused(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	o := app(p)
	for name, tt := range map[string]struct{ code, verifier, redirect string }{
		"unknown code":   {"fake-code-unknown", testVerifier, testRedirect},
		"other verifier": {authorize(t, p, o), testVerifier + "x", testRedirect},
		"other redirect": {authorize(t, p, o), testVerifier, testRedirect + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := o.Exchange(t.Context(), procore.NewSecret(tt.code), procore.NewSecret(tt.verifier), tt.redirect)
			outcome(t, err, procore.Refused)
		})
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	o := app(p)
	first := p.Token(t, procoretest.Joe, testRedirect)
	second, err := o.Refresh(t.Context(), procore.NewSecret(first.RefreshToken), testRedirect, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken.Reveal() == first.RefreshToken || !alive(t, p, second.AccessToken.Reveal()) {
		t.Error("the pair is not a new one")
	}
	_, err = o.Refresh(t.Context(), procore.NewSecret(first.RefreshToken), testRedirect, time.Now().Add(time.Minute))
	outcome(t, err, procore.Refused)
	if _, err = o.Refresh(t.Context(), second.RefreshToken, procore.OutOfBand, time.Now().Add(time.Minute)); err == nil {
		t.Error("another redirect URI was accepted")
	}
	if diff := cmp.Diff([]int{2, 1}, presented(p)); diff != "" {
		t.Errorf("presented (-want +got):\n%s", diff)
	}
}

// R1 under the faults of the fake: whatever happens, one call presents the token
// once.
func TestRefreshFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault procoretest.Fault
		want  procore.TokenError
	}{
		"dropped": {procoretest.Fault{Kind: procoretest.Drop}, procore.TokenError{}},
		"reset":   {procoretest.Fault{Kind: procoretest.Reset}, procore.TokenError{}},
		"slow":    {procoretest.Fault{Kind: procoretest.Delay, DelayMS: 60_000}, procore.TokenError{}},
		"503":     {procoretest.Fault{Kind: procoretest.Status, Status: 503}, procore.TokenError{Status: 503}},
		"429": {procoretest.Fault{Kind: procoretest.Status, Status: 429, Headers: map[string]string{"X-Request-Id": "r-1"}},
			procore.TokenError{Status: 429, RequestID: "r-1"}},
		"empty 200": {procoretest.Fault{Kind: procoretest.Status, Status: 200, Body: "{}"}, procore.TokenError{Status: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := procoretest.Start(t)
			first := p.Token(t, procoretest.Joe, testRedirect)
			tt.fault.Endpoint, tt.fault.Times = "token", 1
			if err := p.Fault(tt.fault); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := app(p).Refresh(ctx, procore.NewSecret(first.RefreshToken), testRedirect, time.Now().Add(time.Hour))
			got := *outcome(t, err, procore.Unknown)
			if got.Err = nil; got != tt.want {
				t.Errorf("error = %+v, want %+v", got, tt.want)
			}
			if diff := cmp.Diff(1, presented(p)[0]); diff != "" {
				t.Errorf("presented (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	o := app(p)
	got, err := o.ClientCredentials(t.Context())
	if err != nil || !strings.HasPrefix(got.AccessToken.Reveal(), "fake-access-") || !got.RefreshToken.IsZero() {
		t.Errorf("ClientCredentials = %v, %v, want an access token alone", got, err)
	}
	o.ClientSecret = procore.NewSecret("another")
	_, err = o.ClientCredentials(t.Context())
	if e := outcome(t, err, procore.Unknown); !e.InvalidClient() {
		t.Errorf("error = %v, want invalid_client", e)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	o := app(p)
	pair := p.Token(t, procoretest.Joe, testRedirect)
	if err := p.Fault(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Drop}); err != nil {
		t.Fatal(err)
	}
	if err := o.Revoke(t.Context(), asToken(pair)); err == nil {
		t.Error("no error though the answer was lost")
	}
	if err := o.Revoke(t.Context(), asToken(pair)); err != nil {
		t.Errorf("repeated: %v", err)
	}
	if alive(t, p, pair.AccessToken) || p.State().RefreshTokens[0].State != procoretest.Revoked {
		t.Error("the pair is still valid")
	}
	if err := o.Revoke(t.Context(), procore.Token{AccessToken: procore.NewSecret("fake-access-unknown"), RefreshToken: procore.NewSecret("fake-refresh-unknown")}); err != nil {
		t.Errorf("unknown token: %v", err)
	}
	o.ClientSecret = procore.NewSecret("another")
	if e := outcome(t, o.Revoke(t.Context(), asToken(pair)), procore.Unknown); !e.InvalidClient() {
		t.Errorf("error = %v, want invalid_client", e)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	p.Token(t, procoretest.Joe, testRedirect)
	o := app(p)
	for range 2 {
		if err := o.Probe(t.Context()); err != nil {
			t.Errorf("healthy: %v", err)
		}
	}
	if diff := cmp.Diff([]int{0, 1, 1}, presented(p)); diff != "" {
		t.Errorf("presented: the probes' values must differ and must not be issued tokens (-want +got):\n%s", diff)
	}
	wrong := app(p)
	wrong.ClientSecret = procore.NewSecret("another")
	if e := outcome(t, wrong.Probe(t.Context()), procore.Unknown); !e.InvalidClient() {
		t.Errorf("error = %v, want invalid_client", e)
	}
	if err := p.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 503}); err != nil {
		t.Fatal(err)
	}
	if e := outcome(t, o.Probe(t.Context()), procore.Unknown); e.Status != 503 {
		t.Errorf("error = %v, want 503", e)
	}
	outcome(t, (&procore.OAuth{Environment: procore.Environment{LoginURL: "http://127.0.0.1:1"}}).Probe(t.Context()), procore.NotSent)
}

func TestTokenInfo(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	o, ctx := app(p), t.Context()
	user := p.Token(t, procoretest.Joe, testRedirect).AccessToken
	service, err := o.ClientCredentials(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int64{user: procoretest.Joe, service.AccessToken.Reveal(): 0} {
		got, err := o.TokenInfo(ctx, procore.NewSecret(token))
		if err != nil || got.UserID != want || got.ClientID != "fake-client-id" || got.ExpiresIn < 80*time.Minute || got.CreatedAt.IsZero() {
			t.Errorf("got %+v, %v, want user %d", got, err, want)
		}
	}
	p.Advance(2 * time.Hour)
	_, err = o.TokenInfo(ctx, procore.NewSecret(user))
	if e, ok := errors.AsType[*procore.TokenError](err); !ok || !errors.Is(err, procore.ErrUnauthorized) || e.Status != 401 || strings.Contains(err.Error(), user) {
		t.Errorf("got %v, want a TokenError that is ErrUnauthorized", err)
	}
	if n := len(p.State().Calls); n > 0 {
		t.Errorf("%d calls of the API: it should install the app nowhere", n)
	}
}
