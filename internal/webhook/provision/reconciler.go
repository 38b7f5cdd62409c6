// Package provision keeps each connected company's webhook at Procore as it is
// configured, and brings home the events that Procore gave up on.
//
// The unit is the company, not the connection: whichever of its connections may
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
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// When the next look is due.
const (
	Retry   = 5 * time.Minute // after a failure, or when there is more to recover
	Admin   = time.Hour       // while an admin has to act
	Recheck = 6 * time.Hour   // when all is well
	// IdleRecheck is Recheck for a company whose connections were not used for a week:
	// each pass may cost a refresh.
	IdleRecheck = 24 * time.Hour
)

const (
	// lookFor bounds one look. The lease outlives it.
	lookFor = 2 * time.Minute
	// closing is what a look leaves of its caller's time to write down how it went.
	closing = 5 * time.Second
)

// Reconciler looks after the hooks of companies. All fields must be set but those
// with a default; Disconnect does without Ring and Recovery. Goroutines may share it; do not copy it.
type Reconciler struct {
	Store       *tokens.Store
	Environment procore.Environment
	Ring        tokens.SecretSource[*credential.Ring]
	Recovery    *recovery.Recoverer
	Want        Config

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
	Status tokens.Webhooks
	// HookID is the company's hook, 0 without one.
	HookID int64
	// Foreign are the hooks of other deployments in our namespace.
	Foreign []int64
	// Strangers are connections to which Procore showed no such company: their
	// users may have left it.
	Strangers []tokens.Key
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
	end := lookFor
	if left, ok := procore.TimeLeft(ctx); ok {
		end = min(end, left-closing)
	}
	within, cancel := context.WithTimeout(ctx, end)
	defer cancel()
	result, verdict := k.look(within, l, before)
	return result, errors.Join(verdict.err, k.settle(ctx, before, verdict))
}

func (k *Reconciler) look(ctx context.Context, l *lease, all []tokens.Connection) (Result, verdict) {
	v, worked, strangers := k.try(ctx, l, all)
	result := Result{Status: v.status, Strangers: strangers}
	if worked != (tokens.Key{}) && v.status == tokens.WebhooksActive {
		var err error
		result.Recovered, err = k.recover(ctx, l, k.client(worked))
		v = v.recovered(result.Recovered, err, k.Store.Clock.Now())
	}
	if v.err != nil {
		v.err = fmt.Errorf("webhook of company %d: %w", l.row.CompanyID, v.err)
	}
	result.HookID, result.Foreign, result.LimitedUntil = l.row.HookID, l.row.Foreign, v.limited
	k.log().InfoContext(ctx, "hook reconciled", slog.Int64("company_id", l.row.CompanyID), slog.String("status", string(v.status)),
		slog.Int64("hook_id", result.HookID), slog.Int("recovered", result.Recovered.Stored))
	return result, v
}

// try lets the company's connections have a go, one after the other, until one
// has put the hook right. It gives that one's key, and those of connections to
// which Procore showed no such company.
func (k *Reconciler) try(ctx context.Context, l *lease, all []tokens.Connection) (v verdict, worked tokens.Key, strangers []tokens.Key) {
	candidates, next := candidates(all, l.row.Creator, l.row.Offset)
	refused, makerLost := false, l.row.Creator != "" && !usable(all, l.row.Creator)
	for _, c := range candidates {
		access, err := k.Store.BackgroundToken(ctx, c.Key) // which generation is used
		if err == nil {
			err = k.put(ctx, l, c.Key, makerLost)
		}
		if err == nil {
			l.row.Offset = 0
			return k.right(all), c.Key, strangers
		}
		switch kindOf(err) {
		case anothers:
			refused = true
			if errors.Is(err, procore.ErrNotFound) {
				strangers = append(strangers, c.Key)
			}
			makerLost = makerLost || c.Principal == l.row.Creator
		case unusable:
			makerLost = makerLost || c.Principal == l.row.Creator
		case disconnected:
			k.log().WarnContext(ctx, "company disconnected the app", slog.Int64("company_id", c.CompanyID))
			recorded, err := k.disconnected(ctx, c.Key, access.Generation)
			if err != nil || !recorded {
				return verdict{next: Retry, err: err}, tokens.Key{}, strangers
			}
		default:
			return k.failed(err), tokens.Key{}, strangers
		}
		k.log().WarnContext(ctx, "connection cannot manage the hook", slog.Any("", c.Key), slog.Any("error", err))
	}
	l.row.Offset = next
	if refused {
		return verdict{status: tokens.WebhooksNeedsAdmin, next: Admin}, tokens.Key{}, strangers
	}
	return verdict{next: Recheck}, tokens.Key{}, nil // nobody is there who could; a new authorization is looked at at once
}

// recover stores what Procore discarded of the company's hook, and how far it came.
func (k *Reconciler) recover(ctx context.Context, l *lease, client *procore.CompanyClient) (recovery.Result, error) {
	result, progress, err := k.Recovery.Recover(ctx, client, l.row.HookID, l.row.Recovery)
	l.row.Recovery, l.row.Recovered = progress, l.row.Recovered+int64(result.Stored)
	return result, err
}

// disconnected records that the company disconnected the app, unless the
// connection was authorized or refreshed since this generation.
func (k *Reconciler) disconnected(ctx context.Context, key tokens.Key, generation int64) (recorded bool, err error) {
	if err := k.Store.Disconnect(ctx, key, generation); err != nil {
		return false, err
	}
	c, err := k.Store.Connection(ctx, key)
	return !isUsable(c), err
}

// put does what the configuration asks for, with one connection.
func (k *Reconciler) put(ctx context.Context, l *lease, key tokens.Key, makerLost bool) error {
	if len(k.Want.Triggers) == 0 {
		return k.clear(ctx, l, k.client(key))
	}
	return k.ensure(ctx, l, key.Principal, k.client(key), makerLost)
}

// settle writes the verdict to every connection of the company, so that each
// user's page is right. One that was authorized meanwhile has a look of its own
// to come, and one that is being revoked has another to wait for.
func (k *Reconciler) settle(ctx context.Context, before []tokens.Connection, v verdict) error {
	if len(before) == 0 {
		return nil
	}
	var errs []error
	for c, err := range k.Store.Company(ctx, before[0].CompanyID) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !waits(c) || !unchanged(before, c) {
			continue
		}
		status, at := v.on(c, k.Store.Clock.Now())
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
func (k *Reconciler) client(key tokens.Key) *procore.CompanyClient {
	return k.Store.BackgroundClient(k.Environment, key, procore.WithAttempts(1), procore.WithMaxWait(k.MaxWait))
}

func (k *Reconciler) log() *slog.Logger {
	if k.Log == nil {
		return slog.Default()
	}
	return k.Log
}
