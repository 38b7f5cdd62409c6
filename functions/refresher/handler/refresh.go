package handler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"procore-connect/internal/platform/secrets"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// defaultWindow is how many refreshes of a run are in flight at most. An outage costs them.
	defaultWindow = 10
	// maxRefused is how many principals' refresh tokens one run lets Procore refuse
	// without a success. An endpoint that is given another app's valid credentials
	// refuses every token, and each is spent.
	maxRefused = 10
)

// refresh keeps the grants that are in use fresh. It probes Procore's token
// endpoint first, and starts slowly, so that an outage that begins now costs few
// tokens. If nothing is due, it does not probe, unless the breaker waits for it.
func (h *handler) refresh(ctx context.Context, s share) error {
	run := run{window: 1, most: cmp.Or(h.window, defaultWindow), outcomes: make(chan outcome)}
	defer h.finished(ctx, &run)
	next, stop := iter.Pull2(h.due(ctx, s))
	defer stop()
	p, found := run.next(next)
	err := h.probe(ctx, found)
	if errors.Is(err, secrets.ErrNotFilledIn) {
		h.log.WarnContext(ctx, "refresh skipped, client id and secret not set")
		return nil // no user can have connected
	}
	if err != nil {
		return errors.Join(append(run.errs, fmt.Errorf("nothing refreshed: %w", err))...)
	}
	for {
		for ; found && run.room() && !outOfTime(ctx); p, found = run.next(next) {
			h.begin(ctx, p, &run)
		}
		if run.inFlight == 0 {
			return errors.Join(run.errs...)
		}
		h.count(ctx, <-run.outcomes, &run)
	}
}

// probe probes the token endpoint if a grant is due, or if the breaker waits for it.
func (h *handler) probe(ctx context.Context, due bool) error {
	b, err := h.tokens.Upkeep().Breaker(ctx)
	if err != nil || !due && b.AtRest() {
		return err
	}
	return h.tokens.Upkeep().Probe(ctx)
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

// run is one run of refresh, which alone uses it.
type run struct {
	window, most int // refreshes that may be in flight now, and later; 0 after the run stopped
	inFlight     int
	outcomes     chan outcome // of those in flight

	refreshed, failed int
	overwritten       int // with the monthly sandbox, as expected
	refused           int // tokens since the last success
	departed          int // connections whose users left their company
	unchecked         int // departure checks that failed
	errs              []error
}

// outcome is what came of one grant.
type outcome struct {
	principal tokens.Principal
	err       error
	departed  int
	unchecked bool
}

// room reports whether another refresh may begin.
func (r *run) room() bool { return r.inFlight < r.window }

// stop lets no more refreshes begin. Those in flight end.
func (r *run) stop(reason error) {
	if r.most > 0 {
		r.window, r.most = 0, 0
		r.errs = append(r.errs, fmt.Errorf("the run stops: %w", reason))
	}
}

// next returns the next grant of the list. A row that cannot be read does not stop the
// rest.
func (r *run) next(list func() (tokens.Principal, error, bool)) (p tokens.Principal, found bool) {
	for {
		p, err, ok := list()
		if err == nil || !ok {
			return p, ok
		}
		r.errs = append(r.errs, err)
	}
}

// begin refreshes a grant, and checks whether its user is still there.
func (h *handler) begin(ctx context.Context, p tokens.Principal, r *run) {
	r.inFlight++
	check := r.unchecked < maxUnchecked
	go func() {
		access, err := h.renew(ctx, p)
		o := outcome{principal: p, err: err}
		if err == nil && check {
			o.departed, o.unchecked = h.checkUser(ctx, p, access)
		}
		r.outcomes <- o
	}()
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

// count counts an outcome, and decides how many refreshes may be in flight from then on:
// one more after each success, and fewer after a failure.
func (h *handler) count(ctx context.Context, o outcome, r *run) {
	r.inFlight--
	r.departed += o.departed
	if o.unchecked {
		r.unchecked++
	}
	switch {
	case o.err == nil:
		r.refreshed++
		r.refused, r.window = 0, min(r.window+1, r.most)
	case errors.Is(o.err, tokens.ErrOverwritten):
		r.overwritten++
	default:
		r.failed++
		h.log.WarnContext(ctx, "grant not refreshed", slog.String("principal", string(o.principal)), slog.Any("error", o.err))
		h.slow(ctx, o.err, r)
	}
}

// slow slows the run after a failure, or stops it. After a refusal a refresh begins only if
// those in flight and the tokens refused in a row are maxRefused at most.
func (h *handler) slow(ctx context.Context, failure error, r *run) {
	if e, ok := errors.AsType[*procore.TokenError](failure); ok && e.Outcome == procore.Refused {
		if r.refused++; r.refused >= maxRefused {
			r.stop(fmt.Errorf("refresh tokens of %d users in a row were refused by Procore; check the client id", r.refused))
		}
		r.window = min(r.window, maxRefused-r.refused)
	}
	switch b, err := h.tokens.Upkeep().Breaker(ctx); {
	case err != nil:
		r.stop(err)
	case b.Open:
		r.stop(errors.New(b.Reason))
	case !b.AtRest():
		r.window = min(r.window, 1) // each refresh is a trial
	}
}

// due lists the grants of a share that are due.
func (h *handler) due(ctx context.Context, s share) iter.Seq2[tokens.Principal, error] {
	return shards(s, h.now(), tokens.Shards, func(shard int) iter.Seq2[tokens.Principal, error] {
		return h.tokens.Upkeep().Due(ctx, shard, tokens.Ahead)
	})
}
