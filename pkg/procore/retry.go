package procore

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	defaultAttempts = 3
	firstBackoff    = 500 * time.Millisecond
	longestWait     = time.Minute // longer is for the caller to plan
)

// waitToRetry waits before the attempt after this one and reports whether to
// make it: not for an error that another attempt would repeat, and not when the
// wait would outlive ctx or exceed a minute. What Procore asks for, in
// Retry-After or X-Rate-Limit-Reset, is the least; jitter comes on top, since
// everybody else was told the same moment.
//
// An error without an answer is not retried: it may come from the token source
// in the Transport, and net/http itself repeats what died on an idle connection.
func waitToRetry(ctx context.Context, attempt int, err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || !transient(e.Status) {
		return false
	}
	backoff := firstBackoff << (attempt - 1)
	wait := e.RetryAfter + time.Duration(rand.Int64N(int64(backoff))) + backoff/2
	if wait > longestWait {
		return false
	}
	if d, ok := ctx.Deadline(); ok && time.Until(d) <= wait {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// transient lists the statuses that Procore's documents tell to retry.
//
// https://procore.github.io/documentation/error-reference
func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable:
		return true
	}
	return false
}
