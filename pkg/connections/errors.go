package connections

import (
	"errors"
	"fmt"
	"time"

	"procore-connect/pkg/tokens"
)

// Callers branch on these errors of Store by errors.Is.
var (
	// ErrNotFound means that the company is not connected. A user has to connect it.
	ErrNotFound = errors.New("not connected yet")
	// ErrDisconnected means that a company admin disconnected the app. Callers make no
	// calls until a user connects the company again.
	ErrDisconnected = errors.New("the company disconnected the app")
	// ErrEnded means that the connection was ended on purpose.
	ErrEnded = errors.New("the connection was ended")
	// ErrPaused means that Procore answers 401 for this company to tokens that are good:
	// the app may not be installed there. No calls are made for a while.
	ErrPaused = errors.New("the connection is paused")
)

// Error describes what happened to a connection. It unwraps to one of the sentinels, or
// to an error of its grant.
type Error struct {
	Key      Key
	Decision error // one of the sentinels, or the grant's error
	Reason   string
	Since    time.Time // zero: now
}

// Error returns the text, which never contains a token or a secret.
func (e *Error) Error() string {
	s := fmt.Sprintf("connections: %s: %v", e.Key, e.Decision)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if !e.Since.IsZero() {
		s += " since " + e.Since.UTC().Format(time.RFC3339)
	}
	return s
}

// Unwrap returns the decision.
func (e *Error) Unwrap() error { return e.Decision }

// unusable returns the error of a connection whose state allows no calls, or nil.
func (c Connection) unusable(now time.Time) error {
	e := &Error{Key: c.Key, Reason: c.Reason, Since: c.ReasonAt}
	switch {
	case c.Rev == 0:
		e.Decision = ErrNotFound
	case c.State == Disconnected:
		e.Decision = ErrDisconnected
	case c.State == Ended:
		e.Decision = ErrEnded
	case now.Before(c.PausedUntil):
		e.Decision, e.Reason, e.Since = ErrPaused, "Procore answers 401 to tokens that are good; no calls until "+
			c.PausedUntil.UTC().Format(time.RFC3339), time.Time{}
	default:
		return nil
	}
	return e
}

// later returns an error that may go away without a person.
func later(k Key, reason string, err error) error {
	return &Error{Key: k, Decision: fmt.Errorf("%w: %w", tokens.ErrTryAgain, err), Reason: reason}
}
