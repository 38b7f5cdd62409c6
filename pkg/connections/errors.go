package connections

import (
	"errors"
	"fmt"
	"time"

	"procore-connect/pkg/tokens"
)

// Callers branch on these errors of Store by errors.Is.
var (
	// ErrNotFound means that the company is not connected.
	ErrNotFound = errors.New("not connected yet; a user has to connect the company, or its administrator to install the app")
	// ErrDisconnected means that a company admin disconnected the app. Callers make no
	// calls until a user connects the company again.
	ErrDisconnected = errors.New("a company admin disconnected the app in App Management; a user has to connect the company again")
	// ErrEnded means that the connection was ended on purpose.
	ErrEnded = errors.New("the connection has ended; a user has to connect the company again")
	// ErrPaused means that Procore answers 401 for this company to tokens that are good.
	// No calls are made for a while.
	ErrPaused = errors.New("paused, because Procore answers 401 for this company to tokens that are good; " +
		"a company admin has to check that the app is installed")
	// ErrMadeAgain means that the connection was connected again since the caller saw it:
	// what was to happen to that one does not happen to this one.
	ErrMadeAgain = errors.New("the company was connected again in the meantime")
)

// Error describes what happened to a connection. It unwraps to the decision, and to the
// cause if there is one.
type Error struct {
	Key      Key
	Decision error // one of the sentinels, or the error of the grant
	Reason   string
	Since    time.Time // zero: now
	Until    time.Time // of a pause
	Err      error     // the cause, or nil
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
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the decision and the cause.
func (e *Error) Unwrap() []error { return []error{e.Decision, e.Err} }

// unusable returns the error of a connection whose state allows no calls, or nil.
func (c Connection) unusable(now time.Time) error {
	switch {
	case c.Rev == 0:
		return &Error{Key: c.Key, Decision: ErrNotFound}
	case c.State == Disconnected:
		return &Error{Key: c.Key, Decision: ErrDisconnected, Since: c.ReasonAt}
	case c.State != Connected:
		return &Error{Key: c.Key, Decision: ErrEnded, Reason: c.Reason, Since: c.ReasonAt}
	case now.Before(c.PausedUntil):
		return &Error{Key: c.Key, Decision: ErrPaused, Reason: "no calls until " + c.PausedUntil.UTC().Format(time.RFC3339), Until: c.PausedUntil}
	}
	return nil
}

// Why a connection does not work although it is connected: one of the two tables was
// restored from a backup.
const (
	noGrant = "the user's grant is gone"
	notHeld = "the company is not among the holders of the user's grant"
)

// unserved returns the error of a connection whose grant serves no calls.
func unserved(k Key, err error) error {
	if errors.Is(err, tokens.ErrNotFound) {
		return &Error{Key: k, Decision: tokens.ErrReauthorize, Reason: noGrant}
	}
	return &Error{Key: k, Decision: err}
}

// later returns an error that may go away without a person.
func later(k Key, reason string, err error) error {
	return &Error{Key: k, Decision: tokens.ErrTryAgain, Reason: reason, Err: err}
}
