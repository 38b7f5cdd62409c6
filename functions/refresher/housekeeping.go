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

// housekeeping does what no request waits for. One failing part does not stop
// the others.
func (h *handler) housekeeping(ctx context.Context) error {
	return errors.Join(h.rescued(ctx), h.abandoned(ctx), h.checks(ctx))
}

// rescued stores the pairs that storage had refused, for half of the time at
// most: then the others have their turn.
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

// checks looks at the connections that ask for it: for their company's webhook,
// once for all connections of the company, or because their revocation is not
// finished.
func (h *handler) checks(ctx context.Context) error {
	var errs []error
	run := looks{seen: map[int64]bool{}}
	for key, err := range h.shards(ctx) {
		if outOfTime(ctx) || run.ended(h.looks) {
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

// shards lists the checks of all shards. Each run begins at another one, so that
// a run that does not get to the end leaves nobody out for long.
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

func (h *handler) check(ctx context.Context, key tokens.Key, run *looks) error {
	c, err := h.store.Connection(ctx, key)
	if err != nil {
		return err
	}
	switch {
	case c.CheckAt.IsZero() || c.CheckAt.After(h.store.Clock.Now()): // the index lags behind
		return nil
	case c.State == tokens.Revoking:
		return h.store.Revoke(ctx, c.Key, c.Reason)
	}
	return h.look(ctx, c.CompanyID, run)
}
