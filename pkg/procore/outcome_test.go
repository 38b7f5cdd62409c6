package procore

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// outcome fails the test unless err is a *TokenError of this outcome that shows no
// secret.
func outcome(t *testing.T, err error, want Outcome) *TokenError {
	t.Helper()
	e, ok := errors.AsType[*TokenError](err)
	if !ok {
		t.Fatalf("error = %v, want a *TokenError", err)
	}
	if e.Outcome != want {
		t.Errorf("outcome = %v (%v), want %v", e.Outcome, err, want)
	}
	hidesSecrets(t, err)
	return e
}

// Every answer of the token endpoint, and what it means for the refresh token.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("r", 200)
	for name, tt := range map[string]struct {
		status int
		body   string
		header string
		want   TokenError
	}{
		"invalid_grant":            {400, `{"error":"invalid_grant"}`, "X-Request-Id: abc", TokenError{Refused, 400, "invalid_grant", "abc", nil}},
		"invalid_grant, described": {400, `{"error":"invalid_grant","error_description":"` + testRefresh + `"}`, "", TokenError{Refused, 400, "invalid_grant", "", nil}},
		"invalid_grant as 401":     {401, `{"error":"invalid_grant"}`, "", TokenError{Refused, 401, "invalid_grant", "", nil}},
		"invalid_grant as 200":     {200, `{"error":"invalid_grant"}`, "", TokenError{Unknown, 200, "", "", nil}},
		"invalid_grant as 500":     {500, `{"error":"invalid_grant"}`, "", TokenError{Unknown, 500, "invalid_grant", "", nil}},
		"invalid_client":           {401, `{"error":"invalid_client"}`, "", TokenError{Unknown, 401, "invalid_client", "", nil}},
		"invalid_request":          {400, `{"error":"invalid_request"}`, "", TokenError{Unknown, 400, "invalid_request", "", nil}},
		"unauthorized_client":      {400, `{"error":"unauthorized_client"}`, "", TokenError{Unknown, 400, "unauthorized_client", "", nil}},
		"unlisted error":           {400, `{"error":"` + testRefresh + `"}`, "", TokenError{Unknown, 400, "unlisted_error", "", nil}},
		"400 of something else":    {400, "<html>" + testRefresh, "", TokenError{Unknown, 400, "", "", nil}},
		"403":                      {403, `{"message":"` + testRefresh + `"}`, "", TokenError{Unknown, 403, "", "", nil}},
		"404":                      {404, "", "", TokenError{Unknown, 404, "", "", nil}},
		"429":                      {429, "", "X-Request-Id: a b\tc", TokenError{Unknown, 429, "", "abc", nil}},
		"500":                      {500, `"x"`, "X-Request-Id: " + long, TokenError{Unknown, 500, "", long[:128], nil}},
		"503":                      {503, "{}", "Retry-After: 5", TokenError{Unknown, 503, "", "", nil}},
		"no content":               {204, "", "", TokenError{Unknown, 204, "", "", nil}},
		"200, empty":               {200, "", "", TokenError{Unknown, 200, "", "", nil}},
		"200, not JSON":            {200, testRefresh, "X-Request-Id: abc", TokenError{Unknown, 200, "", "abc", nil}},
		"200, without access":      {200, `{"refresh_token":"fake-refresh-new"}`, "", TokenError{Unknown, 200, "", "", nil}},
		"200, of another kind":     {200, `["fake-access-new"]`, "", TokenError{Unknown, 200, "", "", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var headers []string
			if tt.header != "" {
				headers = []string{tt.header}
			}
			p := listen(t, responds(tt.status, tt.body, headers...))
			_, err := spend(t.Context(), p.oauth())
			got := *outcome(t, err, tt.want.Outcome)
			if got.Err = nil; got != tt.want {
				t.Errorf("error = %+v, want %+v", got, tt.want)
			}
			if got, want := got.InvalidClient(), tt.want.Code == "invalid_client"; got != want {
				t.Errorf("InvalidClient = %v, want %v", got, want)
			}
			p.wants(t, 1)
		})
	}
}

func TestTokenErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*TokenError{
		"procore: token endpoint: status 401 invalid_client: the client id or secret is wrong, or belongs to another environment": {
			Status: 401, Code: "invalid_client",
		},
		"procore: token endpoint: status 400 invalid_grant":               {Outcome: Refused, Status: 400, Code: "invalid_grant"},
		"procore: token endpoint: the time to send had passed (not sent)": {Outcome: NotSent, Err: errTooLate},
		"procore: token endpoint: status 200: context canceled":           {Status: 200, Err: context.Canceled},
	} {
		if got := e.Error(); got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
		if e.Err != nil && !errors.Is(e, e.Err) {
			t.Errorf("%v does not unwrap to its cause", e)
		}
	}
}

// A pair without a refresh token is good until its access token expires.
func TestExchangeIncomplete(t *testing.T) {
	t.Parallel()
	p := listen(t, responds(200, `{"access_token":"fake-access-new","expires_in":5400}`))
	got, err := p.oauth().Exchange(t.Context(), NewSecret("fake-code-1"), NewSecret("fake-verifier"), "http://127.0.0.1:3000/")
	if err != nil || got.AccessToken.Reveal() != "fake-access-new" || !got.RefreshToken.IsZero() {
		t.Errorf("Exchange = %v, %v, want the access token alone", got, err)
	}
}

// An endpoint that accepts a token that was never issued is not healthy.
func TestProbeOfALaxEndpoint(t *testing.T) {
	t.Parallel()
	lax := listen(t, responds(200, testPair))
	if e := outcome(t, lax.oauth().Probe(t.Context()), Unknown); e.Status != 200 {
		t.Errorf("error = %v, want 200", e)
	}
}
