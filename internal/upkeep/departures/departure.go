// Package departures finds users who left a company, and ends their connections. A
// user's grant is revoked with the last one: Procore requires an app to revoke the
// tokens of users who become inactive.
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
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// checkTimeout bounds the check of one user.
const checkTimeout = 10 * time.Second

// Watch finds and ends departed users' connections. All fields must be set.
type Watch struct {
	Store *connections.Store
	Hooks *provision.Reconciler
	Log   *slog.Logger
}

// Left returns those of a user's connections whose company the user left, also beside an
// error. It asks Procore as that user, and needs two answers that agree: the complete
// list of the user's companies lacks the company, and a call into it is refused. An
// outage, a rate limit or a token that does not work is an error, and proves nothing.
//
// The list is read once for all connections, and comes first, because it does not
// install the app anywhere. Nor can a call into a company that the user left. A check
// does not count as a use of the grant. A service account never leaves, and neither a
// disconnected company nor one whose calls are paused is asked.
func (w *Watch) Left(ctx context.Context, p tokens.Principal, all ...connections.Connection) ([]connections.Key, error) {
	if p == tokens.App || len(all) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	left, err := w.left(ctx, p, all)
	if err != nil {
		return left, fmt.Errorf("departures of %s could not be checked: %w", p, err)
	}
	return left, nil
}

func (w *Watch) left(ctx context.Context, p tokens.Principal, all []connections.Connection) (left []connections.Key, err error) {
	access, err := w.Store.Tokens.Upkeep().Token(ctx, p)
	if err != nil {
		return nil, err
	}
	listed, err := w.listed(ctx, access, all)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, c := range all {
		switch {
		case listed[c.CompanyID]:
			errs = append(errs, w.Store.Saw(ctx, c.Key, w.now()))
		case c.State == connections.Disconnected || w.now().Before(c.PausedUntil):
		default:
			gone, err := w.refused(ctx, access, c)
			if gone {
				left = append(left, c.Key)
			}
			errs = append(errs, err)
		}
	}
	return left, errors.Join(errs...)
}

// listed returns which of the connections' companies are among the user's.
func (w *Watch) listed(ctx context.Context, access tokens.Access, all []connections.Connection) (map[int64]bool, error) {
	missing, listed := map[int64]bool{}, map[int64]bool{}
	for _, c := range all {
		missing[c.CompanyID] = true
	}
	client := procore.NewUserClient(w.Store.Tokens.Environment, w.Store.Tokens.Bearer(access.Bearer()), w.options(all[0].Key)...)
	for c, err := range client.Companies(ctx) {
		if err != nil {
			return nil, err
		}
		if missing[c.ID] {
			listed[c.ID] = true
			delete(missing, c.ID)
		}
		if len(missing) == 0 {
			break
		}
	}
	return listed, nil
}

// options are those of a check's calls: a call that fails is not repeated, and counts as
// the user's.
func (w *Watch) options(k connections.Key) []procore.Option {
	return w.Store.Options(k, procore.WithAttempts(1))
}

// refused reports whether Procore refuses a call that it allows to every member of the
// company. The client does not refresh: a 401 proves no departure, and is not a reason
// to spend a refresh token.
func (w *Watch) refused(ctx context.Context, access tokens.Access, c connections.Connection) (bool, error) {
	client := procore.NewCompanyClient(w.Store.Tokens.Environment, w.Store.Tokens.Bearer(access.Bearer()), c.CompanyID, w.options(c.Key)...)
	err := enter(ctx, client)
	switch {
	case err == nil:
		w.Log.WarnContext(ctx, "company not listed for the user, but accessible", slog.Any("", c.Key))
		return false, w.Store.Saw(ctx, c.Key, w.now())
	case errors.Is(err, procore.ErrNotConnected):
		return false, w.Store.Disconnect(ctx, c)
	case errors.Is(err, procore.ErrForbidden), errors.Is(err, procore.ErrNotFound):
		return true, nil
	}
	return false, err
}

// enter makes a call that Procore allows to every member of the company.
func enter(ctx context.Context, client *procore.CompanyClient) error {
	for _, err := range client.Projects(ctx) {
		return err
	}
	return nil
}

// End ends the connection of a user who left. If it is the company's last one that works
// and may still delete the hook, the hook is deleted first. The connection ends in any
// case. After an error of the revocation housekeeping continues. While the brake is
// engaged, End changes nothing and returns [ErrWithheld].
func (w *Watch) End(ctx context.Context, key connections.Key) error {
	return w.end(ctx, key, "the user left the company", func(ctx context.Context) {
		w.Log.InfoContext(ctx, "departed user's connection ended", slog.Any("", key))
	})
}

// Uninstalled is why [Watch.EndInstalled] ends connections.
const Uninstalled = "the app was uninstalled"

// EndInstalled is End for a company of the service account that uninstalled the app. Both
// have one brake.
func (w *Watch) EndInstalled(ctx context.Context, companyID int64) error {
	key := connections.Key{CompanyID: companyID, Principal: tokens.App}
	return w.end(ctx, key, Uninstalled, func(ctx context.Context) {
		w.Log.InfoContext(ctx, "uninstalled company's connection ended", slog.Any("", key))
	})
}

// end ends a connection unless the brake withholds that, and then calls done.
func (w *Watch) end(ctx context.Context, key connections.Key, reason string, done func(context.Context)) error {
	c, err := w.Store.Connection(ctx, key)
	if err != nil || c.State == connections.Ended {
		return err
	}
	if err := w.admit(ctx, key); err != nil {
		return err
	}
	err = w.Hooks.End(ctx, key, reason)
	if err != nil {
		w.Log.WarnContext(ctx, "hook cleanup for ended connection failed", slog.Any("", key), slog.Any("error", err))
		err = w.Store.End(ctx, key, reason)
	}
	if c, unread := w.Store.Connection(ctx, key); unread == nil && c.State == connections.Ended {
		done(ctx)
	}
	return err
}
