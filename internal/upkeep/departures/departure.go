// Package departures finds users who left their company, and revokes their
// connections. Procore requires an app to revoke the tokens of users who become
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

// checkTimeout bounds the calls of one check.
const checkTimeout = 10 * time.Second

// Watch finds and ends departed users' connections. All fields must be set.
type Watch struct {
	Store       *tokens.Store
	Environment procore.Environment
	Hooks       *provision.Reconciler
	Log         *slog.Logger
}

// Left reports whether the connection's user left the company. It asks Procore as
// that user, and needs two answers that agree: the complete list of the user's
// companies lacks the company, and a call into it is refused. An outage, a rate
// limit or a token that does not work is an error, and proves nothing.
//
// The list comes first, because it does not install the app anywhere. Nor can a call
// into a company that the user left. A check does not count as a use of the
// connection. A service account never leaves.
func (w *Watch) Left(ctx context.Context, key tokens.Key) (bool, error) {
	if key.Principal == tokens.App {
		return false, nil
	}
	left, err := w.check(ctx, key)
	if err != nil {
		return false, fmt.Errorf("departure of the user of %s could not be checked: %w", key, err)
	}
	return left, nil
}

func (w *Watch) check(ctx context.Context, key tokens.Key) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	access, err := w.Store.Refresh(ctx, key, 0)
	if err != nil {
		return false, err
	}
	// A 401 does not prove a departure, and is not a reason to spend a refresh token.
	client, opts := w.Store.Bearer(w.Environment, access.Bearer()), w.Store.Options(key, procore.WithAttempts(1))
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

// lists reports whether the company is among the user's.
func lists(ctx context.Context, client *procore.UserClient, companyID int64) (bool, error) {
	for c, err := range client.Companies(ctx) {
		if err != nil || c.ID == companyID {
			return err == nil, err
		}
	}
	return false, nil
}

// enter makes a call that Procore allows to every member of the company.
func enter(ctx context.Context, client *procore.CompanyClient) error {
	for _, err := range client.Projects(ctx) {
		return err
	}
	return nil
}

// End revokes the connection of a user who left. If it is the company's last one and
// may still delete the hook, the hook is deleted first. The tokens are revoked in
// any case. After an error housekeeping continues, and End can be repeated. While the
// brake is engaged, End changes nothing and returns [ErrWithheld].
func (w *Watch) End(ctx context.Context, key tokens.Key) error {
	const reason = "the user left the company"
	c, err := w.Store.Connection(ctx, key)
	if err != nil || c.State == tokens.Revoked {
		return err
	}
	if c.State != tokens.Revoking { // a revocation that was begun is finished
		if err := w.admit(ctx, key); err != nil {
			return err
		}
	}
	err = w.Hooks.Disconnect(ctx, key, reason)
	if err != nil {
		w.Log.WarnContext(ctx, "hook cleanup for departed user failed", slog.Any("", key), slog.Any("error", err))
		err = w.Store.Revoke(ctx, key, reason)
	}
	if err == nil {
		w.Log.InfoContext(ctx, "departed user's connection revoked", slog.Any("", key))
	}
	return err
}
