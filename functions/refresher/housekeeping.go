package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"procore-connect/internal/session"
)

// housekeeping does what no request waits for. One failing part does not stop
// the others.
func (h *handler) housekeeping(ctx context.Context) error {
	return errors.Join(h.abandoned(ctx), h.provision(ctx))
}

// abandoned revokes the pairs of authorizations whose choice of a company never
// came, and deletes them.
func (h *handler) abandoned(ctx context.Context) error {
	var errs []error
	for stale, err := range h.sessions.Stale(ctx) {
		if outOfTime(ctx) {
			break
		}
		if err == nil {
			err = h.abandon(ctx, stale)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// abandon takes the session from the user first, so that no choice can win a
// pair that is being revoked.
func (h *handler) abandon(ctx context.Context, stale session.Session) error {
	abandoned, err := h.sessions.Abandon(ctx, stale)
	if errors.Is(err, session.ErrUsed) {
		return nil
	}
	if err != nil {
		return err
	}
	pair, err := h.sessions.Pair(ctx, abandoned)
	if err != nil {
		return fmt.Errorf("abandoned authorization: %w", err)
	}
	oauth, err := h.oauth(ctx, false)
	if err != nil {
		return err
	}
	if err := oauth.Revoke(ctx, pair.AccessToken); err != nil {
		return fmt.Errorf("abandoned authorization not revoked: %w", err)
	}
	h.log.InfoContext(ctx, "abandoned authorization revoked", slog.String("flow", abandoned.Flow))
	return h.sessions.Delete(ctx, abandoned)
}
