package provision

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// maxRounds bounds how often a pass observes. The longest way replaces a hook that Procore
// does not let stand beside its successor: refused, deleted, created, triggers, seen.
const maxRounds = 8

// hand is what a pass works with: one connection's client, and the company's lease.
type hand struct {
	client    *procore.CompanyClient
	by        tokens.Principal
	lease     *lease
	items     items
	recoverer *recovery.Recoverer
	log       *slog.Logger
	// reactivated reports whether the pass made a disabled hook active.
	reactivated bool
}

// converge observes, plans and applies until nothing is left to do.
func (h *hand) converge(ctx context.Context, want wanted, creatorLost bool) error {
	m := &h.lease.row.Memory
	creator := m.Creator
	if want.unhooked { // whatever becomes of a former hook
		if err := h.began(ctx, want, h.items.store.Tokens.Clock.Now()); err != nil || m.HookID == "" {
			return err // another hook cannot be ours, because none can have our URL
		}
	}
	for range maxRounds {
		have, err := observe(ctx, h.client, want, *m)
		if err != nil {
			m.adopt(have.hook.ID, h.by)
			return err
		}
		have.at, have.by = h.items.store.Tokens.Clock.Now(), h.by
		have.orphaned = creatorLost && have.hook.ID == m.HookID && m.Creator == creator && creator != h.by
		if have.orphaned {
			if have.waiting, err = h.waiting(ctx, have.hook.ID); err != nil {
				return vanished(err)
			}
		}
		h.report(ctx, have, *m)
		steps, next, problems := plan(want, have, *m)
		*m = next
		if err := h.began(ctx, want, have.at); err != nil {
			return err
		}
		if len(steps) == 0 {
			return problems
		}
		// Should the process end between two steps, the next pass must know what it adopted,
		// and for which version the triggers were made.
		if err := h.items.save(ctx, h.lease); err != nil {
			return err
		}
		for _, s := range steps {
			if err := h.step(ctx, want, s, have.at); err != nil {
				return err
			}
		}
	}
	return errors.New("the hook keeps changing")
}

// step makes a step of the plan, which observed at this time.
func (h *hand) step(ctx context.Context, want wanted, s step, at time.Time) error {
	if s.do == createHook {
		if err := h.connected(ctx); err != nil {
			return err
		}
	}
	m := &h.lease.row.Memory
	was := m.Credential
	err := apply(ctx, h.client, h.by, want, s, m)
	if m.Credential != "" && (m.Credential != was || m.CredentialAt.IsZero()) {
		m.CredentialAt = at
	}
	h.logStep(ctx, s, err)
	if err != nil {
		h.lease.unanswered = s.do == createHook && kindOf(err) == later
		return err
	}
	h.reactivated = h.reactivated || s.activate
	return nil
}

// connected returns an error if the connection does not work any more. It was read before the lease was taken, and
// between them another run may have ended it and deleted the hook.
func (h *hand) connected(ctx context.Context) error {
	c, err := h.items.store.Connection(ctx, connections.Key{CompanyID: h.lease.row.CompanyID, Principal: h.by})
	if err != nil {
		return err
	}
	return h.items.store.Works(ctx, c)
}

// waiting reports whether deliveries wait in the hook, or are still to be recovered from
// it: they would go with it.
func (h *hand) waiting(ctx context.Context, id procore.ID) (bool, error) {
	for _, status := range []procore.DeliveryStatus{procore.DeliveryRetrying, procore.DeliveryEnqueued} {
		for _, err := range h.client.Deliveries(ctx, id, procore.DeliveryFilter{Status: status}) {
			return true, err
		}
	}
	result, err := h.recover(ctx)
	return result.More, err
}

// recover stores what Procore discarded of the company's hook, and how far it came. After
// that the credential is set again: one that was changed at Procore by hand would be
// refused for ever, and Procore does not show it.
func (h *hand) recover(ctx context.Context) (recovery.Result, error) {
	row := &h.lease.row
	result, progress, err := h.recoverer.Recover(ctx, h.client, row.HookID, row.Recovery)
	row.Recovery, row.Recovered = progress, row.Recovered+int64(result.Stored)
	if result.Stored > 0 {
		row.Credential = ""
	}
	return result, err
}

// report logs other deployments' hooks, once each, and that a hook keeps its place because
// deliveries wait in it.
func (h *hand) report(ctx context.Context, have observed, m Memory) {
	company := slog.Int64("company_id", h.client.CompanyID())
	for _, id := range have.foreign {
		if !slices.Contains(m.Foreign, id) {
			h.log.WarnContext(ctx, "hook in our namespace has another URL", company, slog.String("hook_id", id.String()))
		}
	}
	if have.waiting {
		h.log.WarnContext(ctx, "hook not replaced yet, deliveries pending", company, slog.String("hook_id", have.hook.ID.String()))
	}
}

// logStep logs a change at Procore. An error is in the result of the pass.
func (h *hand) logStep(ctx context.Context, s step, err error) {
	if err != nil {
		return
	}
	names := make([]string, 0, len(s.repairs))
	for _, r := range s.repairs {
		names = append(names, r.Field)
	}
	attrs := []any{slog.Int64("company_id", h.client.CompanyID()), slog.String("hook_id", h.lease.row.HookID.String()), slog.Any("because", names)}
	if s.activate {
		h.log.WarnContext(ctx, "hook reactivated", attrs...)
		return
	}
	h.log.InfoContext(ctx, "hook step", append(attrs, slog.String("step", s.do.String()))...)
}
