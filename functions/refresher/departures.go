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
	// seenEvery is how often Procore is asked whether a user is still in the
	// company: at the first refresh after that time.
	seenEvery = 24 * time.Hour
	// suspectEvery is the same for a user to whom Procore showed no such company.
	suspectEvery = time.Hour
	// mostLeave is how many connections one run ends at most. More people than that
	// do not leave within five minutes: a person should look first.
	mostLeave = 10
	// mostUnanswered is after how many questions without an answer a run asks no
	// more: refreshing goes on without waiting for Procore's API.
	mostUnanswered = 3
)

// errManyLeave says that the rest is for the next run.
var errManyLeave = errors.New("many users seem to have left their companies at once")

// watch ends the connection if its user left the company. It asks with the token
// that was just refreshed, so no refresh token is spent for it.
func (h *handler) watch(ctx context.Context, key tokens.Key, r *run) {
	if r.silenced() {
		return
	}
	err := h.ask(ctx, key, seenEvery, r)
	if err == nil {
		return
	}
	h.log.WarnContext(ctx, "departure check failed", slog.Any("", key), slog.Any("error", err))
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, errManyLeave):
		if !slices.Contains(r.errs, errManyLeave) {
			r.errs = append(r.errs, errManyLeave)
		}
	case errors.Is(err, procore.ErrUnauthorized), errors.Is(err, procore.ErrRateLimited): // this user's alone
	default:
		r.unanswered++
	}
}

func (h *handler) ask(ctx context.Context, key tokens.Key, every time.Duration, r *run) error {
	c, err := h.store.Connection(ctx, key)
	if err != nil || c.Principal == tokens.App || h.store.Clock.Now().Before(c.SeenAt.Add(every)) || outOfTime(ctx) {
		return err
	}
	left, err := h.departures.Left(ctx, key)
	if err != nil || !left {
		return err
	}
	if !r.leave() {
		return errManyLeave
	}
	return h.departures.End(ctx, key)
}

func (r *run) silenced() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unanswered >= mostUnanswered
}

// leave takes one of the run's places.
func (r *run) leave() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == mostLeave {
		return false
	}
	r.left++
	return true
}
