package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/pkg/tokens"
)

const (
	// ahead is how long before its end a token is refreshed by the schedule,
	// three runs of five minutes.
	ahead = 15 * time.Minute
	// usedWithin says which connections are kept fresh: each refresh is a small
	// risk to a single-use token, so nobody's token is left alone.
	usedWithin = 7 * 24 * time.Hour
	// idleEvery is how often an unused connection is refreshed nevertheless, to
	// notice that it died before its user does.
	idleEvery = 30 * 24 * time.Hour
	// inFlight bounds the refreshes at a time.
	inFlight = 4
)

// refresh keeps the connections that are in use fresh.
func (h *handler) refresh(ctx context.Context) error {
	var refreshed, failed atomic.Int64
	var all errgroup.Group
	all.SetLimit(inFlight)
	var listing []error
	for shard := range tokens.Shards {
		for c, err := range h.store.Due(ctx, shard, h.clock().Add(ahead)) {
			if outOfTime(ctx) {
				break
			}
			if err != nil {
				listing = append(listing, err)
				continue
			}
			if !h.wanted(c) {
				continue
			}
			all.Go(func() error {
				if _, err := h.store.Refresh(ctx, c.Key, ahead); err != nil {
					failed.Add(1)
					h.log.WarnContext(ctx, "not refreshed", slog.Int64("company_id", c.CompanyID),
						slog.String("principal", string(c.Principal)), slog.Any("error", err))
					return nil
				}
				refreshed.Add(1)
				return nil
			})
		}
	}
	all.Wait()
	h.log.InfoContext(ctx, "refresh ended", slog.Int64("refreshed", refreshed.Load()), slog.Int64("failed", failed.Load()))
	return errors.Join(listing...)
}

// wanted says whether a connection that is due should be refreshed. What is
// uncertain or claimed by a process that died is looked at, too: its state must
// become true.
func (h *handler) wanted(c tokens.Connection) bool {
	now := h.clock()
	return c.State != tokens.Active || now.Sub(c.LastUsed) < usedWithin || now.Sub(c.RefreshedAt) >= idleEvery
}
