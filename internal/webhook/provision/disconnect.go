package provision

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"procore-connect/pkg/tokens"
)

// waitFor is how long Disconnect waits for another run's lease.
const waitFor = 10 * time.Second

// Disconnect ends a connection: with the company's last usable one its hook is
// deleted first, while there still is a token to do it with, and then the
// connection is revoked ([tokens.Store.Revoke]).
//
// It can be repeated after an error or a crash, and must be until it gives nil.
// ErrBusy and errors that match [tokens.ErrTryAgain] or procore.ErrUnavailable
// pass by themselves. A hook that this connection may not delete does not keep it
// from being revoked: then the log has the hook's id.
func (k *Reconciler) Disconnect(ctx context.Context, key tokens.Key, reason string) error {
	c, err := k.Store.Connection(ctx, key)
	if err != nil {
		return err
	}
	if !isUsable(c) {
		return k.Store.Revoke(ctx, key, reason)
	}
	// The lease is kept until the connection is being revoked, so that of two last
	// connections that end at once one sees that the other is gone.
	l, err := k.await(ctx, key.CompanyID)
	if err != nil {
		return err
	}
	defer k.release(ctx, l)
	others, err := k.others(ctx, key)
	if err != nil {
		return err
	}
	if !others {
		if err := k.remove(ctx, l, key); err != nil {
			return err
		}
	}
	if err := k.Store.Revoke(ctx, key, reason); err != nil || !others || l.row.Creator != key.Principal {
		return err
	}
	return k.soon(ctx, key.CompanyID)
}

// soon lets the next run look at the company: the hook's maker is gone, and
// Procore does not say whether the hook still reports anything.
func (k *Reconciler) soon(ctx context.Context, companyID int64) error {
	for c, err := range k.Store.Company(ctx, companyID) {
		if err != nil {
			return err
		}
		if isUsable(c) && !c.CheckAt.IsZero() {
			_, _, err := k.Store.SetWebhooks(ctx, c, c.Webhooks, k.Store.Clock.Now())
			return err
		}
	}
	return nil
}

// others says whether another connection of the company is usable.
func (k *Reconciler) others(ctx context.Context, key tokens.Key) (bool, error) {
	for c, err := range k.Store.Company(ctx, key.CompanyID) {
		if err != nil || c.Key != key && isUsable(c) {
			return true, err
		}
	}
	return false, nil
}

// remove deletes the company's hook, unless this connection cannot.
func (k *Reconciler) remove(ctx context.Context, l *lease, key tokens.Key) error {
	err := k.clear(ctx, l, k.client(key))
	if err == nil {
		return nil
	}
	switch kindOf(err) {
	case later, limited, wrong:
		return err
	}
	k.log().WarnContext(ctx, "hook not deleted", slog.Int64("company_id", key.CompanyID),
		slog.Int64("hook_id", l.row.HookID), slog.Any("error", err))
	return nil
}

// await takes the lease, if need be when another run has released it.
func (k *Reconciler) await(ctx context.Context, companyID int64) (*lease, error) {
	within, cancel := context.WithTimeout(ctx, waitFor)
	defer cancel()
	for {
		l, err := k.take(ctx, companyID)
		if !errors.Is(err, ErrBusy) {
			return l, err
		}
		if k.Store.Clock.Sleep(within, 200*time.Millisecond) != nil {
			return nil, err
		}
	}
}
