package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"procore-connect/internal/upkeep/departures"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// checkEvery is how often a connection's user is checked: at the first refresh
	// after that time.
	checkEvery = 24 * time.Hour
	// suspectEvery is the same for a user to whom Procore showed no such company.
	suspectEvery = time.Hour
	// maxUnchecked is how many checks of one run may fail. After that the run only
	// refreshes, and does not wait for Procore's API.
	maxUnchecked = 3
)

// checkUser ends the connection if its user left the company. It uses the token that
// was just refreshed, so that it spends no refresh token.
func (h *handler) checkUser(ctx context.Context, key tokens.Key, r *run) {
	if !r.checking() {
		return
	}
	ended, err := h.endIfDeparted(ctx, key, checkEvery)
	if err != nil {
		h.log.WarnContext(ctx, "departure check failed", slog.Any("", key), slog.Any("error", err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ended:
		r.departed++
	case errors.Is(err, procore.ErrUnauthorized), errors.Is(err, procore.ErrRateLimited): // only this user's
	case err != nil:
		r.unchecked++
	}
}

// endIfDeparted checks a user who was not checked for this long, and reports whether
// the connection ended. A departure that the brake withholds is not an error.
func (h *handler) endIfDeparted(ctx context.Context, key tokens.Key, every time.Duration) (ended bool, err error) {
	c, err := h.store.Connection(ctx, key)
	if err != nil || c.Principal == tokens.App || h.store.Clock.Now().Before(c.SeenAt.Add(every)) || outOfTime(ctx) {
		return false, err
	}
	left, err := h.departures.Left(ctx, key)
	if err != nil || !left {
		return false, err
	}
	err = h.departures.End(ctx, key)
	if errors.Is(err, departures.ErrWithheld) {
		return false, nil
	}
	return err == nil, err
}

// checking reports whether the run still checks users.
func (r *run) checking() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unchecked < maxUnchecked
}

// withheld logs an error in each run while departed users keep their connections, which
// raises the alarm.
func (h *handler) withheld(ctx context.Context) {
	b, err := h.departures.Brake(ctx)
	if err != nil {
		h.log.WarnContext(ctx, "brake on departures not checked", slog.Any("error", err))
	} else if b.Engaged() {
		h.log.ErrorContext(ctx, "departures stopped until an operator acknowledges", slog.Time("engaged_at", b.EngagedAt),
			slog.Int("endings", b.Endings()), slog.Int64("withheld", b.Withheld))
	}
}

// acknowledged is the answer to {"task": "acknowledge-departures"}.
type acknowledged struct {
	Engaged bool `json:"engaged"` // false: endings were not stopped
	// EngagedAt is when the limit was reached.
	EngagedAt time.Time `json:"engaged_at,omitzero"`
	Endings   int       `json:"endings"`  // connections that ended within a day
	Withheld  int64     `json:"withheld"` // checks since then that found a departed user
}

// acknowledge makes departed users' connections end again. An operator runs it.
func (h *handler) acknowledge(ctx context.Context) (acknowledged, error) {
	b, err := h.departures.Acknowledge(ctx)
	return acknowledged{b.Engaged(), b.EngagedAt, b.Endings(), b.Withheld}, err
}
