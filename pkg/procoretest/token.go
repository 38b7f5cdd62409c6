package procoretest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxPresented limits how many refresh tokens are remembered that were never issued.
const maxPresented = 100_000

// Error descriptions in the words of Procore's OAuth server.
const (
	badClient = "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method."
	badGrant  = "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client."
)

// oauthError is an error answer, RFC 6749 section 5.2.
type oauthError struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func invalidRequest(why string) *oauthError {
	return &oauthError{http.StatusBadRequest, "invalid_request", why}
}

func invalidGrant() *oauthError {
	return &oauthError{http.StatusBadRequest, "invalid_grant", badGrant}
}

// spend is a presented refresh token: its pair, if it was ever issued, and whether it
// was valid.
type spend struct {
	pair *pair
	live bool
}

// present counts every refresh token in the form and spends it, before the request
// is checked. The caller holds mu.
func (s *Server) present(form url.Values, burn bool) spend {
	var first spend
	for i, token := range form["refresh_token"] {
		p := s.refresh[token]
		if p != nil || len(s.presented) < maxPresented {
			s.presented[token]++
			s.keepPresented(token)
		}
		s.logPresented(token, p, burn)
		if p == nil {
			continue
		}
		if i == 0 {
			first = spend{p, p.refreshState == Live}
		}
		if burn && p.refreshState == Live {
			p.refreshState = Spent
			s.keepPair(p)
		}
	}
	return first
}

// formOf reads the body as a form whatever its content type is, so that a token in it
// counts as presented. It may return parameters together with an error.
func formOf(r *http.Request) (url.Values, *oauthError) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, invalidRequest("The body cannot be read.")
	}
	form, err := url.ParseQuery(string(body))
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return form, invalidRequest("The body must be application/x-www-form-urlencoded.")
	}
	if err != nil || r.URL.RawQuery != "" {
		return form, invalidRequest("The parameters must be in the body, properly encoded.")
	}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if len(form[name]) > 1 {
			return form, invalidRequest(fmt.Sprintf("The parameter %.40q is duplicated.", name))
		}
	}
	return form, nil
}

// serveToken serves POST /oauth/token.
//
// https://developers.procore.com/documentation/oauth-endpoints
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	form, bad := formOf(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	spent := s.present(form, !s.opts.KeepRefreshTokenOnError)
	if bad == nil {
		bad = s.authenticate(r, form)
	}
	var p *pair
	if bad == nil {
		p, bad = s.exchange(form, spent)
	}
	if bad != nil {
		writeJSON(w, bad.status, bad)
		return
	}
	writeJSON(w, http.StatusOK, p.answer(s.now()))
}

// authenticate requires the client's credentials in the form, and only there. The
// caller holds mu.
func (s *Server) authenticate(r *http.Request, form url.Values) *oauthError {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if r.Header.Get("Authorization") != "" || !same(id, s.opts.ClientID) || !same(secret, s.opts.ClientSecret) {
		return &oauthError{http.StatusUnauthorized, "invalid_client", badClient}
	}
	return nil
}

func (s *Server) exchange(form url.Values, spent spend) (*pair, *oauthError) {
	switch form.Get("grant_type") {
	case "authorization_code":
		return s.exchangeCode(form)
	case "refresh_token":
		return s.exchangeRefresh(form, spent)
	case "client_credentials":
		return s.issue(0, "", nil), nil
	case "":
		return nil, invalidRequest("The grant_type is missing.")
	default:
		return nil, &oauthError{http.StatusBadRequest, "unsupported_grant_type", "The grant_type is not supported."}
	}
}

// exchangeCode exchanges a code, which is used up even if the exchange fails.
func (s *Server) exchangeCode(form url.Values) (*pair, *oauthError) {
	code := form.Get("code")
	g := s.codes[code]
	s.deleteCode(code)
	if g == nil || s.now().Sub(g.made) > codeLife || form.Get("redirect_uri") != g.redirectURI ||
		!verified(g.challenge, form.Get("code_verifier")) {
		return nil, invalidGrant()
	}
	return s.authorized(g.userID, g.redirectURI), nil
}

// verified reports whether the verifier matches the challenge, RFC 7636 section 4.6.
// A verifier without a challenge is a downgrade, RFC 9700 section 2.1.1.
func verified(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == verifier
	}
	sum := sha256.Sum256([]byte(verifier))
	return len(verifier) >= 43 && len(verifier) <= 128 && challenge == base64.RawURLEncoding.EncodeToString(sum[:])
}

func (s *Server) exchangeRefresh(form url.Values, spent spend) (*pair, *oauthError) {
	if form.Get("refresh_token") == "" {
		return nil, invalidRequest("The refresh_token is missing.")
	}
	old := spent.pair
	if old != nil && !spent.live && old.next != nil && s.opts.ReplayKillsSuccessor {
		s.revoke(old.next, ByReplay)
	}
	if old == nil || !spent.live || form.Get("redirect_uri") != old.redirectURI {
		return nil, invalidGrant()
	}
	old.refreshState = Spent
	old.accessRevoked = old.accessRevoked || s.opts.RefreshKillsAccess
	old.next = s.issue(old.userID, old.redirectURI, old)
	s.keepPair(old)
	return old.next, nil
}

// serveRevoke is POST /oauth/revoke: 200 also for an unknown token (RFC 7009
// section 2.2). It revokes the access token and its refresh token, as Doorkeeper
// does: an access token that has expired revokes nothing, and its refresh token
// stays valid unless it is sent itself.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	form, bad := formOf(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if bad == nil {
		bad = s.authenticate(r, form)
	}
	if bad == nil && form.Get("token") == "" {
		bad = invalidRequest("The token is missing.")
	}
	if bad != nil {
		writeJSON(w, bad.status, bad)
		return
	}
	token := form.Get("token")
	access, refresh := s.access[token], s.refresh[token]
	if form.Get("token_type_hint") == "refresh_token" {
		access = nil
	}
	switch {
	case access.usable(s.now()):
		s.revoke(access, ByEndpoint)
	case access == nil && refresh != nil:
		s.revoke(refresh, ByEndpoint)
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

// serveTokenInfo serves GET /oauth/token/info.
func (s *Server) serveTokenInfo(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.access[bearer(r)]
	if !p.usable(s.now()) {
		unauthorized(w)
		return
	}
	owner := any(p.userID)
	if p.userID == 0 {
		owner = nil
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"resource_owner_id": owner, "scopes": []string{}, "created_at": p.created.Unix(),
		"expires_in_seconds": p.answer(s.now()).ExpiresIn, "application": map[string]string{"uid": s.opts.ClientID},
	})
}

// bearer returns the token of RFC 6750 section 2.1, or "".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return token
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="Procore", error="invalid_token"`)
	writeJSON(w, http.StatusUnauthorized, map[string]string{
		"error": "invalid_token", "error_description": "The access token is invalid, expired or revoked."})
}
