package handler

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"procore-connect/internal/connect/choice"
	"procore-connect/internal/connect/linked"
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// pageTimeout bounds all that one page waits for. The gateway waits 30 seconds.
	pageTimeout = 25 * time.Second
	// maxReads bounds the reads of other users' grants at a time.
	maxReads = 16
	// maxForm bounds the form's body.
	maxForm = 16 << 10
)

// handler lets a user choose one company. Before the choice it calls only /me and
// /companies: any other call would install the app.
//
// https://developers.procore.com/documentation/api-call-sequencing
type handler struct {
	public      string // PUBLIC_URL without a trailing slash
	principals  config.Principals
	allowed     config.Companies
	webhooks    connections.Webhooks // of a new connection; empty: off
	next        string               // PRODUCT_URL
	links       linked.Links
	sessions    *session.Store
	tokens      *tokens.Store
	connections *connections.Store
	hooks       *provision.Reconciler
	inbox       *inbox.Store
	cookies     session.Cookies
	pages       *pages.Pages
	log         *slog.Logger
	hookWait    time.Duration // for the end of a connection with its hook; zero means hookTimeout
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /companies", inTime(h.list))
	mux.HandleFunc("HEAD /companies", inTime(h.peek))
	mux.HandleFunc("POST /companies", h.sameOrigin(inTime(h.choose)))
	mux.HandleFunc("GET /connected", inTime(h.connected))
	mux.HandleFunc("POST /connected", h.sameOrigin(inTime(h.disconnect)))
	mux.HandleFunc("GET /return", inTime(h.leadBack))
	mux.HandleFunc("POST "+link.PathRedeem, inTime(h.redeem))
	return h.pages.Handler(mux)
}

// inTime ends what a page waits for, so that it can still be shown.
func inTime(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

// errFinished means that the session led to a connection, whose page is no longer shown.
var errFinished = errors.New("the authorization has led to a connection, and is over")

// errOnceMore means that the session was abandoned because its pair was stale, for the
// first time: the browser goes through the authorization once more.
var errOnceMore = errors.New("the authorization has to be repeated")

// find returns the browser's session of the flow. An abandoned one is an error.
func (h *handler) find(r *http.Request, flow string) (s session.Session, cookie procore.Secret, err error) {
	cookie = h.cookies.Value(r, flow)
	s, err = h.sessions.Find(r.Context(), flow, cookie)
	switch {
	case err == nil:
		err = onceMore(s, s.Err())
	case errors.Is(err, session.ErrExpired) && s.Status == session.Abandoned:
		err = s.Err()
	case errors.Is(err, session.ErrExpired) && s.Status == session.Connected:
		err = errFinished
	}
	return s, cookie, err
}

// onceMore returns errOnceMore in place of the error of a stale authorization, unless that
// repeated another one.
func onceMore(s session.Session, err error) error {
	if errors.Is(err, session.ErrStale) && !s.Again {
		return errOnceMore
	}
	return err
}

// reread reads a session that another tab, or housekeeping, has changed in the meantime.
func (h *handler) reread(ctx context.Context, s session.Session) (session.Session, error) {
	s, err := h.sessions.Reread(ctx, s)
	switch {
	case err != nil:
		return s, err
	case s.Flow == "": // it was canceled, and deleted since
		return s, session.ErrCanceled
	}
	return s, s.Err()
}

// moved moves the session's pair to the user's grant, if it still has one.
func (h *handler) moved(ctx context.Context, s session.Session) (session.Session, error) {
	s, err := session.Handover{Sessions: h.sessions, Tokens: h.tokens}.Move(ctx, s)
	if err == nil && s.Principal == "" {
		err = session.ErrUsed // the browser has not come back from Procore
	}
	return s, onceMore(s, err)
}

func companiesPath(flow string) string { return path(pages.PathCompanies, flow) }

func connectedPath(flow string) string { return path(pages.PathConnected, flow) }

func disconnectPath(flow string) string {
	return connectedPath(flow) + "&" + pages.FieldDisconnect + "=1"
}

func path(to, flow string) string { return to + "?" + url.Values{pages.FieldFlow: {flow}}.Encode() }

// fail shows the page for an error, with a next step in this flow. Errors become
// pages here and nowhere else.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, flow string, err error) {
	switch {
	case errors.Is(err, errFinished):
		h.pages.Redirect(w, connectedPath(flow))
		return
	case errors.Is(err, errOnceMore):
		gateway.Note(r.Context(), slog.String("outcome", "repeated"))
		h.pages.Redirect(w, path(pages.PathStart, flow))
		return
	}
	gateway.Note(r.Context(), slog.Any("error", err))
	p := problem(err)
	switch p.Code {
	case pages.ChoiceUsed().Code:
		p.ActionURL = connectedPath(flow)
	case pages.ProcoreUnreachable().Code, pages.StorageUnavailable().Code:
		p = p.Retry(companiesPath(flow))
		if flow == "" {
			p = p.Retry(pages.PathConnected)
		}
	}
	h.stop(w, r, flow, p)
}

// over are the errors after which only another authorization helps.
var over = []error{
	session.ErrUnknown, session.ErrExpired, session.ErrEnded, procore.ErrUnauthorized,
	tokens.ErrNotFound, tokens.ErrReauthorize, tokens.ErrRevoked,
}

func problem(err error) pages.Problem {
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case is(session.ErrCanceled):
		return pages.Canceled()
	case is(session.ErrStale):
		p := pages.AuthorizationFailed()
		p.Status = http.StatusBadGateway // no visitor can cause this one
		return p
	case slices.ContainsFunc(over, is):
		return pages.ChoiceExpired()
	case is(session.ErrUsed), is(tokens.ErrUsed):
		return pages.ChoiceUsed()
	case is(choice.ErrProcore), is(session.ErrProcore):
		return pages.ProcoreUnreachable()
	}
	return pages.StorageUnavailable()
}
