// Package provision keeps each connected company's webhook at Procore as it is
// configured, and recovers the events that Procore discarded.
//
// The unit is the company, not the connection: one of its connections that may use
// Procore's webhooks does it for all. [Reconciler.Reconcile] observes, plans and applies
// until nothing is left to do. plan is a pure function of what is wanted, what Procore
// shows, and what earlier passes remember. It can be repeated at any time and after any
// crash.
//
//   - Ours is the hook whose id we stored; without one, the hook in our namespace with our
//     URL. Any other one in our namespace belongs to another deployment; it is reported
//     and left alone.
//   - A lease in the company's row keeps two runs apart. If they meet nevertheless, the
//     hook with the lowest id remains.
//   - A hook stays only while the connection that made it works, because Procore does not
//     document what becomes of a hook whose creator lost access.
//
// https://developers.procore.com/reference/rest/hooks?version=latest
package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// When the next pass is due.
const (
	Retry   = 5 * time.Minute // after a failure, or when there is more to recover
	Admin   = time.Hour       // while an admin has to act
	Recheck = 6 * time.Hour   // when all is well
	// IdleRecheck is how often a company is checked whose users did not use the app for a
	// week: each pass costs a refresh. All idle companies of a user share it.
	IdleRecheck = 24 * time.Hour
	// UnusedRecheck is the same for a company that no user used for a month. A pass recovers
	// what was discarded within 13 days, so that nothing is lost if one fails.
	UnusedRecheck = 7 * 24 * time.Hour

	unusedFor = 30 * 24 * time.Hour
)

// closing is what a pass leaves of its caller's time to store the result.
const closing = 5 * time.Second

// Reconciler reconciles the hooks of companies. All fields must be set but those
// with a default; End does without Ring and Recovery. Goroutines may share it; do not copy it.
type Reconciler struct {
	Store    *connections.Store
	Ring     keys.Source[*credential.Ring]
	Recovery *recovery.Recoverer
	Want     Config

	Log *slog.Logger // nil: slog.Default

	// MaxWait is how long a call waits for the rate limit's next window; a longer
	// wait is for the next run. 0: none.
	MaxWait time.Duration
}

// Result is the result of a pass.
type Result struct {
	// Busy reports whether another run reconciles this company: nothing was done.
	Busy bool
	// Status is what the company's connections have now; empty: what they had.
	Status connections.Webhooks
	// HookID is the company's hook, 0 without one.
	HookID procore.ID
	// Foreign are the hooks of other deployments in our namespace.
	Foreign []procore.ID
	// Reactivated reports whether Procore had disabled the hook, and the pass made it
	// active. Deliveries had failed; see the receiver's log.
	Reactivated bool
	// NotFound are connections to which Procore showed no such company: their users may
	// have left it.
	NotFound []connections.Key
	// Recovered counts the discarded deliveries that were stored.
	Recovered recovery.Result
	// LimitedUntil is set when Procore's rate limit was hit. Make no more calls
	// before by connections of By's owner, see [connections.Key.Owner].
	LimitedUntil time.Time
	// By is the connection that made the last call, or none.
	By connections.Key
}

// Reconcile makes the company's hook and its triggers match the configuration, recovers
// what Procore discarded, and records the result on all connections of the company. The
// error is what should be repeated; that a person has to act, or that Procore asks to
// wait, is no error. An error that matches [procore.ErrInvalid] repeats every hour until
// the configuration is right. all are the company's connections if they were read a moment
// ago; otherwise Reconcile reads them.
func (k *Reconciler) Reconcile(ctx context.Context, companyID int64, all ...connections.Connection) (Result, error) {
	items := items{k.Store}
	l, err := items.take(ctx, companyID)
	if errors.Is(err, ErrBusy) {
		return Result{Busy: true}, nil
	}
	if err != nil {
		return Result{}, err
	}
	defer items.release(ctx, l, k.log())
	end := passFor
	if left, ok := procore.TimeLeft(ctx); ok {
		end = min(end, left-closing)
	}
	within, cancel := context.WithTimeout(ctx, end)
	defer cancel()
	if len(all) == 0 {
		if all, err = procore.Collect(k.Store.Company(ctx, companyID)); err != nil {
			return Result{}, err
		}
	}
	result, verdict := k.pass(within, l, all)
	l.passed(k.now(), verdict.err)
	return result, errors.Join(verdict.err, k.settle(ctx, all, verdict))
}

// Row reads what is known of a company's hook.
func (k *Reconciler) Row(ctx context.Context, companyID int64) (Row, error) {
	return items{k.Store}.read(ctx, companyID)
}

// want is the hook that a company should have. Its credential is derived from the current
// key and the company's epoch.
func (k *Reconciler) want(ctx context.Context, companyID int64, all []connections.Connection) (wanted, error) {
	w := wanted{off: k.Want.off(), unhooked: k.Want.Unreachable && len(k.Want.Triggers) > 0, triggers: k.Want.Triggers}
	w.spec = procore.HookSpec{Namespace: k.Want.Namespace, DestinationURL: k.Want.URL, PayloadVersion: PayloadVersion(k.Want.PayloadVersion, all)}
	if w.off {
		return w, nil
	}
	ring, err := k.Ring.Get(ctx)
	if err != nil {
		return w, err
	}
	header, err := ring.Header(companyID)
	w.credential, w.spec.Headers = ring.Current(companyID), procore.Headers{"Authorization": header}
	return w, err
}

// pass lets the company's connections reconcile, and recovers what Procore discarded.
func (k *Reconciler) pass(ctx context.Context, l *lease, all []connections.Connection) (Result, verdict) {
	want, err := k.want(ctx, l.row.CompanyID, all)
	if err == nil && !want.off && !l.row.Since.IsZero() { // the row may be lost: deleted, or newer than the backup of its table
		err = k.Store.Begin(ctx, l.row.CompanyID, k.now())
	}
	if err != nil {
		return Result{}, verdict{next: Retry, err: err}
	}
	v, worked, result := k.try(ctx, l, want, all)
	if worked != nil && !want.off {
		recovered, err := worked.recover(ctx)
		result.Recovered, v = recovered, v.recovered(recovered, err, k.now())
	}
	if v.err != nil {
		v.err = fmt.Errorf("webhook of company %d: %w", l.row.CompanyID, v.err)
	}
	company, hook := slog.Int64("company_id", l.row.CompanyID), slog.String("hook_id", l.row.HookID.String())
	if worked == nil && l.row.HookID != "" && l.row.Credential != want.credential {
		k.log().WarnContext(ctx, "hook has an old key", company, hook, slog.String("credential", l.row.Credential))
	}
	result.Status, result.HookID, result.Foreign, result.LimitedUntil = v.status, l.row.HookID, l.row.Foreign, v.limited
	k.log().InfoContext(ctx, "hook reconciled", company, slog.String("status", string(v.status)), hook, slog.Int("recovered", result.Recovered.Stored))
	return result, v
}

// try lets one connection of the company after the other reconcile the hook, until one
// has done it, which it returns. The result names those to which Procore showed no such
// company.
func (k *Reconciler) try(ctx context.Context, l *lease, want wanted, all []connections.Connection) (v verdict, worked *hand, result Result) {
	creator := l.row.Creator
	creatorLost := creator != "" && !connected(all, creator)
	var refused []connections.Connection
	for n, c := range candidates(all, creator, l.row.Offset) {
		if n == maxCandidates || len(refused) == maxTries {
			break
		}
		h := k.hand(l, c.Key)
		result.By = c.Key
		err := h.converge(ctx, want, creatorLost)
		result.Reactivated = result.Reactivated || h.reactivated
		if err == nil {
			l.row.Offset = 0
			return k.right(ctx, c, all), h, result
		}
		switch kindOf(err) {
		case anothers:
			refused = append(refused, c)
			if errors.Is(err, procore.ErrNotFound) {
				result.NotFound = append(result.NotFound, c.Key)
			}
			creatorLost = creatorLost || c.Principal == creator
		case unusable:
			creatorLost = creatorLost || c.Principal == creator
		case disconnected: // which the client has recorded
			k.log().WarnContext(ctx, "company disconnected the app", slog.Int64("company_id", c.CompanyID))
			now, err := k.Store.Connection(ctx, c.Key)
			if err != nil || now.State == connections.Connected {
				return verdict{next: Retry, err: err}, nil, result
			}
		default:
			return failed(err, k.now()), nil, result
		}
		if c.Principal != creator {
			l.row.Offset++
		}
		if !errors.Is(err, connections.ErrDisconnected) {
			k.log().WarnContext(ctx, "connection cannot manage the hook", slog.Any("", c.Key), slog.Any("error", err))
		}
	}
	if len(refused) > 0 {
		return verdict{status: connections.WebhooksNeedsAdmin, next: k.unlessIdle(ctx, Admin, refused)}, nil, result
	}
	return verdict{next: Recheck}, nil, Result{Reactivated: result.Reactivated} // no connection works; a new one is checked at once
}

// hand works for one connection. A call that fails is repeated by the next pass and not
// at once, which would use the rate limit up.
func (k *Reconciler) hand(l *lease, key connections.Key) *hand {
	client := k.Store.BackgroundClient(key, procore.WithAttempts(1), procore.WithMaxWait(k.MaxWait))
	return &hand{client: client, by: key.Principal, lease: l, items: items{k.Store}, recoverer: k.Recovery, log: k.log()}
}

// settle writes the verdict to the connections that the pass was for, so that each user's
// page is right. One that was connected in the meantime is due for another pass.
func (k *Reconciler) settle(ctx context.Context, all []connections.Connection, v verdict) error {
	var errs []error
	for _, c := range all {
		status, at := v.on(c, k.now())
		if c.State != connections.Connected || status == c.Webhooks && at.Equal(c.CheckAt) {
			continue
		}
		_, _, err := k.Store.SetWebhooks(ctx, c, status, at)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (k *Reconciler) now() time.Time { return k.Store.Tokens.Clock.Now() }

func (k *Reconciler) log() *slog.Logger {
	if k.Log == nil {
		return slog.Default()
	}
	return k.Log
}
