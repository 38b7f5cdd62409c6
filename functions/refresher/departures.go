package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// checkEvery is how often a connection's user is checked: at the first refresh
	// after that time.
	checkEvery = 24 * time.Hour
	// suspectEvery is the same for a user to whom Procore showed no such company.
	suspectEvery = time.Hour
	// maxDepartures is how many connections one run ends at most. Fewer people than
	// that leave within five minutes, so an operator should check first.
	maxDepartures = 10
	// maxUnchecked is how many checks of one run may fail. After that the run only
	// refreshes, and does not wait for Procore's API.
	maxUnchecked = 3
)

// errManyDepartures means that the rest is for the next run.
var errManyDepartures = errors.New("many users seem to have left their companies at once")

// checkUser ends the connection if its user left the company. It uses the token that
// was just refreshed, so that it spends no refresh token.
func (h *handler) checkUser(ctx context.Context, key tokens.Key, r *run) {
	if !r.checking() {
		return
	}
	err := h.endIfDeparted(ctx, key, checkEvery, r)
	if err == nil {
		return
	}
	h.log.WarnContext(ctx, "departure check failed", slog.Any("", key), slog.Any("error", err))
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, errManyDepartures):
		if !slices.Contains(r.errs, errManyDepartures) {
			r.errs = append(r.errs, errManyDepartures)
		}
	case errors.Is(err, procore.ErrUnauthorized), errors.Is(err, procore.ErrRateLimited): // only this user's
	default:
		r.unchecked++
	}
}

// endIfDeparted checks a user who was not checked for this long.
func (h *handler) endIfDeparted(ctx context.Context, key tokens.Key, every time.Duration, r *run) error {
	c, err := h.store.Connection(ctx, key)
	if err != nil || c.Principal == tokens.App || h.store.Clock.Now().Before(c.SeenAt.Add(every)) || outOfTime(ctx) {
		return err
	}
	left, err := h.departures.Left(ctx, key)
	if err != nil || !left {
		return err
	}
	if !r.countDeparture() {
		return errManyDepartures
	}
	return h.departures.End(ctx, key)
}

// checking reports whether the run still checks users.
func (r *run) checking() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unchecked < maxUnchecked
}

// countDeparture reports whether the run may end one more connection.
func (r *run) countDeparture() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.departed == maxDepartures {
		return false
	}
	r.departed++
	return true
}
