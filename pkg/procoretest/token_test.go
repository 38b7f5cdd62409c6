package procoretest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
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

// A pair belongs to a user, not to a company: what happens to it, happens in all of the
// user's companies.
func TestSecondAuthorization(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode SecondAuthorization
		open int // the answer to a call with the user's earlier access tokens afterwards
		same bool
	}{{Keep, 200, false}, {Kill, 401, false}, {Return, 200, true}} {
		t.Run(string(tt.mode), func(t *testing.T) {
			t.Parallel()
			p, companies := Start(t, Options{SecondAuthorization: tt.mode}), []int64{MyConstruction, HarborHill, LockedGate}
			for _, c := range companies {
				if err := p.UpdateCompany(c, CompanyPatch{UserInstalls: new(true)}); err != nil {
					t.Fatal(err)
				}
			}
			everywhere := func(pair Pair, status int) {
				t.Helper()
				for _, c := range companies {
					api(t, p, pair.AccessToken, c, "GET", fmt.Sprintf("/rest/v1.0/companies/%d/projects", c), "").wants(t, status, "")
				}
			}
			other := p.Token(t, Ann, redirect)
			first := p.Token(t, Joe, redirect)
			p.Advance(20 * time.Minute)
			var now Pair
			refresh(t, p, first.RefreshToken).wants(t, 200, "").into(t, &now)
			everywhere(first, 200)
			everywhere(now, 200)
			p.Advance(30 * time.Minute)

			second := p.Token(t, Joe, redirect)
			if same := now.AccessToken == second.AccessToken && now.RefreshToken == second.RefreshToken; same != tt.same {
				t.Errorf("same pair: %t, want %t", same, tt.same)
			}
			left, age := int64(5400), int64(0)
			if tt.same {
				left, age = 3600, 1800
			}
			if issued := p.Now().Unix() - age; second.ExpiresIn < left-5 || second.ExpiresIn > left || second.CreatedAt < issued-5 || second.CreatedAt > issued {
				t.Errorf("expires in %d s, created at %d; want %d s and %d", second.ExpiresIn, second.CreatedAt, left, issued)
			}
			everywhere(first, tt.open)
			everywhere(now, tt.open)
			everywhere(second, 200)
			api(t, p, other.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Ann")
			if tt.mode == Keep {
				refresh(t, p, now.RefreshToken).wants(t, 200, "fake-refresh-")
			}
			if tt.mode == Kill {
				refresh(t, p, now.RefreshToken).wants(t, 400, "invalid_grant")
			}

			revoke(t, p, "token", second.RefreshToken).wants(t, 200, "{}")
			everywhere(second, 401)
			refresh(t, p, second.RefreshToken).wants(t, 400, "invalid_grant")
			third := p.Token(t, Joe, redirect)
			if third.AccessToken == second.AccessToken || third.RefreshToken == second.RefreshToken {
				t.Error("a revoked pair was issued again")
			}
			everywhere(third, 200)
		})
	}
}

// With Return, a pair whose access token has expired, or whose refresh token is spent, is
// not issued again. Of several, the newest is.
func TestReturnedPairIsValid(t *testing.T) {
	t.Parallel()
	p := Start(t)
	older, newest := p.Token(t, Joe, redirect), p.Token(t, Joe, redirect)
	mode := Return
	if err := p.UpdateOptions(OptionsPatch{SecondAuthorization: &mode}); err != nil {
		t.Fatal(err)
	}
	if got := p.Token(t, Joe, redirect); got.RefreshToken != newest.RefreshToken {
		t.Errorf("got another pair than the newest; the older one: %t", got.RefreshToken == older.RefreshToken)
	}
	p.Advance(89 * time.Minute)
	if got := p.Token(t, Joe, redirect); got.AccessToken != newest.AccessToken || got.ExpiresIn > 60 || got.ExpiresIn < 50 {
		t.Errorf("a minute before the expiry: got a new pair, valid for %d s", got.ExpiresIn)
	}
	p.Advance(2 * time.Minute)
	next := p.Token(t, Joe, redirect)
	if next.RefreshToken == newest.RefreshToken || next.RefreshToken == older.RefreshToken || next.ExpiresIn != 5400 {
		t.Errorf("after the expiry: got an old pair, or %d s", next.ExpiresIn)
	}
	refresh(t, p, newest.RefreshToken).wants(t, 200, "") // it is as valid as before

	p = Start(t, Options{SecondAuthorization: Return})
	burnt := p.Token(t, Joe, redirect)
	mustSend(t, tokenRequest(t, p, credentials("grant_type", "refresh_token", "refresh_token", burnt.RefreshToken, "client_secret", "x"))).wants(t, 401, "")
	if got := p.Token(t, Joe, redirect); got.RefreshToken == burnt.RefreshToken {
		t.Error("got a spent refresh token")
	}
}

// A refresh that never arrived leaves the token valid, and a second authorization with
// Return issues it again although it was presented.
func TestReturnAfterALostRefresh(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{SecondAuthorization: Return})
	first := p.Token(t, Joe, redirect)
	form := credentials("grant_type", "refresh_token", "refresh_token", first.RefreshToken)
	for kind, presented := range map[string]int{Hangup: 0, Reset: 1} {
		f := Fault{Kind: kind}
		if kind == Reset {
			f.Endpoint = "token"
		}
		if err := p.Fault(f); err != nil {
			t.Fatal(err)
		}
		before := p.State().RefreshTokens[0].Presented
		if got, err := send(t, tokenRequest(t, p, form)); err == nil {
			t.Errorf("%s: answered %d", kind, got.status)
		}
		if got := p.State().RefreshTokens[0]; got.Presented-before != presented || got.State != Live {
			t.Errorf("%s: got %+v, want it %d times more often presented, and live", kind, got, presented)
		}
		if got := p.Token(t, Joe, redirect); got.RefreshToken != first.RefreshToken {
			t.Errorf("%s: got another pair", kind)
		}
	}
	mustSend(t, tokenRequest(t, p, form)).wants(t, 200, "fake-refresh-")
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

// What ends is kept, and the refresh token brings another access token.
func TestEndAccess(t *testing.T) {
	t.Parallel()
	m := newMemory(nil)
	p := startOn(t, m, Options{})
	joe, other := p.Token(t, Joe, redirect), p.Token(t, Ann, redirect)
	api(t, p, "", 0, "POST", "/_fake/end-access", `{"user_id":1234567}`).wants(t, 200, "true")
	api(t, p, joe.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 401, "")
	api(t, p, other.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "")
	isKept(t, p, m.synced)
	refresh(t, p, joe.RefreshToken).wants(t, 200, "access_token")
	if err := p.EndAccess(9); err == nil {
		t.Error("the access of a user who does not exist ended")
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for _, byRefresh := range []bool{false, true} {
		pair := p.Token(t, Joe, redirect)
		token := pair.AccessToken
		if byRefresh {
			token = pair.RefreshToken
		}
		revoke(t, p, "token", token, "client_secret", "x").wants(t, 401, "invalid_client")
		api(t, p, pair.AccessToken, 0, "GET", "/oauth/token/info", "").wants(t, 200, `"resource_owner_id":1234567`)
		revoke(t, p, "token", token).wants(t, 200, "{}")
		api(t, p, pair.AccessToken, 0, "GET", "/oauth/token/info", "").wants(t, 401, "invalid_token")
		refresh(t, p, pair.RefreshToken).wants(t, 400, "invalid_grant")
	}
	revoke(t, p, "token", "unknown").wants(t, 200, "{}")
	revoke(t, p).wants(t, 400, "invalid_request")
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
