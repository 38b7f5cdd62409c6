package main

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// housekeeping does the work that no request waits for. A part that fails does not
// stop the other parts.
func (h *handler) housekeeping(ctx context.Context) error {
	return errors.Join(h.rescued(ctx), h.abandoned(ctx), h.checks(ctx))
}

// rescued stores the pairs that storage had rejected. It takes at most half of the
// time, and leaves the rest to the other parts.
func (h *handler) rescued(ctx context.Context) error {
	within, cancel := ctx, func() {}
	if left, ok := procore.TimeLeft(ctx); ok {
		within, cancel = context.WithTimeout(ctx, left/2)
	}
	defer cancel()
	n, err := h.rescue.Drain(within, h.store.Restore)
	if n > 0 {
		h.log.InfoContext(ctx, "rescued pairs stored", slog.Int("pairs", n))
	}
	return err
}

// checks handles the connections whose check is due: their company's hook, once for
// all connections of the company, or a revocation that is not finished.
func (h *handler) checks(ctx context.Context) error {
	var errs []error
	run := hookRun{seen: map[int64]bool{}}
	for key, err := range h.shards(ctx) {
		if outOfTime(ctx) || run.done(h.most) {
			break
		}
		if err == nil {
			err = h.check(ctx, key, &run)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// shards lists the checks of all shards. Each run begins at another shard, so that a
// run that does not reach the end never leaves out the same companies for long.
func (h *handler) shards(ctx context.Context) iter.Seq2[tokens.Key, error] {
	return func(yield func(tokens.Key, error) bool) {
		soon := h.store.Clock.Now().Add(time.Second)
		first := int(soon.Unix()/60) % tokens.Shards
		for i := range tokens.Shards {
			for key, err := range h.store.Checks(ctx, (first+i)%tokens.Shards, soon) {
				if !yield(key, err) {
					return
				}
			}
		}
	}
}

func (h *handler) check(ctx context.Context, key tokens.Key, run *hookRun) error {
	c, err := h.store.Connection(ctx, key)
	if err != nil {
		return err
	}
	switch {
	case c.CheckAt.IsZero() || c.CheckAt.After(h.store.Clock.Now()): // the index is behind
		return nil
	case c.State == tokens.Revoking:
		return h.store.Revoke(ctx, c.Key, c.Reason)
	}
	return h.reconcile(ctx, c.CompanyID, run)
}
