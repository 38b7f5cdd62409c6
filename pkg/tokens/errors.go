package tokens

import (
	"errors"
	"fmt"
	"time"
)

// The decisions a caller makes on an error of Store, by errors.Is.
var (
	// ErrNotFound: there is no such connection. A user has to connect.
	ErrNotFound = errors.New("not connected yet")
	// ErrReauthorize: the refresh token is spent. The user has to connect again.
	ErrReauthorize = errors.New("the user has to connect again")
	// ErrOverwritten is an ErrReauthorize that is nobody's fault: the monthly
	// sandbox was overwritten from production. Raise no alarm.
	ErrOverwritten = fmt.Errorf("%w: %s", ErrReauthorize, overwritten)
	// ErrDisconnected: a company admin disconnected the app. Stop calling until
	// somebody connects again.
	ErrDisconnected = errors.New("the company disconnected the app")
	// ErrRevoked: the connection was revoked on purpose.
	ErrRevoked = errors.New("the connection was revoked")
	// ErrNotInstalled: Procore refuses a token that is fresh. The app is not
	// installed in the company; more refreshes would not help.
	ErrNotInstalled = errors.New("the app is not installed in the company")
	// ErrTryAgain: storage, Procore or another process was in the way. Nothing
	// is known to be lost; try again later.
	ErrTryAgain = errors.New("try again later")
)

// Error says what happened to which connection. It unwraps to one of the
// sentinels and, where there is one, to the cause.
type Error struct {
	Key       Key
	Decision  error // one of the sentinels
	Reason    string
	Since     time.Time // zero: now
	RequestID string    // Procore's, "" if there is none
	Err       error     // the cause, or nil
}

// Error never holds a token or a secret.
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

// Unwrap gives the decision and the cause.
func (e *Error) Unwrap() []error { return []error{e.Decision, e.Err} }

// unusable is the error for a connection whose state gives no token.
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

// unusableBecause is unusable with the cause of this moment.
func (c Connection) unusableBecause(cause error) error {
	err := c.unusable()
	if e, ok := errors.AsType[*Error](err); ok {
		e.Err = cause
	}
	return err
}

// later is the error for what may pass by itself.
func later(k Key, reason string, err error) error {
	return &Error{Key: k, Decision: ErrTryAgain, Reason: reason, Err: err}
}
