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
	TokenReturned  = "returned" // again, to a second authorization
)

// Why a token was revoked: [TokenEvent].Reason.
const (
	ByEndpoint      = "the revocation endpoint"
	ByAuthorization = "a second authorization"
	ByReplay        = "a replay"
	ByOverwrite     = "the sandbox was overwritten"
)

// TokenEvent is what happened to one refresh token, or to an access token of the service
// account.
type TokenEvent struct {
	At          time.Time `json:"at"`
	Event       string    `json:"event"`
	Fingerprint string    `json:"fingerprint"`    // see [Fingerprint]
	From        string    `json:"from,omitempty"` // the fingerprint of the token before
	// State of a presented token before the request: Live, Spent, Revoked or Unknown.
	State string `json:"state,omitempty"`
	// Spent is true if the token was presented and is spent by that, whatever the answer
	// will be.
	Spent bool `json:"spent,omitempty"`
	// Reason is why the token was revoked: one of the constants.
	Reason string `json:"reason,omitempty"`
	UserID int64  `json:"user_id"` // 0 for the service account, and when unknown
}

// maxTokenEvents limits the log. The oldest are dropped first.
const maxTokenEvents = 2_000

// logToken adds to the log of tokens. No other function does. p is nil if the token was
// never issued. The caller holds mu.
func (s *Server) logToken(p *pair, e TokenEvent) {
	if len(s.tokenLog) >= maxTokenEvents {
		s.tokenLog = slices.Delete(s.tokenLog, 0, maxTokenEvents/10)
		s.tokenLogged += maxTokenEvents / 10
	}
	e.At = s.now()
	s.tokenLog = append(s.tokenLog, e)
	if s.opts.Watch == nil {
		return
	}
	var tokens Pair
	if p != nil {
		tokens = p.answer(e.At)
	}
	s.opts.Watch(e, tokens)
}

// logIssued logs a new pair. from is the pair that it replaces, or nil.
func (s *Server) logIssued(p, from *pair) {
	e := TokenEvent{Event: TokenIssued, Fingerprint: p.fingerprint(), UserID: p.userID}
	if from != nil {
		e.Event, e.From = TokenRefreshed, Fingerprint(from.refresh)
	}
	s.logToken(p, e)
}

// logPresented logs a refresh token that the token endpoint got, and that burns if it is
// valid. p is nil if it was never issued.
func (s *Server) logPresented(token string, p *pair, burn bool) {
	e := TokenEvent{Event: TokenPresented, Fingerprint: Fingerprint(token), State: Unknown}
	if p != nil {
		e.State, e.UserID, e.Spent = p.refreshState, p.userID, burn && p.refreshState == Live
	}
	s.logToken(p, e)
}
