// Package provision keeps each connected company's webhook at Procore as it is
// configured, and brings home the events that Procore gave up on.
//
// The unit is the company, not the connection: one of its connections that may
// use Procore's webhooks does it for all. [Reconciler.Reconcile] lists, compares, and
// changes what differs. It can be repeated at any time and after any crash.
//
//   - Ours is a hook in our namespace with our URL, or the one that we made
//     ourselves with the URL that we gave it. Any other one in our namespace
//     belongs to another deployment; it is reported and left alone.
//   - A lease in the company's row keeps two runs apart. Should they meet
//     nevertheless, whoever creates a hook lists again, and the one with the
//     lowest id stays.
//   - A hook stays only while the connection that made it works, because
//     Procore does not say what becomes of a hook whose creator lost access.
//
// https://procore.github.io/documentation/webhooks-api
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

// When the next look is due.
const (
	Retry   = 5 * time.Minute // after a failure, or when there is more to recover
	Admin   = time.Hour       // while an admin has to act
	Recheck = 6 * time.Hour   // when all is well
	// IdleRecheck is how often a company is checked whose users did not use the app for a
	// week: each pass costs a refresh. All idle companies of a user share it.
	IdleRecheck = 24 * time.Hour
)

const (
	// lookFor bounds one look. The lease outlives it.
	lookFor = 2 * time.Minute
	// closing is what a look leaves of its caller's time to write down how it went.
	closing = 5 * time.Second
)

// Reconciler looks after the hooks of companies. All fields must be set but those
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

// Result is what came of a look.
type Result struct {
	// Busy says that another run is looking at this company: nothing was done.
	Busy bool
	// Status is what the company's connections have now; empty: what they had.
	Status connections.Webhooks
	// HookID is the company's hook, 0 without one.
	HookID procore.ID
	// Foreign are the hooks of other deployments in our namespace.
	Foreign []procore.ID
	// Strangers are connections to which Procore showed no such company: their
	// users may have left it.
	Strangers []connections.Key
	// Recovered counts the discarded deliveries that were stored.
	Recovered recovery.Result
	// LimitedUntil is set when Procore's rate limit was hit. Make no more calls
	// before.
	LimitedUntil time.Time
}

// Reconcile makes the company's hook and its triggers match the configuration, brings
// home what Procore discarded, and records how it went on all connections of the
// company. The error says what should be repeated; that a person has to act, or
// that Procore asks to wait, is no error.
func (k *Reconciler) Reconcile(ctx context.Context, companyID int64) (Result, error) {
	l, err := k.take(ctx, companyID)
	if errors.Is(err, ErrBusy) {
		return Result{Busy: true}, nil
	}
	if err != nil {
		return Result{}, err
	}
	defer k.release(ctx, l)
	before, err := procore.Collect(k.Store.Company(ctx, companyID))
	if err != nil {
		return Result{}, err
	}
	l.version = PayloadVersion(k.Want.PayloadVersion, before)
	end := lookFor
	if left, ok := procore.TimeLeft(ctx); ok {
		end = min(end, left-closing)
	}
	within, cancel := context.WithTimeout(ctx, end)
	defer cancel()
	result, verdict := k.look(within, l, before)
	return result, errors.Join(verdict.err, k.settle(ctx, before, verdict))
}

func (k *Reconciler) look(ctx context.Context, l *lease, all []connections.Connection) (Result, verdict) {
	v, worked, strangers := k.try(ctx, l, all)
	result := Result{Status: v.status, Strangers: strangers}
	if worked != (connections.Key{}) && v.status == connections.WebhooksActive {
		var err error
		result.Recovered, err = k.recover(ctx, l, k.client(worked))
		v = v.recovered(result.Recovered, err, k.now())
	}
	if v.err != nil {
		v.err = fmt.Errorf("webhook of company %d: %w", l.row.CompanyID, v.err)
	}
	result.HookID, result.Foreign, result.LimitedUntil = l.row.HookID, l.row.Foreign, v.limited
	k.log().InfoContext(ctx, "hook reconciled", slog.Int64("company_id", l.row.CompanyID), slog.String("status", string(v.status)),
		slog.String("hook_id", result.HookID.String()), slog.Int("recovered", result.Recovered.Stored))
	return result, v
}

// try lets the company's connections have a go, one after the other, until one
// has put the hook right. It gives that one's key, and those of connections to
// which Procore showed no such company.
func (k *Reconciler) try(ctx context.Context, l *lease, all []connections.Connection) (v verdict, worked connections.Key, strangers []connections.Key) {
	creator := l.row.Creator
	makerLost := creator != "" && !connected(all, creator)
	var refused []connections.Connection
	for n, c := range candidates(all, creator, l.row.Offset) {
		if n == maxCandidates || len(refused) == maxTries {
			break
		}
		err := k.put(ctx, l, c.Key, makerLost)
		if err == nil {
			l.row.Offset = 0
			return k.right(ctx, c, all), c.Key, strangers
		}
		switch kindOf(err) {
		case anothers:
			refused = append(refused, c)
			if errors.Is(err, procore.ErrNotFound) {
				strangers = append(strangers, c.Key)
			}
			makerLost = makerLost || c.Principal == creator
		case unusable:
			makerLost = makerLost || c.Principal == creator
		case disconnected: // which the client has recorded
			k.log().WarnContext(ctx, "company disconnected the app", slog.Int64("company_id", c.CompanyID))
			now, err := k.Store.Connection(ctx, c.Key)
			if err != nil || now.State == connections.Connected {
				return verdict{next: Retry, err: err}, connections.Key{}, strangers
			}
		default:
			return k.failed(err), connections.Key{}, strangers
		}
		if c.Principal != creator {
			l.row.Offset++
		}
		if !errors.Is(err, connections.ErrDisconnected) {
			k.log().WarnContext(ctx, "connection cannot manage the hook", slog.Any("", c.Key), slog.Any("error", err))
		}
	}
	if len(refused) > 0 {
		return verdict{status: connections.WebhooksNeedsAdmin, next: k.unlessIdle(ctx, Admin, refused)}, connections.Key{}, strangers
	}
	return verdict{next: Recheck}, connections.Key{}, nil // no connection works; a new one is checked at once
}

// recover stores what Procore discarded of the company's hook, and how far it came.
func (k *Reconciler) recover(ctx context.Context, l *lease, client *procore.CompanyClient) (recovery.Result, error) {
	result, progress, err := k.Recovery.Recover(ctx, client, l.row.HookID, l.row.Recovery)
	l.row.Recovery, l.row.Recovered = progress, l.row.Recovered+int64(result.Stored)
	return result, err
}

// put does what the configuration asks for, with one connection.
func (k *Reconciler) put(ctx context.Context, l *lease, key connections.Key, makerLost bool) error {
	if len(k.Want.Triggers) == 0 {
		return k.clear(ctx, l, k.client(key))
	}
	return k.ensure(ctx, l, key.Principal, k.client(key), makerLost)
}

// settle writes the verdict to every connection of the company, so that each user's page
// is right. One that was connected in the meantime has a pass of its own to come.
func (k *Reconciler) settle(ctx context.Context, before []connections.Connection, v verdict) error {
	if len(before) == 0 {
		return nil
	}
	var errs []error
	for c, err := range k.Store.Company(ctx, before[0].CompanyID) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if c.State != connections.Connected || !unchanged(before, c) {
			continue
		}
		status, at := v.on(c, k.now())
		if status == c.Webhooks && at.Equal(c.CheckAt) {
			continue
		}
		_, _, err := k.Store.SetWebhooks(ctx, c, status, at)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// client calls Procore as one connection. A call that fails is repeated by the
// next look and not at once, which would use the rate limit up.
func (k *Reconciler) client(key connections.Key) *procore.CompanyClient {
	return k.Store.BackgroundClient(key, procore.WithAttempts(1), procore.WithMaxWait(k.MaxWait))
}

func (k *Reconciler) now() time.Time { return k.Store.Tokens.Clock.Now() }

func (k *Reconciler) log() *slog.Logger {
	if k.Log == nil {
		return slog.Default()
	}
	return k.Log
}
