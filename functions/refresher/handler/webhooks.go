package handler

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
)

// check handles the company's connections that are due.
func (r *checkRun) check(ctx context.Context, companyID int64) error {
	var all, due []connections.Connection
	var errs []error
	for c, err := range r.store.Company(ctx, companyID) {
		switch {
		case err != nil:
			errs = append(errs, err)
			continue
		case c.CheckAt.IsZero() || c.CheckAt.After(r.now()): // the index is behind, or another one is due
		case c.Expired(r.now()):
			errs = append(errs, r.store.End(ctx, c.Key, c.Reason))
			continue
		default:
			due = append(due, c)
		}
		all = append(all, c)
	}
	if err := errors.Join(errs...); err != nil || len(due) == 0 {
		return err
	}
	if until := r.limitedUntil(all); !until.IsZero() {
		return r.postpone(ctx, due, until)
	}
	return r.reconcile(ctx, companyID, all)
}

// reconcile reconciles a company's hook.
func (r *checkRun) reconcile(ctx context.Context, companyID int64, all []connections.Connection) error {
	result, err := r.hooks.Reconcile(ctx, companyID, all...)
	r.learn(ctx, result, err)
	for _, key := range result.NotFound {
		_, failed := r.endDeparted(ctx, key.Principal, suspectEvery, key)
		err = errors.Join(err, failed)
	}
	return err
}

// learn notes what a pass shows about the rest of the run.
func (r *checkRun) learn(ctx context.Context, result provision.Result, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made++
	switch until := result.LimitedUntil; {
	case !until.IsZero():
		r.limited[result.By.Owner()] = until
		r.waiting++
		r.inVain++
		r.log.WarnContext(ctx, "rate limited, the companies of this owner wait", slog.String("owner", result.By.Owner()), slog.Time("until", until))
	case err != nil && !errors.Is(err, procore.ErrInvalid):
		r.inVain++
	case result.Status != "" || err != nil: // Procore answered
		if r.inVain = 0; r.held > 0 {
			r.held--
			<-r.passes
		}
	}
	if r.inVain == maxInVain {
		r.log.ErrorContext(ctx, "passes in vain, the rest is for the next run", slog.Int("passes", r.inVain))
	}
}

// limitedUntil returns when Procore accepts calls by one of the connections again, and
// zero if it does now.
func (r *checkRun) limitedUntil(all []connections.Connection) (until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range all {
		if c.State != connections.Connected {
			continue
		}
		end := r.limited[c.Owner()]
		if !r.now().Before(end) {
			return time.Time{}
		}
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until
}

// postpone lets connections wait for a rate limit, which is no failure and no delay of
// the schedule.
func (r *checkRun) postpone(ctx context.Context, due []connections.Connection, until time.Time) error {
	var errs []error
	for _, c := range due {
		_, _, err := r.store.SetWebhooks(ctx, c, c.Webhooks, until)
		errs = append(errs, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting++
	return errors.Join(errs...)
}
