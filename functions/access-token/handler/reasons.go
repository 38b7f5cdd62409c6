package handler

import (
	"errors"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// failure is why there is no token, for a program by Reason and for a person by the rest. docs/ANY-LANGUAGE.md lists the
// reasons.
type failure struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Do      string `json:"do"`
	RetryAt string `json:"retry_at,omitempty"` // absent: time alone changes nothing
}

const (
	connectAgain = "Ask a user of the company to connect it again, at the app's address."
	later        = "Ask again at retry_at."
)

// reasons lists what a caller can act on. The first that matches counts.
var reasons = []struct {
	err    error
	reason string
	do     string
	wait   time.Duration // until another try; 0: time alone changes nothing
}{
	{connections.ErrNotFound, "not_connected", "Ask a user of the company to connect it at the app's address, or its administrator to install the app.", 0},
	{connections.ErrDisconnected, "disconnected", connectAgain, 0},
	{procore.ErrNotConnected, "disconnected", connectAgain, 0}, // and storage has not recorded it
	{connections.ErrEnded, "ended", connectAgain, 0},
	{tokens.ErrRevoked, "revoked", connectAgain, 0},
	{tokens.ErrReauthorize, "reauthorize", connectAgain, 0},
	{connections.ErrPaused, "paused", "Make no calls for this company until retry_at. Its administrator has to check that the app is installed.", 5 * time.Minute},
	{tokens.ErrRejected, "paused", later, 5 * time.Minute},
	{procore.ErrUnauthorized, "paused", later, 5 * time.Minute}, // and storage has not recorded it
	{procore.ErrRateLimited, "rate_limited", later, time.Minute},
	{tokens.ErrTryAgain, "try_again", later, time.Minute},
	{errUnchecked, "try_again", later, time.Minute},
}

// explain returns the failure that a caller is answered. It reports false for an error on which no caller can act.
func explain(err error, now time.Time) (failure, bool) {
	if bad, ok := errors.AsType[*requestError](err); ok {
		return failure{Reason: "invalid_request", Message: bad.Error(), Do: "Correct the request."}, true
	}
	for _, r := range reasons {
		if !errors.Is(err, r.err) {
			continue
		}
		f := failure{Reason: r.reason, Message: err.Error(), Do: r.do}
		if r.wait > 0 {
			f.RetryAt = rfc3339(retryAt(err, now.Add(r.wait)).Add(time.Second)) // not before, to the second
		}
		return f, true
	}
	return failure{}, false
}

// retryAt returns the time that the error names, or else the usual one.
func retryAt(err error, usual time.Time) time.Time {
	if e, ok := errors.AsType[*connections.Error](err); ok && !e.Until.IsZero() {
		return e.Until
	}
	if e, ok := errors.AsType[*procore.RateLimitError](err); ok && !e.Reset.IsZero() {
		return e.Reset
	}
	return usual
}
