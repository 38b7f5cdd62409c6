package procore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// OutOfBand is the redirect URI of an installed application: Procore shows the
// authorization code on a page instead of redirecting.
const OutOfBand = "urn:ietf:wg:oauth:2.0:oob"

// OAuth calls an environment's authorization server for one app.
//
// Each method that takes a single-use value sends it at most once and never retries.
// All errors of the token endpoint are *TokenError.
//
// https://developers.procore.com/documentation/oauth-endpoints
type OAuth struct {
	Environment  Environment
	ClientID     string
	ClientSecret Secret

	TLS    *tls.Config // nil: the system's roots, TLS 1.2 or newer
	Clock  Clock
	Random Random
	Dial   Dial // opens the connection below TLS, to the server or to its proxy
}

// AuthCodeURL returns the address at which the user authorizes the app. state and
// verifier must be new for each authorization. The URL contains the S256 challenge of
// the verifier (RFC 7636).
func (o *OAuth) AuthCodeURL(state, verifier Secret, redirectURI string) string {
	config := oauth2.Config{
		ClientID:    o.ClientID,
		Endpoint:    oauth2.Endpoint{AuthURL: o.Environment.LoginURL + "/oauth/authorize"},
		RedirectURL: redirectURI,
	}
	return config.AuthCodeURL(state.Reveal(), oauth2.S256ChallengeOption(verifier.Reveal()))
}

// Exchange turns an authorization code into a pair. The code is single-use and valid for
// 10 minutes. After any error the user has to authorize again.
func (o *OAuth) Exchange(ctx context.Context, code, verifier Secret, redirectURI string) (Token, error) {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code.Reveal()},
		"code_verifier": {verifier.Reveal()},
		"redirect_uri":  {redirectURI},
	}
	return o.token(ctx, form)
}

// Refresh spends a refresh token for a new pair. Whatever it returns, the
// caller must never send the same value again unless the *TokenError's Outcome
// is NotSent. The request is not begun after notAfter, by the wall clock.
//
// It opens the connection itself. A caller that has to claim the right to send
// opens it before the claim, by [OAuth.Connect].
func (o *OAuth) Refresh(ctx context.Context, refreshToken Secret, redirectURI string, notAfter time.Time) (Token, error) {
	c, err := o.Connect(ctx)
	if err != nil {
		return Token{}, err
	}
	defer c.Close()
	return c.Refresh(ctx, refreshToken, redirectURI, notAfter)
}

// ClientCredentials returns an access token of the app's service account. It spends
// nothing, so it may be repeated.
//
// https://developers.procore.com/documentation/oauth-client-credentials
func (o *OAuth) ClientCredentials(ctx context.Context) (Token, error) {
	return o.token(ctx, url.Values{"grant_type": {"client_credentials"}})
}

// Probe checks the token endpoint and the credentials by a refresh with a random value
// that was never issued. It returns nil for the expected invalid_grant. It spends
// nothing.
func (o *OAuth) Probe(ctx context.Context) error {
	_, err := o.Refresh(ctx, NewSecret(o.Random.Text()+o.Random.Text()), OutOfBand, noDeadline)
	if err == nil {
		return &TokenError{Status: http.StatusOK, Err: errors.New("it accepted a token that was never issued")}
	}
	if e, ok := errors.AsType[*TokenError](err); ok && e.Outcome == Refused {
		return nil
	}
	return err
}

// Revoke revokes a pair: its refresh token, and then its access token. Each is sent
// separately, because a server like Doorkeeper ignores an access token that has
// expired, and the refresh token with it. Procore answers 200 for an unknown
// token too, so Revoke may be repeated after any error (RFC 7009).
func (o *OAuth) Revoke(ctx context.Context, t Token) error {
	if !t.RefreshToken.IsZero() {
		if err := o.revoke(ctx, t.RefreshToken, "refresh_token"); err != nil {
			return err
		}
	}
	return o.revoke(ctx, t.AccessToken, "access_token")
}

func (o *OAuth) revoke(ctx context.Context, token Secret, hint string) error {
	a, sent, err := o.post(ctx, "/oauth/revoke", url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}})
	if err == nil && a.status/100 == 2 {
		return nil
	}
	return tokenError(a, sent, err)
}

// noDeadline is a notAfter under which only the context ends the request.
var noDeadline = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (o *OAuth) token(ctx context.Context, form url.Values) (Token, error) {
	return tokenOf(o.post(ctx, "/oauth/token", form))
}

// tokenOf reads a token from an answer. An answer with a pair is a success in any form,
// because the pair replaces one that is spent. An answer without a refresh token must be
// whole, with status 2xx: the rest of one that is cut is not known.
func tokenOf(a answer, sent bool, err error) (Token, error) {
	f := readTokenFields(a.header, a.body)
	if f.access != "" && (f.refresh != "" || err == nil && a.status/100 == 2) {
		return f.token(a.received), nil
	}
	if err == nil && a.status/100 == 2 {
		err = errors.New("the answer has no access_token")
	}
	return Token{}, tokenError(a, sent, err)
}

func (o *OAuth) post(ctx context.Context, path string, form url.Values) (answer, bool, error) {
	return o.sender().post(ctx, o.Environment.LoginURL+path, o.withCredentials(form))
}

// withCredentials adds the app's credentials to the form.
func (o *OAuth) withCredentials(form url.Values) url.Values {
	form.Set("client_id", o.ClientID)
	form.Set("client_secret", o.ClientSecret.Reveal())
	return form
}

func (o *OAuth) sender() sender {
	return sender{tls: o.TLS, proxy: http.ProxyFromEnvironment, clock: o.Clock, dial: o.Dial}
}

// Outcome is what an error means for a single-use value.
type Outcome int

const (
	// Unknown means that the value may have been spent. Never send it again.
	Unknown Outcome = iota
	// NotSent means that no byte of the request was sent. The value is still unspent.
	NotSent
	// Refused means invalid_grant: the value was spent or revoked. The user has to
	// authorize again unless another process has the pair that replaced it.
	Refused
)

func (o Outcome) String() string {
	return [...]string{"unknown", "not sent", "refused"}[o]
}

// TokenError is the type of every error of the token endpoint. It contains no token,
// code or secret.
type TokenError struct {
	Outcome   Outcome
	Status    int    // of the answer; 0 without one
	Code      string // RFC 6749 section 5.2, such as invalid_client; may be empty
	RequestID string // Procore's, for its support; may be empty
	Err       error  // why there is no usable answer, or nil
}

// Error returns the status, the cause and whether nothing was sent. For InvalidClient it
// explains what is wrong.
func (e *TokenError) Error() string {
	s := "procore: token endpoint"
	if e.Status != 0 {
		s += fmt.Sprintf(": status %d", e.Status)
	}
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.InvalidClient() {
		return s + ": the client id or secret is wrong, or belongs to another environment"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Outcome == NotSent {
		s += " (not sent)"
	}
	return s
}

// Unwrap returns the network's or the context's error.
func (e *TokenError) Unwrap() error { return e.Err }

// InvalidClient reports whether Procore does not accept the app's credentials. Read the
// secret again. If it is the same, tell the operator.
func (e *TokenError) InvalidClient() bool { return e.Code == "invalid_client" }

// tokenError maps an answer to an outcome. Only invalid_grant is an answer about the
// value: with status 400 (RFC 6749 section 5.2), or with 401 as Doorkeeper answered
// before 5.1. Any other answer, or none, is Unknown.
func tokenError(a answer, sent bool, err error) *TokenError {
	e := &TokenError{Status: a.status, Err: err}
	if a.header != nil {
		e.RequestID = printable(a.header.Get("X-Request-Id"), 128)
	}
	if !sent {
		e.Outcome = NotSent
		return e
	}
	if err == nil {
		e.Code = knownErrorCode(readTokenFields(a.header, a.body).errorCode)
	}
	if e.Code == "invalid_grant" && (a.status == http.StatusBadRequest || a.status == http.StatusUnauthorized) {
		e.Outcome = Refused
	}
	return e
}

// knownErrorCode returns a code that RFC 6749 section 5.2 defines. It hides any other
// text, which could be an echo of what was sent.
func knownErrorCode(s string) string {
	switch s {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
		"unsupported_grant_type", "invalid_scope":
		return s
	case "":
		return ""
	}
	return "unlisted_error"
}

// printable returns the printable ASCII of a server's short text, at most n bytes.
func printable(s string, n int) string {
	out := make([]byte, 0, min(len(s), n))
	for i := 0; i < len(s) && len(out) < n; i++ {
		if s[i] > ' ' && s[i] < 0x7f {
			out = append(out, s[i])
		}
	}
	return string(out)
}
