package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"
)

// defaultLooks is how many companies' webhooks one run looks at. With a run every
// five minutes that is enough for 14,000 companies.
const defaultLooks = 200

// looks is one run over the webhooks.
type looks struct {
	seen    map[int64]bool // companies
	limited time.Time      // Procore's rate limit was hit, until then
	leavers run            // of connections whose users left their company
}

// ended says that the rest is for the next run: Procore asks to wait, or there
// were enough calls for now.
func (l *looks) ended(most int) bool {
	return !l.limited.IsZero() || len(l.seen) >= cmp.Or(most, defaultLooks)
}

// look looks after a company's webhook, once in a run.
func (h *handler) look(ctx context.Context, companyID int64, run *looks) error {
	if run.seen[companyID] {
		return nil
	}
	run.seen[companyID] = true
	result, err := h.hooks.Reconcile(ctx, companyID)
	if !result.LimitedUntil.IsZero() {
		run.limited = result.LimitedUntil
		h.log.WarnContext(ctx, "rate limited, remaining hooks deferred to the next run", slog.Time("until", run.limited))
	}
	for _, key := range result.Strangers {
		err = errors.Join(err, h.ask(ctx, key, suspectEvery, &run.leavers))
	}
	return err
}
