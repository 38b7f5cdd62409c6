package tokens

import (
	"errors"
	"fmt"
	"time"
)

// Callers branch on these errors of Store by errors.Is.
var (
	// ErrNotFound means that the connection does not exist. A user has to connect.
	ErrNotFound = errors.New("not connected yet")
	// ErrReauthorize means that the refresh token is spent. The user has to connect again.
	ErrReauthorize = errors.New("the user has to connect again")
	// ErrOverwritten is an ErrReauthorize that is expected: the monthly sandbox was
	// overwritten from production. Callers raise no alarm.
	ErrOverwritten = fmt.Errorf("%w: %s", ErrReauthorize, overwritten)
	// ErrDisconnected means that a company admin disconnected the app. Callers make no
	// calls until a user connects again.
	ErrDisconnected = errors.New("the company disconnected the app")
	// ErrRevoked means that the connection was revoked on purpose.
	ErrRevoked = errors.New("the connection was revoked")
	// ErrNotInstalled means that Procore refuses a fresh token. The app is not
	// installed in the company, and more refreshes would not help.
	ErrNotInstalled = errors.New("the app is not installed in the company")
	// ErrTryAgain means that storage, Procore or another process prevented an answer.
	// Nothing is known to be lost. Callers try again later.
	ErrTryAgain = errors.New("try again later")
)

// Error describes what happened to a connection. It unwraps to one of the sentinels
// and to the cause, if there is one.
type Error struct {
	Key       Key
	Decision  error // one of the sentinels
	Reason    string
	Since     time.Time // zero: now
	RequestID string    // Procore's, "" if there is none
	Err       error     // the cause, or nil
}

// Error returns the text, which never contains a token or a secret.
func (e *Error) Error() string {
	s := fmt.Sprintf("tokens: %s: %v", e.Key, e.Decision)
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

// unusable returns the error of a connection whose state serves no token.
func (c Connection) unusable() error {
	decision := map[State]error{
		Uncertain:    ErrReauthorize,
		Reauthorize:  ErrReauthorize,
		Disconnected: ErrDisconnected,
		Revoking:     ErrRevoked,
		Revoked:      ErrRevoked,
	}[c.State]
	switch {
	case decision == nil:
		decision = ErrTryAgain
	case c.State == Reauthorize && c.Reason == overwritten:
		return &Error{Key: c.Key, Decision: ErrOverwritten, Since: c.ReasonAt, RequestID: c.RequestID}
	}
	return &Error{Key: c.Key, Decision: decision, Reason: c.Reason, Since: c.ReasonAt, RequestID: c.RequestID}
}

// unusableBecause returns the error of unusable with a cause.
func (c Connection) unusableBecause(cause error) error {
	err := c.unusable()
	if e, ok := errors.AsType[*Error](err); ok {
		e.Err = cause
	}
	return err
}

// later returns an ErrTryAgain: the reason may go away without a person.
func later(k Key, reason string, err error) error {
	return &Error{Key: k, Decision: ErrTryAgain, Reason: reason, Err: err}
}
