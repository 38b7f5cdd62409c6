package procoretest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCodeIsStrict(t *testing.T) {
	t.Parallel()
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	for _, tt := range []struct {
		name      string
		challenge string
		form      []string
		wait      time.Duration
		want      int
	}{
		{"good", "", nil, 0, 200},
		{"good with PKCE", challenge, []string{"code_verifier", verifier}, 0, 200},
		{"just in time", "", nil, 9*time.Minute + 50*time.Second, 200},
		{"too late", "", nil, 10*time.Minute + time.Second, 400},
		{"other redirect URI", "", []string{"redirect_uri", redirect + "/"}, 0, 400},
		{"no redirect URI", "", []string{"redirect_uri", ""}, 0, 400},
		{"verifier missing", challenge, nil, 0, 400},
		{"verifier wrong", challenge, []string{"code_verifier", strings.Repeat("w", 43)}, 0, 400},
		{"verifier without challenge", "", []string{"code_verifier", verifier}, 0, 400},
		{"unknown code", "", []string{"code", "fake-code-never"}, 0, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := Start(t)
			var code string
			if tt.challenge == "" {
				code = codeFor(t, p, Joe)
			} else {
				code = codeFor(t, p, Joe, "code_challenge", tt.challenge, "code_challenge_method", "S256")
			}
			p.Advance(tt.wait)
			form := credentials(append([]string{"grant_type", "authorization_code", "code", code}, tt.form...)...)
			got := mustSend(t, tokenRequest(t, p, form))
			if got.status != tt.want || got.status == 400 && !strings.Contains(got.body, "invalid_grant") {
				t.Errorf("exchange = %d %s, want %d", got.status, got.body, tt.want)
			}
			// Whatever the answer was, the code is used up.
			form = credentials("grant_type", "authorization_code", "code", code, "code_verifier", verifier)
			if tt.challenge == "" {
				form.Del("code_verifier")
			}
			if tt.name != "unknown code" {
				mustSend(t, tokenRequest(t, p, form)).wants(t, 400, "invalid_grant")
			}
		})
	}
}

func TestTokenRequestForm(t *testing.T) {
	t.Parallel()
	p := Start(t)
	good := credentials("grant_type", "client_credentials")
	for _, tt := range []struct {
		name       string
		change     func(r *http.Request)
		form       url.Values
		want       int
		wantReason string
	}{
		{"good", nil, good, 200, "fake-access-"},
		{"wrong secret", nil, credentials("grant_type", "client_credentials", "client_secret", "x"), 401, "invalid_client"},
		{"wrong client", nil, credentials("grant_type", "client_credentials", "client_id", "x"), 401, "invalid_client"},
		{"credentials in the header", func(r *http.Request) { r.SetBasicAuth("fake-client-id", "fake-client-secret") }, good, 401, "invalid_client"},
		{"in the query", func(r *http.Request) { r.URL.RawQuery = "grant_type=x" }, good, 400, "invalid_request"},
		{"as JSON", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, good, 400, "invalid_request"},
		{"twice", nil, url.Values{"client_id": {"a", "b"}}, 400, "invalid_request"},
		{"no grant type", nil, credentials(), 400, "invalid_request"},
		{"password", nil, credentials("grant_type", "password"), 400, "unsupported_grant_type"},
		{"no refresh token", nil, credentials("grant_type", "refresh_token"), 400, "invalid_request"},
	} {
		r := tokenRequest(t, p, tt.form)
		if tt.change != nil {
			tt.change(r)
		}
		got := mustSend(t, r)
		if got.status != tt.want || !strings.Contains(got.body, tt.wantReason) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, got.status, got.body, tt.want, tt.wantReason)
		}
	}
}

func TestServiceAccountGetsNoRefreshToken(t *testing.T) {
	t.Parallel()
	p := Start(t)
	got := mustSend(t, tokenRequest(t, p, credentials("grant_type", "client_credentials"))).wants(t, 200, "created_at")
	if strings.Contains(got.body, "refresh_token") {
		t.Errorf("pair %s", got.body)
	}
}

// By default a refresh token is spent however it is presented. With
// KeepRefreshTokenOnError a failed call keeps it.
func TestAnyRefreshCallBurnsTheToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		fault            *Fault
		change           []string
		strict, lenient  string // state of the token afterwards
		wantsPresentedTo int
	}{
		{"success", nil, nil, Spent, Spent, 1},
		{"wrong secret", nil, []string{"client_secret", "x"}, Spent, Live, 1},
		{"wrong redirect URI", nil, []string{"redirect_uri", "http://127.0.0.1/other"}, Spent, Live, 1},
		{"no redirect URI", nil, []string{"redirect_uri", ""}, Spent, Live, 1},
		{"wrong grant type", nil, []string{"grant_type", "password"}, Spent, Live, 1},
		{"503", &Fault{Endpoint: "token", Kind: Status, Status: 503}, nil, Spent, Live, 1},
		{"429", &Fault{Endpoint: "token", Kind: Status, Status: 429}, nil, Spent, Live, 1},
		{"answer dropped", &Fault{Endpoint: "token", Kind: Drop}, nil, Spent, Spent, 1},
		{"connection reset before", &Fault{Endpoint: "token", Kind: Reset}, nil, Live, Live, 1},
		{"delayed", &Fault{Endpoint: "token", Kind: Delay, DelayMS: 1}, nil, Spent, Spent, 1},
	} {
		for _, keep := range []bool{false, true} {
			p := Start(t, Options{KeepRefreshTokenOnError: keep})
			pair := p.Token(t, Joe, redirect)
			if tt.fault != nil {
				if err := p.Fault(*tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			form := credentials(append([]string{"grant_type", "refresh_token", "refresh_token", pair.RefreshToken}, tt.change...)...)
			got, err := send(t, tokenRequest(t, p, form))
			if lost := tt.fault != nil && (tt.fault.Kind == Drop || tt.fault.Kind == Reset); lost != (err != nil) {
				t.Errorf("%s: answer %d, error %v", tt.name, got.status, err)
			}
			want := tt.strict
			if keep {
				want = tt.lenient
			}
			token := p.State().RefreshTokens[0]
			if token.State != want || token.Presented != tt.wantsPresentedTo || token.Fingerprint != Fingerprint(pair.RefreshToken) || token.UserID != Joe {
				t.Errorf("%s, keep %t: token %+v, want state %s", tt.name, keep, token, want)
			}
			if want == Spent {
				refresh(t, p, pair.RefreshToken).wants(t, 400, "invalid_grant")
			}
		}
	}
}

func TestUnknownRefreshTokensAreCounted(t *testing.T) {
	t.Parallel()
	p := Start(t)
	refresh(t, p, "never-issued").wants(t, 400, "invalid_grant")
	refresh(t, p, "never-issued").wants(t, 400, "invalid_grant")
	got := p.State().RefreshTokens
	want := RefreshToken{Fingerprint: Fingerprint("never-issued"), Presented: 2, State: Unknown}
	if len(got) != 1 || got[0] != want {
		t.Errorf("tokens %+v, want %+v", got, want)
	}
}

func TestSecondAuthorization(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode      SecondAuthorization
		firstOpen int // the answer to a call with the first access token afterwards
		same      bool
	}{{Keep, 200, false}, {Kill, 401, false}, {Return, 200, true}} {
		p := Start(t, Options{SecondAuthorization: tt.mode})
		other := p.Token(t, Ann, redirect)
		first, second := p.Token(t, Joe, redirect), p.Token(t, Joe, redirect)
		api(t, p, first.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, tt.firstOpen, "")
		api(t, p, second.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "")
		api(t, p, other.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Ann")
		if same := first.RefreshToken == second.RefreshToken; same != tt.same {
			t.Errorf("%s: same pair: %t, want %t", tt.mode, same, tt.same)
		}
		if tt.mode == Kill {
			refresh(t, p, first.RefreshToken).wants(t, 400, "invalid_grant")
		}
	}
}

func TestAfterARefresh(t *testing.T) {
	t.Parallel()
	for _, kills := range []bool{false, true} {
		p := Start(t, Options{RefreshKillsAccess: kills, ReplayKillsSuccessor: kills})
		first := p.Token(t, Joe, redirect)
		var second Pair
		refresh(t, p, first.RefreshToken).wants(t, 200, "").into(t, &second)
		refresh(t, p, first.RefreshToken).wants(t, 400, "invalid_grant")
		want := 200
		if kills {
			want = 401
		}
		api(t, p, first.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, want, "")
		api(t, p, second.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, want, "")
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	p := Start(t)
	revoke := func(form url.Values) reply {
		return mustSend(t, request(t, "POST", p.URL+"/oauth/revoke", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
	}
	for _, byRefresh := range []bool{false, true} {
		pair := p.Token(t, Joe, redirect)
		token := pair.AccessToken
		if byRefresh {
			token = pair.RefreshToken
		}
		revoke(credentials("token", token, "client_secret", "x")).wants(t, 401, "invalid_client")
		api(t, p, pair.AccessToken, 0, "GET", "/oauth/token/info", "").wants(t, 200, `"resource_owner_id":1234567`)
		revoke(credentials("token", token)).wants(t, 200, "{}")
		api(t, p, pair.AccessToken, 0, "GET", "/oauth/token/info", "").wants(t, 401, "invalid_token")
		refresh(t, p, pair.RefreshToken).wants(t, 400, "invalid_grant")
	}
	revoke(credentials("token", "unknown")).wants(t, 200, "{}")
	revoke(credentials()).wants(t, 400, "invalid_request")
}

func TestLongAccessTokens(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{LongAccessTokens: true})
	pair := p.Token(t, Joe, redirect)
	if len(pair.AccessToken) != longToken {
		t.Errorf("length %d", len(pair.AccessToken))
	}
	api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Joe")
}
