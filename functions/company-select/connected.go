package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// connected shows the state of the connection to the browser that made it. Any other
// visitor sees what the app is, because Procore sends installers here, or whether a
// company of the service account is connected.
func (h *handler) connected(w http.ResponseWriter, r *http.Request) {
	flow := r.URL.Query().Get(pages.FieldFlow)
	if q := r.URL.Query(); h.principals.ServiceAccount && flow == "" && q.Has(pages.FieldCompany) {
		h.installed(w, r, q.Get(pages.FieldCompany))
		return
	}
	s, _, err := h.find(r, flow)
	if h.atOtherHost(w, r, flow, err) {
		return
	}
	if err == nil && s.Status != session.Connected {
		h.pages.Redirect(w, companiesPath(flow))
		return
	}
	for _, over := range []error{session.ErrUnknown, session.ErrExpired, session.ErrEnded, errFinished, errOnceMore} {
		if errors.Is(err, over) {
			h.pages.ConnectedVisitor(w, r)
			return
		}
	}
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	key := connections.Key{CompanyID: s.CompanyID, Principal: s.Principal}
	gateway.Note(r.Context(), slog.Any("", key))
	c, err := h.connections.Connection(r.Context(), key)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	works, p, err := working(c, h.connections.Works(r.Context(), c))
	switch {
	case err != nil:
		h.fail(w, r, flow, err)
		return
	case !works:
		h.pages.Problem(w, r, p)
		return
	}
	others, err := h.others(r.Context(), c.Key)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	h.pages.Connected(w, r, pages.Connection{
		CompanyID: c.CompanyID, CompanyName: c.CompanyName, UserName: c.UserName,
		Webhooks: webhookStatus(c.Webhooks), Reconnected: c.Renewed(), Others: others, NextURL: h.next, Flow: flow,
	})
}

// working reports whether a connection and its grant work, by the error of the
// connection's calls. For one that does not, it returns the page.
func working(c connections.Connection, err error) (works bool, p pages.Problem, unknown error) {
	switch {
	case err == nil, errors.Is(err, connections.ErrPaused):
		return true, p, nil
	case errors.Is(err, connections.ErrDisconnected):
		return false, pages.Disconnected(c.CompanyName), nil
	case errors.Is(err, connections.ErrEnded), errors.Is(err, tokens.ErrRevoked):
		return false, pages.Revoked(c.CompanyName), nil
	case errors.Is(err, tokens.ErrReauthorize):
		return false, pages.Reauthorize(c.CompanyName), nil
	}
	return false, p, err
}

// others counts other users' working connections of the same company.
func (h *handler) others(ctx context.Context, mine connections.Key) (int, error) {
	var n atomic.Int64
	calls, within := errgroup.WithContext(ctx)
	calls.SetLimit(maxReads)
	for c, err := range h.connections.Company(ctx, mine.CompanyID) {
		if err != nil {
			return 0, errors.Join(err, calls.Wait())
		}
		if c.Principal == mine.Principal || c.Principal == tokens.App {
			continue
		}
		calls.Go(func() error {
			works, _, err := working(c, h.connections.Works(within, c))
			if works {
				n.Add(1)
			}
			return err
		})
	}
	err := calls.Wait()
	return int(n.Load()), err
}

func webhookStatus(w connections.Webhooks) pages.WebhookStatus {
	switch w {
	case connections.WebhooksPending:
		return pages.WebhooksPending
	case connections.WebhooksActive:
		return pages.WebhooksActive
	case connections.WebhooksNeedsAdmin:
		return pages.WebhooksNeedsAdmin
	}
	return pages.WebhooksOff
}
