package procoretest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// codeLife is how long an authorization code is valid.
const codeLife = 10 * time.Minute

// maxState limits the state parameter, in bytes.
const maxState = 2048

// grant is what an authorization code was issued for.
type grant struct {
	userID      int64
	redirectURI string
	challenge   string // PKCE S256, empty without PKCE
	made        time.Time
}

// authorization is an authorization request, RFC 6749 section 4.1.1 and RFC 7636
// section 4.3. The login form contains it.
type authorization struct {
	ClientID, RedirectURI, ResponseType, State string
	Challenge, ChallengeMethod                 string
}

func authorizationOf(v url.Values) authorization {
	return authorization{
		ClientID: v.Get("client_id"), RedirectURI: v.Get("redirect_uri"),
		ResponseType: v.Get("response_type"), State: v.Get("state"),
		Challenge: v.Get("code_challenge"), ChallengeMethod: v.Get("code_challenge_method"),
	}
}

func oauthRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /oauth/authorize", on((*Server).showLogin))
	m.Handle("POST /oauth/authorize", http.NewCrossOriginProtection().Handler(on((*Server).decideLogin)))
	m.HandleFunc("POST /oauth/token", on((*Server).serveToken))
	m.HandleFunc("POST /oauth/revoke", on((*Server).serveRevoke))
	m.HandleFunc("GET /oauth/token/info", on((*Server).serveTokenInfo))
}

// registered reports whether the redirect URI is registered for the app, by exact
// comparison. The caller holds mu.
func (s *Server) registered(uri string) bool {
	if !utf8.ValidString(uri) {
		return false
	}
	if uri == OutOfBand || len(s.opts.RedirectURIs) > 0 {
		return uri == OutOfBand || slices.Contains(s.opts.RedirectURIs, uri)
	}
	u, err := url.Parse(uri)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && loopback(u.Hostname()) && u.Fragment == ""
}

// check returns what is wrong with the request. A complaint without a code must be
// shown to the user, because the redirect URI cannot be trusted (RFC 6749 section
// 4.1.2.1).
func (s *Server) check(a authorization) (code, complaint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a.ClientID != s.opts.ClientID:
		return "", "The client_id is not registered."
	case !s.registered(a.RedirectURI):
		return "", "The redirect_uri does not exactly match one that is registered for this app."
	case len(a.State) > maxState:
		return "", "The state is too long."
	case a.ResponseType != "code":
		return "unsupported_response_type", "The response_type must be code."
	case a.Challenge != "" && (a.ChallengeMethod != "S256" || len(a.Challenge) != 43):
		return "invalid_request", "The code_challenge must be S256, 43 characters long."
	}
	return "", ""
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	a := authorizationOf(r.URL.Query())
	if code, complaint := s.check(a); complaint != "" {
		s.refuseLogin(w, r, a, code, complaint)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.render(w, http.StatusOK, "login.html", map[string]any{"Request": a, "Users": s.hinted(r.URL.Query().Get("login_hint"))})
}

// hinted returns the user with this login alone if there is one, as a browser that knows who logs in asks for, and all of
// them otherwise.
// https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest
func (s *Server) hinted(login string) []*User {
	for i, u := range s.users {
		if login != "" && u.Login == login {
			return s.users[i : i+1]
		}
	}
	return s.users
}

// decideLogin handles the form of showLogin.
func (s *Server) decideLogin(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.renderNotice(w, http.StatusBadRequest, "The form could not be read", err.Error())
		return
	}
	a := authorizationOf(r.PostForm)
	if code, complaint := s.check(a); complaint != "" {
		s.refuseLogin(w, r, a, code, complaint)
		return
	}
	if r.PostForm.Get("decision") != "authorize" {
		s.refuseLogin(w, r, a, "access_denied", "The resource owner or authorization server denied the request.")
		return
	}
	userID, _ := strconv.ParseInt(r.PostForm.Get("user"), 10, 64)
	code, ok := s.newCode(userID, a)
	switch {
	case !ok:
		s.renderNotice(w, http.StatusBadRequest, "Choose a user", "Go back and choose the user who logs in.")
	case a.RedirectURI == OutOfBand:
		s.render(w, http.StatusOK, "code.html", map[string]any{"Code": code})
	default:
		http.Redirect(w, r, withQuery(a, url.Values{"code": {code}}), http.StatusFound)
	}
}

// newCode returns an authorization code for a user, and false if there is no such
// user.
func (s *Server) newCode(userID int64, a authorization) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.user(userID) == nil {
		return "", false
	}
	now := s.now()
	for code, g := range s.codes { // an expired code is like an unknown one
		if now.Sub(g.made) > codeLife {
			s.deleteCode(code)
		}
	}
	code := "fake-code-" + s.opts.Random.Text()
	s.codes[code] = &grant{userID: userID, redirectURI: a.RedirectURI, challenge: a.Challenge, made: now}
	s.keepCode(code)
	return code, true
}

func (s *Server) refuseLogin(w http.ResponseWriter, r *http.Request, a authorization, code, complaint string) {
	if code == "" || a.RedirectURI == OutOfBand {
		s.renderNotice(w, http.StatusBadRequest, "This app cannot log you in", complaint)
		return
	}
	v := url.Values{"error": {code}, "error_description": {complaint}}
	http.Redirect(w, r, withQuery(a, v), http.StatusFound)
}

// withQuery returns the redirect URI with the answer and the unchanged state.
func withQuery(a authorization, v url.Values) string {
	u, err := url.Parse(a.RedirectURI)
	if err != nil {
		return "/" // registered URIs parse
	}
	q := u.Query()
	for k := range v {
		q.Set(k, v.Get(k))
	}
	if a.State != "" {
		q.Set("state", a.State)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
