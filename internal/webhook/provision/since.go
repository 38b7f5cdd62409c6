package provision

import (
	"context"
	"fmt"
	"time"
)

// began notes, before the hook's first trigger is created, since when changes may be
// reported, and makes the company's row of reconciliation due, unless it has a turn.
// internal/webhook/reconcile owns that row. Where no hook can be, it does so at the first pass.
func (h *hand) began(ctx context.Context, want wanted, at time.Time) error {
	m := &h.lease.row.Memory
	reports := m.HookID != "" && !want.off
	if !m.Since.IsZero() || !reports && !want.unhooked {
		return nil
	}
	if err := h.items.store.Begin(ctx, h.lease.row.CompanyID, at); err != nil {
		return fmt.Errorf("hooks: %w", err)
	}
	m.Since = at
	return nil
}
