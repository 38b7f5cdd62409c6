package handler

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/upkeep/heartbeat"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// housekeeping does the work that no request waits for. A part that fails does not
// stop the other parts. Those before the checks take at most a fifth each of the time that
// they find, so that the checks, for which people wait, have at least two fifths. They are
// done once for all shares.
func (h *handler) housekeeping(ctx context.Context, s share) error {
	defer h.kept(ctx)
	if !s.first() {
		return h.checks(ctx, s)
	}
	return errors.Join(h.inbox.Beat(ctx), heartbeat.Write(ctx, h.store),
		fifth(ctx, h.rescued), fifth(ctx, h.moved), fifth(ctx, h.unheld), fifth(ctx, h.installed), h.checks(ctx, s))
}

// kept logs how far behind the checks are, in all and those that a person waits for. The
// line is also the schedule's heartbeat, and has its metric at any level.
func (h *handler) kept(ctx context.Context) {
	first, err := h.overdue(ctx, connections.First)
	oldest, err2 := h.overdue(ctx, connections.Routine)
	if err := errors.Join(err, err2); err != nil {
		h.log.ErrorContext(ctx, "oldest check not found", slog.Any("error", err))
		return
	}
	h.log.DebugContext(ctx, "housekeeping run finished",
		slog.Float64("oldest_check_s", max(first, oldest).Seconds()), slog.Float64("oldest_first_s", first.Seconds()))
}

// overdue returns how long the longest overdue check of a turn has been due.
func (h *handler) overdue(ctx context.Context, t connections.Turn) (time.Duration, error) {
	at, err := h.store.OldestCheck(ctx, t)
	if err != nil || at.IsZero() {
		return 0, err
	}
	return h.now().Sub(at), nil
}

// fifth runs a part with a fifth of the time that is left.
func fifth(ctx context.Context, part func(context.Context) error) error {
	if left, ok := procore.TimeLeft(ctx); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left/5)
		defer cancel()
	}
	return part(ctx)
}

// rescued stores the pairs that storage had rejected.
func (h *handler) rescued(ctx context.Context) error {
	n, err := h.rescue.Drain(ctx, h.tokens.Upkeep().Restore)
	if n > 0 {
		h.log.InfoContext(ctx, "rescued pairs stored", slog.Int("pairs", n))
	}
	return err
}

// maxUnanswered is after how many failures in a row Procore's API is taken to be down: the next run goes on. In an outage
// users try again and again, and each try is one more authorization.
const maxUnanswered = 3

// maxWaiting is how many authorizations a run lists, which is more than it can move.
const maxWaiting = 1000

// moved moves the pairs of authorizations whose browsers did not come back to the grants
// of their users.
func (h *handler) moved(ctx context.Context) error {
	var all []session.Session
	var errs []error
	for stale, err := range h.sessions.Sessions.Stale(ctx) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if all = append(all, stale); len(all) == maxWaiting {
			break
		}
	}
	unanswered := 0
	for _, stale := range inTurn(all, h.now()) {
		if outOfTime(ctx) || unanswered == maxUnanswered {
			break
		}
		err := h.move(ctx, stale)
		errs = append(errs, err)
		if unanswered++; !errors.Is(err, session.ErrProcore) {
			unanswered = 0
		}
	}
	return errors.Join(errs...)
}

// inTurn returns all, and begins with another one in each run, five minutes later. So one user about whom Procore does not
// answer keeps no other waiting for long.
func inTurn[T any](all []T, now time.Time) []T {
	if len(all) == 0 {
		return nil
	}
	first := int(now.Unix()/300) % len(all)
	return slices.Concat(all[first:], all[:first])
}

func (h *handler) move(ctx context.Context, stale session.Session) error {
	s, err := h.sessions.Move(ctx, stale)
	flow := slog.String("flow", stale.Flow)
	switch {
	case errors.Is(err, session.ErrEnded):
		h.log.InfoContext(ctx, "authorization abandoned", flow, slog.String("reason", string(s.Reason)))
		return nil
	case err != nil:
		return fmt.Errorf("authorization not moved to its grant: %w", err)
	}
	h.log.InfoContext(ctx, "authorization moved to its grant", flow, slog.String("principal", string(s.Principal)))
	return nil
}

// unheld revokes the grants by which no company was connected in time, or is connected
// any longer.
func (h *handler) unheld(ctx context.Context) error {
	var errs []error
	for p, err := range shards(whole, h.now(), tokens.Shards, func(shard int) iter.Seq2[tokens.Principal, error] { return h.tokens.Upkeep().Unheld(ctx, shard) }) {
		if outOfTime(ctx) {
			break
		}
		if err == nil {
			err = h.tokens.Upkeep().Revoke(ctx, p, "no company is connected by it")
		}
		if err != nil && !errors.Is(err, tokens.ErrHeld) { // its user is back
			errs = append(errs, fmt.Errorf("grant without a company not revoked: %w", err))
		}
	}
	return errors.Join(errs...)
}
