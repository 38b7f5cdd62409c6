package consumer

import (
	"context"
	"log/slog"

	"procore-connect/pkg/procore"
)

// superseded reports whether a newer event of the resource is stored that makes this one
// needless, because both read the resource as it is now. That event must be of the same
// type, or the work of a create would be lost, and must certainly not be an own change, or
// neither would be handled. What an operator replays is never superseded.
func (h *handler) superseded(ctx context.Context, e procore.Event) bool {
	if !e.ReplayedAt.IsZero() {
		return false
	}
	newer, err := h.inbox.Newer(ctx, e, func(n procore.Event) bool { return n.Type == e.Type && h.foreign(ctx, n) })
	if err != nil {
		h.log.WarnContext(ctx, "check for newer events failed", describe(e), slog.Any("error", err))
	}
	return newer
}

// foreign reports whether a change was certainly not made by this app. Payloads v2.0 and
// v3.0 name the app of a change, if an app made it. v4.0 names the user alone, and this app
// makes changes as one user only where the service account is connected. A reconciled
// change may be of anyone.
func (h *handler) foreign(ctx context.Context, n procore.Event) bool {
	if err := h.mark(ctx, &n); err != nil || isOwn(n) || n.Reconciled {
		return false
	}
	if n.SelfOriginated != nil || n.PayloadVersion != "v4.0" {
		return true
	}
	account, err := h.store.ServiceAccountUser(ctx, n.CompanyID)
	return err == nil && account != 0 && n.UserID != 0
}
