package handler

import (
	"context"
	"errors"

	"procore-connect/internal/platform/secrets"
)

// installed connects the companies that have installed the app, and ends the connections
// of those that uninstalled it, if the app works with its service account.
func (h *handler) installed(ctx context.Context) error {
	if h.installations == nil {
		return nil
	}
	err := h.installations.Reconcile(ctx)
	if errors.Is(err, secrets.ErrNotFilledIn) {
		h.log.WarnContext(ctx, "installations not listed, client id and secret not set")
		return nil // no company can have installed the app
	}
	return err
}
