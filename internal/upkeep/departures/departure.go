// Package departures finds users who left their company and ends their
// connections: Procore wants an app to revoke the tokens of users who become
// inactive.
//
// https://developers.procore.com/documentation/oauth-endpoints
package departures

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// askFor bounds the calls that one question takes.
const askFor = 10 * time.Second

// Watch looks for departures. All fields must be set.
type Watch struct {
	Store       *tokens.Store
	Environment procore.Environment
	Hooks       *provision.Reconciler
	Log         *slog.Logger
}

// Left asks Procore, as the connection's user, whether the user is in the company
// no more. That takes two answers which agree: the list of the user's companies,
// complete, is without it, and a call into it is refused. An outage, a rate limit
// or a token that does not work are an error, and say nothing.
//
// The list comes first, because it installs the app nowhere; a call into a company
// in which the user is not can't either. To ask is no use of the connection. A
// service account never leaves.
func (w *Watch) Left(ctx context.Context, key tokens.Key) (bool, error) {
	if key.Principal == tokens.App {
		return false, nil
	}
	left, err := w.ask(ctx, key)
	if err != nil {
		return false, fmt.Errorf("whether the user of %s left is not known: %w", key, err)
	}
	return left, nil
}

func (w *Watch) ask(ctx context.Context, key tokens.Key) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	access, err := w.Store.Refresh(ctx, key, 0)
	if err != nil {
		return false, err
	}
	// A 401 says nothing of a departure, and is no reason to spend a refresh token.
	client, opts := w.Store.Bearer(access.Bearer()), w.Store.Options(key, procore.WithAttempts(1))
	listed, err := lists(ctx, procore.NewUserClient(w.Environment, client, opts...), key.CompanyID)
	if err != nil {
		return false, err
	}
	if listed {
		return false, w.Store.Saw(ctx, key, w.Store.Clock.Now())
	}
	err = enter(ctx, procore.NewCompanyClient(w.Environment, client, key.CompanyID, opts...))
	switch {
	case err == nil:
		w.Log.WarnContext(ctx, "company not listed for the user, but accessible", slog.Any("", key))
		return false, w.Store.Saw(ctx, key, w.Store.Clock.Now())
	case errors.Is(err, procore.ErrNotConnected):
		return false, w.Store.Disconnect(ctx, key, access.Generation)
	case errors.Is(err, procore.ErrForbidden), errors.Is(err, procore.ErrNotFound):
		return true, nil
	}
	return false, err
}

// lists says whether the company is among the user's.
func lists(ctx context.Context, client *procore.UserClient, companyID int64) (bool, error) {
	for c, err := range client.Companies(ctx) {
		if err != nil || c.ID == companyID {
			return err == nil, err
		}
	}
	return false, nil
}

// enter makes a call that every member of a company may make.
func enter(ctx context.Context, client *procore.CompanyClient) error {
	for _, err := range client.Projects(ctx) {
		return err
	}
	return nil
}

// End ends the connection of a user who left. The hook goes first if it is the
// company's last connection and may still delete it; but the user's tokens are
// revoked in any case. After an error housekeeping goes on, or it can be repeated.
func (w *Watch) End(ctx context.Context, key tokens.Key) error {
	const reason = "the user left the company"
	err := w.Hooks.Disconnect(ctx, key, reason)
	if err != nil {
		w.Log.WarnContext(ctx, "hook cleanup for departed user failed", slog.Any("", key), slog.Any("error", err))
		err = w.Store.Revoke(ctx, key, reason)
	}
	if err == nil {
		w.Log.InfoContext(ctx, "departed user's connection revoked", slog.Any("", key))
	}
	return err
}
