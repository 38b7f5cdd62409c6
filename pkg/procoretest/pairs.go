package procoretest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Pair is an answer of the token endpoint. A service account's has no refresh token.
type Pair struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	CreatedAt    int64  `json:"created_at"` // Unix seconds
}

// States of a refresh token in [RefreshToken].
const (
	Live    = "live"    // valid for one refresh
	Spent   = "spent"   // presented to the token endpoint, whatever the answer was
	Revoked = "revoked" // by a call to the revocation endpoint or a second authorization
	Unknown = "unknown" // presented, but never issued
)

// pair is an issued access token with its refresh token, if it has one.
type pair struct {
	number          int64 // 1, 2, ...
	access, refresh string
	userID          int64 // 0 for the service account
	redirectURI     string
	created         time.Time
	expires         time.Time
	accessRevoked   bool
	refreshState    string
	next            *pair // what the refresh token was exchanged for
}

// usable reports whether the access token is valid now.
func (p *pair) usable(now time.Time) bool {
	return p != nil && !p.accessRevoked && now.Before(p.expires)
}

// revoke revokes both tokens, as Procore's revocation endpoint does.
func (s *Server) revoke(p *pair, reason string) {
	p.accessRevoked = true
	if p.refreshState == Live {
		p.refreshState = Revoked
	}
	s.keepPair(p)
	s.logToken(p, TokenEvent{Event: TokenRevoked, Fingerprint: p.fingerprint(), UserID: p.userID, Reason: reason})
}

// answer returns the pair as the token endpoint answers it at the time now.
func (p *pair) answer(now time.Time) Pair {
	return Pair{AccessToken: p.access, TokenType: "bearer", RefreshToken: p.refresh,
		ExpiresIn: int64(p.expires.Sub(now).Round(time.Second) / time.Second), CreatedAt: p.created.Unix()}
}

// Fingerprint returns the name of a token in [State]: the first 16 hex digits of its
// SHA-256.
func Fingerprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}

// fingerprint names a pair in the log of tokens.
func (p *pair) fingerprint() string { return Fingerprint(or(p.refresh, p.access)) }

// issue issues a pair, for a refresh token if from is not nil. User 0 is the service
// account, which gets no refresh token. The caller holds mu.
func (s *Server) issue(userID int64, redirectURI string, from *pair) *pair {
	now := s.now()
	p := &pair{access: "fake-access-" + s.opts.Random.Text(), userID: userID, redirectURI: redirectURI,
		created: now, expires: now.Add(s.opts.ExpiresIn)}
	if s.opts.LongAccessTokens {
		p.access += "-" + strings.Repeat("x", longToken-len(p.access)-1)
	}
	if userID != 0 {
		p.refresh, p.refreshState = "fake-refresh-"+s.opts.Random.Text(), Live
	}
	p.number = int64(len(s.pairs)) + 1
	s.addPair(p)
	s.keepPair(p)
	s.logIssued(p, from)
	return p
}

func (s *Server) addPair(p *pair) {
	s.access[p.access] = p
	if p.refresh != "" {
		s.refresh[p.refresh] = p
	}
	s.pairs = append(s.pairs, p)
}

// Accepts reports whether the API accepts an access token.
func (s *Server) Accepts(accessToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access[accessToken].usable(s.now())
}

// EndAccess ends the access tokens of a user before their time, as Procore may. The refresh tokens stay valid.
func (s *Server) EndAccess(userID int64) (err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.user(userID) == nil {
		return fmt.Errorf("user %d does not exist", userID)
	}
	for _, p := range s.pairs {
		if p.userID == userID && p.usable(s.now()) {
			p.accessRevoked = true
			s.keepPair(p)
		}
	}
	return nil
}

// longToken is the length of an access token with LongAccessTokens.
const longToken = 1400

// authorized issues the pair of a user's new authorization, and treats the user's
// earlier pairs as Options.SecondAuthorization demands. The caller holds mu.
func (s *Server) authorized(userID int64, redirectURI string) *pair {
	for _, p := range slices.Backward(s.pairs) { // Doorkeeper reuses the newest
		switch {
		case p.userID != userID:
		case s.opts.SecondAuthorization == Kill:
			s.revoke(p, ByAuthorization)
		case s.opts.SecondAuthorization == Return && p.refreshState == Live && p.usable(s.now()):
			s.logToken(p, TokenEvent{Event: TokenReturned, Fingerprint: p.fingerprint(), UserID: p.userID})
			return p
		}
	}
	return s.issue(userID, redirectURI, nil)
}

// Token issues a pair to a user, as if the user had authorized the app with this
// redirect URI in a browser. A refresh has to send the same redirect URI. If there is
// no such user, the test ends.
func (s *Server) Token(t TB, userID int64, redirectURI string) Pair {
	t.Helper()
	p, err := s.tokenOf(userID, redirectURI)
	if err != nil {
		t.Fatalf("procoretest: %v", err)
	}
	return p
}

func (s *Server) tokenOf(userID int64, redirectURI string) (p Pair, err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.user(userID) == nil {
		return Pair{}, fmt.Errorf("user %d does not exist", userID)
	}
	return s.authorized(userID, redirectURI).answer(s.now()), nil
}

// ServiceToken issues an access token to the app's service account, as the client
// credentials grant does.
func (s *Server) ServiceToken() Pair {
	defer s.mu.sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(0, "", nil).answer(s.now())
}
