package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"procore-connect/internal/connect/session"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// abandoned revokes the pairs of authorizations for which no company was chosen in
// time, and deletes these authorizations.
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

// abandon closes the session first, so that no choice can use a pair that is being
// revoked.
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
	oauth, err := h.oauth.Get(ctx)
	if err != nil {
		return err
	}
	if abandoned.Environment != oauth.Environment.Name { // begun before a change of the configuration
		h.log.WarnContext(ctx, "abandoned authorization of another environment discarded",
			slog.String("flow", abandoned.Flow), slog.String("environment", abandoned.Environment))
		return h.sessions.Delete(ctx, abandoned)
	}
	held, err := h.held(ctx, oauth.Environment, pair)
	switch {
	case err != nil:
		return fmt.Errorf("abandoned authorization: connections could not be checked for its pair: %w", err)
	case held:
		h.log.InfoContext(ctx, "abandoned authorization discarded, a connection uses its pair", slog.String("flow", abandoned.Flow))
		return h.sessions.Delete(ctx, abandoned)
	}
	if err := oauth.Revoke(ctx, pair); err != nil {
		return fmt.Errorf("abandoned authorization not revoked: %w", err)
	}
	h.log.InfoContext(ctx, "abandoned authorization revoked", slog.String("flow", abandoned.Flow))
	return h.sessions.Delete(ctx, abandoned)
}

// held reports whether a connection of the user has the pair. Procore may return the
// pair of a first authorization for a second one, and the first must stay valid. No
// connection has a pair that Procore no longer accepts.
func (h *handler) held(ctx context.Context, env procore.Environment, pair procore.Token) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, reserve)
	defer cancel()
	user := procore.NewUserClient(env, h.store.Bearer(env, pair.AccessToken), h.store.Seams()...)
	me, err := user.Me(ctx)
	if err != nil {
		return false, unlessRefused(err)
	}
	for c, err := range user.Companies(ctx) {
		if err != nil {
			return false, unlessRefused(err)
		}
		held, err := h.store.Holds(ctx, tokens.Key{CompanyID: c.ID, Principal: tokens.User(me.ID)}, pair)
		if held || err != nil {
			return held, err
		}
	}
	return false, nil
}

// unlessRefused returns err, or nil if Procore does not accept the pair.
func unlessRefused(err error) error {
	if errors.Is(err, procore.ErrUnauthorized) || errors.Is(err, procore.ErrForbidden) || errors.Is(err, procore.ErrNotFound) {
		return nil
	}
	return err
}
