package tokens

import (
	"errors"
	"fmt"
	"time"
)

// Callers branch on these errors of Store by errors.Is.
var (
	// ErrNotFound means that there is no such grant. The user has to authorize.
	ErrNotFound = errors.New("not authorized yet")
	// ErrReauthorize means that the refresh token is spent. The user has to authorize
	// again.
	ErrReauthorize = errors.New("the user has to authorize again")
	// ErrOverwritten is an ErrReauthorize that is expected: the monthly sandbox was
	// overwritten from production. Callers raise no alarm.
	ErrOverwritten = fmt.Errorf("%w: %s", ErrReauthorize, overwritten)
	// ErrRevoked means that the grant was revoked on purpose.
	ErrRevoked = errors.New("the authorization was revoked")
	// ErrRejected means that Procore answers 401 to a fresh token. More refreshes would
	// not help. Callers try again in some minutes.
	ErrRejected = errors.New("a fresh token is not accepted by Procore")
	// ErrTryAgain means that storage, Procore or another process prevented an answer.
	// Callers try again later.
	ErrTryAgain = errors.New("try again later")

	// ErrHeld means that a grant was not revoked, because it has a holder.
	ErrHeld = errors.New("the authorization is in use")
	// ErrUsed means that another item of a transaction refused it: what the caller
	// joined was used already.
	ErrUsed = errors.New("tokens: another item of the transaction refused it")
	// ErrStale means that an authorization's refresh token was sent before. Callers
	// discard the pair and have the user authorize once more.
	ErrStale = errors.New("the refresh token was sent before")
)

// Error describes what happened to a grant. It unwraps to one of the sentinels and to
// the cause, if there is one.
type Error struct {
	Principal Principal
	Decision  error // one of the sentinels
	Reason    string
	Since     time.Time // zero: now
	RequestID string    // Procore's, "" if there is none
	Err       error     // the cause, or nil
}

// Error returns the text, which never contains a token or a secret.
func (e *Error) Error() string {
	s := fmt.Sprintf("tokens: %s: %v", e.Principal, e.Decision)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if !e.Since.IsZero() {
		s += " since " + e.Since.UTC().Format(time.RFC3339)
	}
	if e.RequestID != "" {
		s += " (Procore request " + e.RequestID + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the decision and the cause.
func (e *Error) Unwrap() []error { return []error{e.Decision, e.Err} }

// Err returns nil for a usable grant, and for any other one the error of its state.
func (g Grant) Err() error {
	if g.Usable() {
		return nil
	}
	return g.unusable()
}

// unusable returns the error of a grant whose state serves no token.
func (g Grant) unusable() *Error {
	e := &Error{Principal: g.Principal, Decision: ErrReauthorize, Reason: g.Reason, Since: g.ReasonAt, RequestID: g.RequestID}
	switch {
	case g.State == Revoked:
		e.Decision = ErrRevoked
	case g.Reason == overwritten:
		e.Decision, e.Reason = ErrOverwritten, ""
	}
	return e
}

// later returns an ErrTryAgain: the reason may go away without a person.
func later(p Principal, reason string, err error) error {
	return &Error{Principal: p, Decision: ErrTryAgain, Reason: reason, Err: err}
}
