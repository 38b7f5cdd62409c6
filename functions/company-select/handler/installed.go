package handler

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// installed answers any visitor whether a company is connected by its installation. It reads
// one row, and shows no name: docs/SECURITY.md lists what anyone learns.
func (h *handler) installed(w http.ResponseWriter, r *http.Request, asked string) {
	id, err := strconv.ParseInt(strings.TrimSpace(asked), 10, 64)
	if err != nil || id <= 0 {
		h.pages.NotACompany(w, r)
		return
	}
	key := connections.Key{CompanyID: id, Principal: tokens.App}
	gateway.Note(r.Context(), slog.Any("", key))
	c, err := h.connections.Connection(r.Context(), key)
	if err == nil {
		err = h.connections.Works(r.Context(), c)
	}
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case err == nil:
		h.pages.Installed(w, r, id, webhookStatus(c.Webhooks), h.checks(r, c), h.next)
	case is(connections.ErrNotFound), is(connections.ErrEnded):
		h.pages.NotInstalled(w, r, id, pages.InstallationNone)
	case is(connections.ErrDisconnected), is(connections.ErrPaused):
		h.pages.NotInstalled(w, r, id, pages.InstallationRefused)
	default:
		gateway.Note(r.Context(), slog.Any("error", err))
		h.pages.Problem(w, r, pages.StorageUnavailable().Retry(pages.PathConnected+"?"+pages.FieldCompany+"="+strconv.FormatInt(id, 10)))
	}
}
