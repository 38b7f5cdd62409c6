package main

import (
	"cmp"
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
	// defaultWave is how many refreshes of a run are in flight at most. An outage costs them.
	defaultWave = 10
	// maxRefused is how many principals' refresh tokens one run lets Procore refuse
	// without a success. An endpoint that is given another app's valid credentials
	// refuses every token, and each is spent.
	maxRefused = 10
)

// refresh keeps the grants that are in use fresh. It probes Procore's token
// endpoint first, and starts slowly, so that an outage that begins now costs few
// tokens. If nothing is due, it does not probe, unless the breaker waits for it.
func (h *handler) refresh(ctx context.Context, s share) error {
	run := run{refused: make(map[tokens.Principal]bool)}
	defer h.finished(ctx, &run)
	next, stop := iter.Pull2(h.due(ctx, s))
	defer stop()
	wave := run.collect(next, 1)
	b, err := h.tokens.Upkeep().Breaker(ctx)
	if err == nil && (len(wave) > 0 || !b.AtRest()) {
		err = h.tokens.Upkeep().Probe(ctx)
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
		size = run.next(2*size, cmp.Or(h.waves, defaultWave))
		if b, err := h.tokens.Upkeep().Breaker(ctx); err != nil || b.Open {
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
	if b, err := h.tokens.Upkeep().Breaker(ctx); err == nil {
		attrs = append(attrs, slog.Bool("breaker_open", b.Open))
	}
	if oldest, err := h.tokens.Upkeep().OldestDue(ctx, tokens.Ahead); err == nil {
		waits := time.Duration(0)
		if !oldest.IsZero() {
			waits = h.now().Add(tokens.Ahead).Sub(oldest)
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

// next returns the size of the next wave. After a refusal it is no more than may still be
// refused.
func (r *run) next(size, most int) int {
	if n := len(r.refused); n > 0 {
		most = min(most, maxRefused-n)
	}
	return min(size, most)
}

// collect returns the next grants of the list. A row that cannot be read does not stop
// the rest.
func (r *run) collect(next func() (tokens.Principal, error, bool), size int) []tokens.Principal {
	var wave []tokens.Principal
	for len(wave) < size {
		p, err, ok := next()
		switch {
		case !ok:
			return wave
		case err != nil:
			r.errs = append(r.errs, err)
		default:
			wave = append(wave, p)
		}
	}
	return wave
}

// wave refreshes a few grants at once.
func (h *handler) wave(ctx context.Context, wave []tokens.Principal, r *run) {
	var all sync.WaitGroup
	for _, p := range wave {
		all.Go(func() {
			access, err := h.renew(ctx, p)
			h.count(ctx, p, r, err)
			if err == nil {
				h.checkUser(ctx, p, access, r)
			}
		})
	}
	all.Wait()
}

func (h *handler) renew(ctx context.Context, p tokens.Principal) (tokens.Access, error) {
	access, err := h.tokens.Upkeep().Refresh(ctx, p, tokens.Ahead)
	now := h.now()
	if err == nil && !now.Add(tokens.Ahead).Before(access.Expiry) && now.Sub(access.IssuedAt) > time.Minute {
		// The store returns an old token that is still valid, and logs the failure. A new one
		// may be valid for a shorter time than that.
		return access, errors.New("its access token is still valid, but expires soon")
	}
	return access, err
}

func (h *handler) count(ctx context.Context, p tokens.Principal, r *run, err error) {
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
			r.refused[p] = true
		}
		h.log.WarnContext(ctx, "grant not refreshed", slog.String("principal", string(p)), slog.Any("error", err))
	}
}

// due lists the grants of a share that are due.
func (h *handler) due(ctx context.Context, s share) iter.Seq2[tokens.Principal, error] {
	return shards(s, h.now(), tokens.Shards, func(shard int) iter.Seq2[tokens.Principal, error] {
		return h.tokens.Upkeep().Due(ctx, shard, tokens.Ahead)
	})
}
