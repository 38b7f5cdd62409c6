package provision

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
)

// waitFor is how long End waits for another run's lease.
const waitFor = 10 * time.Second

// End ends a connection ([connections.Store.End]). With the company's last connection
// that works, its hook is deleted first, while there still is a token to do it with.
//
// End can be repeated after an error or a crash, and must be until it returns nil or the
// connection has ended. ErrBusy and errors that match [tokens.ErrTryAgain] or
// procore.ErrUnavailable pass without a person. A hook that this connection may not
// delete does not prevent its end: then the log has the hook's id.
func (k *Reconciler) End(ctx context.Context, key connections.Key, reason string) error {
	c, err := k.Store.Connection(ctx, key)
	if err != nil {
		return err
	}
	return k.end(ctx, c, func(ctx context.Context) error { return k.Store.End(ctx, key, reason) })
}

// EndSeen is End for one connection as it was seen ([connections.Store.EndSeen]). If it was
// connected again a moment ago, the hook may be gone: the next pass makes another one.
func (k *Reconciler) EndSeen(ctx context.Context, seen connections.Connection, reason string) error {
	return k.end(ctx, seen, func(ctx context.Context) error { return k.Store.EndSeen(ctx, seen, reason) })
}

// end deletes the company's hook if need be, and then ends a connection.
func (k *Reconciler) end(ctx context.Context, c connections.Connection, end func(context.Context) error) error {
	key := c.Key
	if c.State != connections.Connected {
		return end(ctx)
	}
	// The lease is kept until the connection has ended, so that of two last
	// connections that end at once one sees that the other is gone.
	l, err := k.await(ctx, key.CompanyID)
	if err != nil {
		return err
	}
	defer items{k.Store}.release(ctx, l, k.log())
	within, cancel := context.WithTimeout(ctx, passFor) // the lease outlives it
	defer cancel()
	all, err := procore.Collect(k.Store.Company(within, key.CompanyID))
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c connections.Connection) bool { return c.State != connections.Connected })
	if !connected(all, key.Principal) { // another run has ended it in the meantime
		return end(ctx)
	}
	all = slices.DeleteFunc(all, func(c connections.Connection) bool { return c.Key == key })
	others, err := k.anyWorks(within, all)
	if err == nil && !others {
		err = k.remove(within, l, key)
	}
	if err != nil {
		return err
	}
	err = end(ctx)
	if others && l.row.Creator == key.Principal {
		err = errors.Join(err, k.soon(ctx, all))
	}
	return err
}

// soon makes the next run reconcile the company: the hook's creator is gone, and Procore
// does not document whether the hook still reports anything.
func (k *Reconciler) soon(ctx context.Context, all []connections.Connection) error {
	for _, c := range all {
		if !c.CheckAt.IsZero() {
			_, _, err := k.Store.SetWebhooks(ctx, c, c.Webhooks, k.now())
			return err
		}
	}
	return nil
}

// anyWorks reports whether one of the connections works.
func (k *Reconciler) anyWorks(ctx context.Context, all []connections.Connection) (bool, error) {
	for _, c := range all {
		if works, err := k.works(ctx, c); works || err != nil {
			return true, err
		}
	}
	return false, nil
}

// works reports whether a connection serves calls, or will after a pause.
func (k *Reconciler) works(ctx context.Context, c connections.Connection) (bool, error) {
	err := k.Store.Works(ctx, c)
	if kind := kindOf(err); err != nil && kind != later {
		return kind != unusable, nil
	}
	return err == nil, err
}

// remove deletes the company's hook, unless this connection cannot.
func (k *Reconciler) remove(ctx context.Context, l *lease, key connections.Key) error {
	none := wanted{off: true, spec: procore.HookSpec{Namespace: k.Want.Namespace, DestinationURL: k.Want.URL}}
	err := k.hand(l, key).converge(ctx, none, false)
	if err == nil {
		return nil
	}
	switch kindOf(err) {
	case later, limited, wrong:
		return err
	}
	k.log().WarnContext(ctx, "hook not deleted", slog.Int64("company_id", key.CompanyID),
		slog.String("hook_id", l.row.HookID.String()), slog.Any("error", err))
	return nil
}

// await takes the lease, if need be when another run has released it.
func (k *Reconciler) await(ctx context.Context, companyID int64) (*lease, error) {
	within, cancel := context.WithTimeout(ctx, waitFor)
	defer cancel()
	for busy := false; ; busy = true {
		l, err := items{k.Store}.take(ctx, companyID)
		switch {
		case err != nil && busy && ctx.Err() != nil: // the time ended during the reading
			return nil, ErrBusy
		case !errors.Is(err, ErrBusy):
			return l, err
		}
		if k.Store.Tokens.Clock.Sleep(within, 200*time.Millisecond) != nil {
			return nil, err
		}
	}
}
