package procoretest

import (
	"slices"
	"time"
)

// The events of a [TokenEvent].
const (
	TokenIssued    = "issued"    // by an authorization, or to the service account
	TokenPresented = "presented" // a refresh token, to the token endpoint
	TokenRefreshed = "refreshed" // issued for the refresh token From
	TokenRevoked   = "revoked"
)

// TokenEvent is what happened to one refresh token, or to an access token of the service
// account.
type TokenEvent struct {
	At          time.Time `json:"at"`
	Event       string    `json:"event"`
	Fingerprint string    `json:"fingerprint"`    // see [Fingerprint]
	From        string    `json:"from,omitempty"` // the fingerprint of the token before
	// State of a presented token before the request: Live, Spent, Revoked or Unknown.
	State  string `json:"state,omitempty"`
	UserID int64  `json:"user_id"` // 0 for the service account, and when unknown
}

// maxTokenEvents limits the log. The oldest are dropped first.
const maxTokenEvents = 2_000

// logToken adds to the log of tokens. No other function does. The caller holds mu.
func (s *Server) logToken(e TokenEvent) {
	if len(s.tokenLog) >= maxTokenEvents {
		s.tokenLog = slices.Delete(s.tokenLog, 0, maxTokenEvents/10)
		s.tokenLogged += maxTokenEvents / 10
	}
	e.At = s.now()
	s.tokenLog = append(s.tokenLog, e)
}

// logIssued logs a new pair. from is the pair that it replaces, or nil.
func (s *Server) logIssued(p, from *pair) {
	e := TokenEvent{Event: TokenIssued, Fingerprint: Fingerprint(or(p.refresh, p.access)), UserID: p.userID}
	if from != nil {
		e.Event, e.From = TokenRefreshed, Fingerprint(from.refresh)
	}
	s.logToken(e)
}

// logPresented logs a refresh token that the token endpoint got. p is nil if it was never
// issued.
func (s *Server) logPresented(token string, p *pair) {
	e := TokenEvent{Event: TokenPresented, Fingerprint: Fingerprint(token), State: Unknown}
	if p != nil {
		e.State, e.UserID = p.refreshState, p.userID
	}
	s.logToken(e)
}
