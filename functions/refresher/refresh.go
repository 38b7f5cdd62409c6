package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"procore-connect/internal/secrets"
	"procore-connect/pkg/tokens"
)

const (
	// ahead is how long before its end a token is refreshed by the schedule:
	// three runs of five minutes.
	ahead = 15 * time.Minute
	// maxWave is how many refreshes are in flight at most.
	maxWave = 10
)

// refresh keeps the connections that are in use fresh. It asks first whether
// Procore's token endpoint is healthy, and starts slowly: an outage that begins
// now costs few tokens.
func (h *handler) refresh(ctx context.Context) error {
	var run run
	defer h.ended(ctx, &run)
	err := h.store.Probe(ctx)
	if errors.Is(err, secrets.ErrNotFilledIn) {
		h.log.WarnContext(ctx, "nothing refreshed: the app's client id and secret are not filled in yet")
		return nil // nobody can have connected
	}
	if err != nil {
		return fmt.Errorf("nothing refreshed: %w", err)
	}
	next, stop := iter.Pull2(h.due(ctx))
	defer stop()
	for size := 1; !outOfTime(ctx); size = min(2*size, maxWave) {
		wave := run.take(next, size)
		if len(wave) == 0 {
			break
		}
		h.wave(ctx, wave, &run)
		if b, err := h.store.Breaker(ctx); err != nil || b.Open {
			run.errs = append(run.errs, fmt.Errorf("the run stops: %s", b.Reason), err)
			break
		}
	}
	return errors.Join(run.errs...)
}

// ended logs how the run went, and how storage looks after it.
func (h *handler) ended(ctx context.Context, r *run) {
	attrs := []slog.Attr{slog.Int("refreshed", r.refreshed), slog.Int("failed", r.failed)}
	if b, err := h.store.Breaker(ctx); err == nil {
		attrs = append(attrs, slog.Bool("breaker_open", b.Open))
	}
	if oldest, err := h.store.OldestDue(ctx, ahead); err == nil {
		waits := time.Duration(0)
		if !oldest.IsZero() {
			waits = h.clock().Add(ahead).Sub(oldest)
		}
		attrs = append(attrs, slog.Float64("oldest_due_s", waits.Seconds()))
	}
	h.log.LogAttrs(ctx, slog.LevelInfo, "refresh ended", attrs...)
}

// run counts what one run does.
type run struct {
	mu                sync.Mutex
	refreshed, failed int
	errs              []error
}

// take gives the next connections of the list; a row that cannot be read does
// not stop the rest.
func (r *run) take(next func() (tokens.Key, error, bool), size int) []tokens.Key {
	var wave []tokens.Key
	for len(wave) < size {
		key, err, ok := next()
		switch {
		case !ok:
			return wave
		case err != nil:
			r.errs = append(r.errs, err)
		default:
			wave = append(wave, key)
		}
	}
	return wave
}

// wave refreshes a few connections at once.
func (h *handler) wave(ctx context.Context, wave []tokens.Key, r *run) {
	var all sync.WaitGroup
	for _, key := range wave {
		all.Go(func() {
			_, err := h.store.Refresh(ctx, key, ahead)
			r.mu.Lock()
			defer r.mu.Unlock()
			if err == nil {
				r.refreshed++
				return
			}
			r.failed++
			h.log.WarnContext(ctx, "not refreshed", slog.Int64("company_id", key.CompanyID),
				slog.String("principal", string(key.Principal)), slog.Any("error", err))
		})
	}
	all.Wait()
}

// due lists what is due in all shards. Each run begins at another one, so that a
// run that does not get to the end leaves nobody out for long.
func (h *handler) due(ctx context.Context) iter.Seq2[tokens.Key, error] {
	return func(yield func(tokens.Key, error) bool) {
		first := int(h.clock().Unix()/60) % tokens.Shards
		for i := range tokens.Shards {
			for key, err := range h.store.Due(ctx, (first+i)%tokens.Shards, ahead) {
				if !yield(key, err) {
					return
				}
			}
		}
	}
}
