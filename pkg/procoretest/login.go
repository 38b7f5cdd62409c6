package procoretest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Authorize acts as a user in the browser: it opens the app's authorization URL,
// chooses the user and clicks Authorize. It returns the URL that the browser is
// redirected to, and ends the test if the login page shows an error instead.
func (s *Server) Authorize(t TB, userID int64, authorizeURL string) string {
	t.Helper()
	return s.decide(t, userID, authorizeURL, "authorize")
}

// Deny is like Authorize, but clicks Deny.
func (s *Server) Deny(t TB, userID int64, authorizeURL string) string {
	t.Helper()
	return s.decide(t, userID, authorizeURL, "deny")
}

func (s *Server) decide(t TB, userID int64, authorizeURL, decision string) string {
	t.Helper()
	u, err := url.Parse(authorizeURL)
	if err != nil || u.Path != "/oauth/authorize" {
		t.Fatalf("procoretest: not an authorization URL")
		return ""
	}
	form := u.Query()
	form.Set("user", strconv.FormatInt(userID, 10))
	form.Set("decision", decision)
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatalf("procoretest: %v", err)
		return ""
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := &answer{header: http.Header{}, status: http.StatusOK}
	s.serveCrooked(a, r)
	if err := s.mu.sync(); err != nil {
		t.Fatalf("procoretest: %v", err)
		return ""
	}
	if a.status != http.StatusFound {
		t.Fatalf("procoretest: the login page answered %d, not a redirect", a.status)
	}
	return a.header.Get("Location")
}
