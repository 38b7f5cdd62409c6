package handler

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// lastEventTimeout bounds the reading of when the last event arrived, without which the
	// page is shown too.
	lastEventTimeout = 2 * time.Second
	// checkingFor is how long after a company was connected its page is loaded again and again
	// while the webhook is being set up, which takes one run of housekeeping.
	checkingFor = 10 * time.Minute
)

// connected shows the state of the connection to the browser that made it: of the flow in
// the address, or of the browser's newest one. Any other visitor sees what the app is,
// because Procore sends installers here, or whether a company of the service account is
// connected.
func (h *handler) connected(w http.ResponseWriter, r *http.Request) {
	flow := r.URL.Query().Get(pages.FieldFlow)
	if q := r.URL.Query(); h.principals.ServiceAccount && flow == "" && q.Has(pages.FieldCompany) {
		h.installed(w, r, q.Get(pages.FieldCompany))
		return
	}
	s, cookie, err := h.returning(r, flow)
	if h.atOtherHost(w, r, flow, err) {
		return
	}
	if err == nil && s.Status != session.Connected {
		h.pages.Redirect(w, companiesPath(flow))
		return
	}
	if isOver(err) {
		h.pages.ConnectedVisitor(w, r)
		return
	}
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if r.Method == http.MethodGet { // the answer to the choice, which sent it too, may be lost
		h.cookies.Keep(w, s.Flow, cookie, s.Expires.Sub(h.sessions.Clock.Now()))
	}
	c, ok := h.own(w, r, s)
	switch {
	case !ok:
	case r.URL.Query().Has(pages.FieldDisconnect) && !c.HasEnded():
		h.ask(w, r, s, cookie, c)
	default:
		h.present(w, r, s, c)
	}
}

// returning returns the browser's session of the flow, or without a flow that of its newest
// connection, which is an ErrUnknown if it has none. It reads at most eight rows.
func (h *handler) returning(r *http.Request, flow string) (newest session.Session, cookie procore.Secret, err error) {
	if flow != "" {
		return h.find(r, flow)
	}
	for _, flow := range h.cookies.Flows(r) {
		s, value, err := h.find(r, flow)
		switch {
		case isOver(err), err == nil && s.Status != session.Connected:
		case err != nil:
			return s, value, err
		case newest.Flow == "" || !s.Expires.Before(newest.Expires):
			newest, cookie = s, value
		}
	}
	if newest.Flow == "" {
		err = session.ErrUnknown
	}
	return newest, cookie, err
}

// isOver reports whether an error means that the browser's session opens no page.
func isOver(err error) bool {
	for _, over := range []error{session.ErrUnknown, session.ErrExpired, session.ErrEnded, errFinished, errOnceMore} {
		if errors.Is(err, over) {
			return true
		}
	}
	return false
}

// own reads the connection that the session made. It shows a page itself, and returns
// false, for one that is gone, or that the user made again by another flow: a browser shows
// and ends no other connection than its own. One that has ended is shown as such.
func (h *handler) own(w http.ResponseWriter, r *http.Request, s session.Session) (c connections.Connection, ok bool) {
	key := connections.Key{CompanyID: s.CompanyID, Principal: s.Principal}
	gateway.Note(r.Context(), slog.Any("", key))
	c, err := h.connections.Connection(r.Context(), key)
	switch {
	case errors.Is(err, connections.ErrNotFound): // the company was erased
		h.pages.Problem(w, r, pages.Revoked(""))
	case err != nil:
		h.fail(w, r, s.Flow, err)
	case c.Origin != s.Flow && !c.HasEnded():
		h.madeAgain(w, r, c)
	default:
		return c, true
	}
	return c, false
}

// madeAgain leads to the page of the connection that replaced this one, if this browser made
// that too.
func (h *handler) madeAgain(w http.ResponseWriter, r *http.Request, c connections.Connection) {
	if _, _, err := h.find(r, c.Origin); err == nil {
		h.pages.Redirect(w, connectedPath(c.Origin))
		return
	}
	h.pages.Problem(w, r, pages.ConnectedAgain(c.CompanyName))
}

// present shows a connection, or why it does not work.
func (h *handler) present(w http.ResponseWriter, r *http.Request, s session.Session, c connections.Connection) {
	failed := h.connections.Works(r.Context(), c)
	works, p, err := working(c, failed)
	p = p.InCompany(c.CompanyID)
	switch {
	case err != nil:
		h.fail(w, r, s.Flow, err)
		return
	case !works && !c.HasEnded():
		h.pages.Problem(w, r, p.Disconnectable(disconnectPath(s.Flow)))
		return
	case !works:
		h.pages.Problem(w, r, p)
		return
	}
	others, _, err := h.others(r.Context(), c.Key)
	if err != nil {
		h.fail(w, r, s.Flow, err)
		return
	}
	h.pages.Connected(w, r, pages.Connection{
		CompanyID: c.CompanyID, CompanyName: c.CompanyName, UserName: c.UserName, Paused: failed != nil,
		Webhooks: webhookStatus(c.Webhooks), LastEvent: h.lastEvent(r.Context(), c), Checks: h.checks(r, c),
		Reconnected: c.Renewed(), Others: others, Until: s.Expires, NextURL: h.nextOf(s), Flow: s.Flow, Tenant: tenant(s),
	})
}

// checks reports whether the browser loads the page of a connection again. The time since it
// was made bounds that, whatever the address is.
func (h *handler) checks(r *http.Request, c connections.Connection) bool {
	return h.sessions.Clock.Now().Before(c.ConnectedAt.Add(checkingFor)) && !r.URL.Query().Has(pages.FieldStill)
}

// lastEvent returns how long ago the company's last event arrived, or nil if that is not
// known in time.
func (h *handler) lastEvent(ctx context.Context, c connections.Connection) *time.Duration {
	if c.Webhooks == connections.WebhooksOff || c.Webhooks == connections.WebhooksPending {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lastEventTimeout)
	defer cancel()
	at, err := h.inbox.Last(ctx, c.CompanyID)
	switch {
	case err != nil:
		gateway.Note(ctx, slog.String("last_event_error", err.Error()))
		return nil
	case at.IsZero():
		return new(pages.Never)
	}
	return new(max(h.sessions.Clock.Now().Sub(at), 0))
}

// working reports whether a connection and its grant work, by the error of the
// connection's calls. For one that does not, it returns the page.
func working(c connections.Connection, err error) (works bool, p pages.Problem, unknown error) {
	switch {
	case err == nil, errors.Is(err, connections.ErrPaused):
		return true, p, nil
	case errors.Is(err, connections.ErrDisconnected):
		return false, pages.Disconnected(c.CompanyName), nil
	case errors.Is(err, connections.ErrEnded) && c.Reason == byUser:
		return false, pages.EndedByUser(c.CompanyName), nil
	case errors.Is(err, connections.ErrEnded), errors.Is(err, tokens.ErrRevoked):
		return false, pages.Revoked(c.CompanyName), nil
	case errors.Is(err, tokens.ErrReauthorize):
		return false, pages.Reauthorize(c.CompanyName), nil
	}
	return false, p, err
}

// others counts other users' working connections of the same company, and reports whether
// the service account's works.
func (h *handler) others(ctx context.Context, mine connections.Key) (users int, installed bool, err error) {
	var n atomic.Int64
	calls, within := errgroup.WithContext(ctx)
	calls.SetLimit(maxReads)
	for c, err := range h.connections.Company(ctx, mine.CompanyID) {
		if err != nil {
			return 0, false, errors.Join(err, calls.Wait())
		}
		switch c.Principal {
		case mine.Principal:
			continue
		case tokens.App:
			works, _, _ := working(c, h.connections.Works(ctx, c)) // its row alone decides
			installed = works
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
	err = calls.Wait()
	return int(n.Load()), installed, err
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
