package provision

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
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
	s, companyID := h.items.store, h.lease.row.CompanyID
	due := new(dynamo.Expression).SetAbsent(s.InTurn(connections.Reconciliation, companyID, at))
	if err := dynamo.Write(ctx, s.DB, due.Update(s.Table, s.Row(strconv.FormatInt(companyID, 10), string(connections.Reconciliation)))); err != nil {
		return fmt.Errorf("hooks: company %d not scheduled for reconciliation: %w", companyID, err)
	}
	m.Since = at
	return nil
}
