package handler

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
)

const (
	// byUser is why a connection ends that its user disconnects.
	byUser = "its user disconnected it"
	// hookTimeout bounds the end of a connection with its hook. What Procore does not answer
	// in that time does not keep the user from leaving.
	hookTimeout = 13 * time.Second
	// endTimeout bounds the end of a connection alone, and its grant's revocation. Some
	// seconds of the page's time remain to show what became of it.
	endTimeout = 8 * time.Second
)

// ask shows what the end of the connection would end. It changes nothing.
func (h *handler) ask(w http.ResponseWriter, r *http.Request, s session.Session, cookie procore.Secret, c connections.Connection) {
	token, err := h.sessions.CSRFToken(r.Context(), s, cookie)
	var others int
	var installed bool
	if err == nil {
		others, installed, err = h.others(r.Context(), c.Key)
	}
	if err != nil {
		h.fail(w, r, s.Flow, err)
		return
	}
	h.pages.Disconnect(w, r, pages.Ending{
		CompanyID: c.CompanyID, CompanyName: c.CompanyName, UserName: c.UserName,
		Webhooks: webhookStatus(c.Webhooks), Others: others, Installed: installed, Flow: s.Flow, CSRF: token,
	})
}

// disconnect ends the connection that the browser's flow made, and no other one: the form
// names the flow, and the flow's row the company and the user. A second click, and one in
// another tab, lead to the page of what the first one did.
func (h *handler) disconnect(w http.ResponseWriter, r *http.Request) {
	if !h.readForm(w, r) {
		return
	}
	flow := r.PostForm.Get(pages.FieldFlow)
	s, cookie, err := h.find(r, flow)
	if isOver(err) {
		h.pages.Problem(w, r, pages.ReturnExpired())
		return
	}
	ok := false
	if err == nil {
		ok, err = h.sessions.CheckCSRFToken(r.Context(), s, cookie, procore.NewSecret(r.PostForm.Get(pages.FieldCSRF)))
	}
	switch {
	case err != nil:
		h.fail(w, r, flow, err)
		return
	case !ok:
		h.pages.Problem(w, r, pages.FormRefused())
		return
	case s.Status != session.Connected:
		h.pages.Redirect(w, companiesPath(flow))
		return
	}
	c, ok := h.own(w, r, s)
	if !ok {
		return
	}
	if !c.HasEnded() {
		err = h.end(r.Context(), c)
	}
	if err != nil {
		h.pages.Problem(w, r, pages.StorageUnavailable().Retry(disconnectPath(flow)))
		return
	}
	h.pages.Redirect(w, connectedPath(flow))
}

// end ends a connection as it was seen, with its hook if it is the company's last one that
// works. The connection ends even if Procore does not answer: then the hook remains, and
// housekeeping revokes the grant. An error means that it has not ended. While another run
// has the company's lease, its hook could not be deleted: the user tries again.
func (h *handler) end(ctx context.Context, seen connections.Connection) error {
	err := within(ctx, cmp.Or(h.hookWait, hookTimeout), seen, h.hooks.EndSeen)
	if err != nil && !errors.Is(err, provision.ErrBusy) && !h.hasEnded(ctx, seen) {
		h.log.WarnContext(ctx, "hook cleanup for ended connection failed", slog.Any("", seen.Key), slog.Any("error", err))
		err = within(ctx, endTimeout, seen, h.connections.EndSeen)
	}
	if err != nil {
		gateway.Note(ctx, slog.Any("error", err))
		if !h.hasEnded(ctx, seen) {
			return err
		}
	}
	gateway.Note(ctx, slog.String("outcome", "disconnected"))
	return nil
}

func within(ctx context.Context, limit time.Duration, seen connections.Connection, end func(context.Context, connections.Connection, string) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return end(ctx, seen, byUser)
}

// hasEnded reports whether a connection has ended since it was seen, or was made again.
func (h *handler) hasEnded(ctx context.Context, seen connections.Connection) bool {
	c, err := h.connections.Connection(ctx, seen.Key)
	return err == nil && (c.HasEnded() || c.Origin != seen.Origin)
}
