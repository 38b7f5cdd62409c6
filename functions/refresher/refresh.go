package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"procore-connect/internal/platform/secrets"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// ahead is how long before a token expires the schedule refreshes it: three
	// runs of five minutes.
	ahead = 15 * time.Minute
	// maxWave is how many refreshes are in flight at most.
	maxWave = 10
	// maxRefused is how many principals' refresh tokens one run lets Procore refuse
	// without a success. An endpoint that is given another app's valid credentials
	// refuses every token, and each is spent.
	maxRefused = 10
)

// refresh keeps the connections that are in use fresh. It probes Procore's token
// endpoint first, and starts slowly, so that an outage that begins now costs few
// tokens. If nothing is due, it does not probe, unless the breaker waits for it.
func (h *handler) refresh(ctx context.Context) error {
	run := run{refused: make(map[tokens.Principal]bool)}
	defer h.finished(ctx, &run)
	next, stop := iter.Pull2(h.due(ctx))
	defer stop()
	wave := run.collect(next, 1)
	b, err := h.store.Breaker(ctx)
	if err == nil && (len(wave) > 0 || !b.AtRest()) {
		err = h.store.Probe(ctx)
	}
	if errors.Is(err, secrets.ErrNotFilledIn) {
		h.log.WarnContext(ctx, "refresh skipped, client id and secret not set")
		return nil // no user can have connected
	}
	if err != nil {
		return errors.Join(append(run.errs, fmt.Errorf("nothing refreshed: %w", err))...)
	}
	for size := 1; len(wave) > 0 && !outOfTime(ctx); wave = run.collect(next, size) {
		h.wave(ctx, wave, &run)
		if len(run.refused) >= maxRefused {
			run.errs = append(run.errs, fmt.Errorf("the run stops: Procore refused the refresh tokens of %d users in a row; check the client id", len(run.refused)))
			break
		}
		size = min(2*size, maxWave, maxRefused-len(run.refused))
		if b, err := h.store.Breaker(ctx); err != nil || b.Open {
			run.errs = append(run.errs, fmt.Errorf("the run stops: %s", b.Reason), err)
			break
		}
	}
	return errors.Join(run.errs...)
}

// finished logs the result of the run, what is still due, and whether departures are
// stopped.
func (h *handler) finished(ctx context.Context, r *run) {
	attrs := []slog.Attr{slog.Int("refreshed", r.refreshed), slog.Int("failed", r.failed),
		slog.Int("overwritten", r.overwritten), slog.Int("departed", r.departed)}
	if b, err := h.store.Breaker(ctx); err == nil {
		attrs = append(attrs, slog.Bool("breaker_open", b.Open))
	}
	if oldest, err := h.store.OldestDue(ctx, ahead); err == nil {
		waits := time.Duration(0)
		if !oldest.IsZero() {
			waits = h.store.Clock.Now().Add(ahead).Sub(oldest)
		}
		attrs = append(attrs, slog.Float64("oldest_due_s", waits.Seconds()))
	}
	h.log.LogAttrs(ctx, slog.LevelInfo, "refresh run finished", attrs...)
	h.withheld(ctx)
}

// run counts what one run does.
type run struct {
	mu                sync.Mutex
	refreshed, failed int
	overwritten       int                       // with the monthly sandbox, as expected
	refused           map[tokens.Principal]bool // since the last success
	departed          int                       // connections whose users left their company
	unchecked         int                       // departure checks that failed
	errs              []error
}

// collect returns the next connections of the list. A row that cannot be read does
// not stop the rest.
func (r *run) collect(next func() (tokens.Key, error, bool), size int) []tokens.Key {
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
			err := h.renew(ctx, key)
			h.count(ctx, key, r, err)
			if err == nil {
				h.checkUser(ctx, key, r)
			}
		})
	}
	all.Wait()
}

func (h *handler) renew(ctx context.Context, key tokens.Key) error {
	access, err := h.store.Refresh(ctx, key, ahead)
	now := h.store.Clock.Now()
	if err == nil && !now.Add(ahead).Before(access.Expiry) && now.Sub(access.IssuedAt) > time.Minute {
		// The store returns an old token that is still valid, and logs the failure. A new one
		// may be valid for a shorter time than that.
		return errors.New("its access token is still valid, but expires soon")
	}
	return err
}

func (h *handler) count(ctx context.Context, key tokens.Key, r *run, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.refreshed++
		clear(r.refused)
	case errors.Is(err, tokens.ErrOverwritten):
		r.overwritten++
	default:
		r.failed++
		if e, ok := errors.AsType[*procore.TokenError](err); ok && e.Outcome == procore.Refused {
			r.refused[key.Principal] = true
		}
		h.log.WarnContext(ctx, "connection not refreshed", slog.Any("", key), slog.Any("error", err))
	}
}

// due lists the connections that are due in all shards, in fair order. Each run
// begins at another shard, so that a run that does not reach the end never leaves
// out the same connections for long.
func (h *handler) due(ctx context.Context) iter.Seq2[tokens.Key, error] {
	return fair(func(yield func(tokens.Key, error) bool) {
		first := int(h.store.Clock.Now().Unix()/60) % tokens.Shards
		for i := range tokens.Shards {
			for key, err := range h.store.Due(ctx, (first+i)%tokens.Shards, ahead) {
				if !yield(key, err) {
					return
				}
			}
		}
	}, share)
}
