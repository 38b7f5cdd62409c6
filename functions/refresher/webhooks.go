package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"
)

// defaultMost is how many companies' hooks one run reconciles. With a run every five
// minutes that is enough for 14,000 companies.
const defaultMost = 200

// hookRun is one run over the companies' hooks.
type hookRun struct {
	seen    map[int64]bool // companies
	limited time.Time      // until when Procore's rate limit is used up
}

// done reports whether the rest is for the next run: Procore asks to wait, or there
// were enough calls for now.
func (r *hookRun) done(most int) bool {
	return !r.limited.IsZero() || len(r.seen) >= cmp.Or(most, defaultMost)
}

// reconcile reconciles a company's hook, once in a run.
func (h *handler) reconcile(ctx context.Context, companyID int64, run *hookRun) error {
	if run.seen[companyID] {
		return nil
	}
	run.seen[companyID] = true
	result, err := h.hooks.Reconcile(ctx, companyID)
	if !result.LimitedUntil.IsZero() {
		run.limited = result.LimitedUntil
		h.log.WarnContext(ctx, "rate limited, remaining hooks deferred to the next run", slog.Time("until", run.limited))
	}
	for _, key := range result.NotFound {
		_, failed := h.endDeparted(ctx, key.Principal, suspectEvery, key)
		err = errors.Join(err, failed)
	}
	return err
}
