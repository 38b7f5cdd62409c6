package handler

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"procore-connect/internal/upkeep/departures"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// checkEvery is how often it is checked whether a connection's user is still there: at
	// the first refresh after that time.
	checkEvery = 24 * time.Hour
	// suspectEvery is the same for a user to whom Procore showed no such company.
	suspectEvery = time.Hour
	// maxUnchecked is how many checks of one run may fail. After that the run only
	// refreshes, and does not wait for Procore's API.
	maxUnchecked = 3
)

// checkUser ends the user's connections to companies that the user left, and returns how
// many. It uses the token that was just refreshed, so that it spends no refresh token.
// failed reports whether more than this one user's check would fail.
func (h *handler) checkUser(ctx context.Context, p tokens.Principal, access tokens.Access) (ended int, failed bool) {
	ended, err := h.checkCompanies(ctx, p, access)
	if err != nil {
		h.log.WarnContext(ctx, "departure check failed", slog.String("principal", string(p)), slog.Any("error", err))
	}
	ofThisUser := errors.Is(err, procore.ErrUnauthorized) || errors.Is(err, procore.ErrRateLimited)
	return ended, err != nil && !ofThisUser
}

// checkCompanies checks the user's connections that were not checked for a day, and
// returns how many ended.
func (h *handler) checkCompanies(ctx context.Context, p tokens.Principal, access tokens.Access) (ended int, err error) {
	var keys []connections.Key
	for _, holder := range access.Holders() {
		id, err := strconv.ParseInt(holder, 10, 64)
		if err != nil {
			return 0, err
		}
		keys = append(keys, connections.Key{CompanyID: id, Principal: p})
	}
	return h.endDeparted(ctx, p, checkEvery, keys...)
}

// endDeparted checks those of a user's connections that were not checked for this long,
// and returns how many ended. A departure that the brake withholds is not an error.
func (h *handler) endDeparted(ctx context.Context, p tokens.Principal, every time.Duration, keys ...connections.Key) (ended int, err error) {
	var unseen []connections.Connection
	for _, key := range keys {
		c, err := h.store.Connection(ctx, key)
		if err != nil && !errors.Is(err, connections.ErrNotFound) {
			return 0, err
		}
		if c.State == connections.Connected && !h.now().Before(c.SeenAt.Add(every)) {
			unseen = append(unseen, c)
		}
	}
	if outOfTime(ctx) {
		return 0, nil
	}
	left, err := h.departures.Left(ctx, p, unseen...)
	for _, key := range left {
		switch failed := h.departures.End(ctx, key); {
		case failed == nil:
			ended++
		case !errors.Is(failed, departures.ErrWithheld):
			err = errors.Join(err, failed)
		}
	}
	return ended, err
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
