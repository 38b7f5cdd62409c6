package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// callTimeout bounds one page's calls to Procore. The gateway waits 30 seconds.
	callTimeout = 15 * time.Second
	// maxCompanies bounds the list of a user's companies.
	maxCompanies = 2000
	// maxForm bounds the form's body.
	maxForm = 16 << 10
)

// handler lets a user choose one company. Before the choice it calls only /me and
// /companies: any other call would install the app.
//
// https://developers.procore.com/documentation/api-call-sequencing
type handler struct {
	environment procore.Environment
	public      string // PUBLIC_URL without a trailing slash
	allowed     config.Companies
	webhooks    bool   // triggers are configured
	next        string // PRODUCT_URL
	sessions    *session.Store
	store       *tokens.Store
	cookies     session.Cookies
	pages       *pages.Pages
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /companies", h.list)
	mux.HandleFunc("POST /companies", h.sameOrigin(h.choose))
	mux.HandleFunc("GET /connected", h.connected)
	return h.pages.Handler(mux)
}

// list shows the user's companies.
func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	h.show(w, r, q.Get(pages.FieldFlow), q.Get(pages.FieldFilter), false)
}

// errCanceled means that the user, or housekeeping, has ended the session.
var errCanceled = errors.New("the authorization was ended before a company was connected")

// errFinished means that the session led to a connection, whose page is no longer shown.
var errFinished = errors.New("the authorization has led to a connection, and is over")

// find returns the browser's session of the flow. A session of another environment,
// from before a change of the configuration, counts as unknown: its pair must not be
// sent to this one.
func (h *handler) find(r *http.Request, flow string) (s session.Session, cookie procore.Secret, err error) {
	cookie = h.cookies.Value(r, flow)
	s, err = h.sessions.Find(r.Context(), flow, cookie)
	switch {
	case err == nil && s.Environment != h.environment.Name:
		err = session.ErrUnknown
	case errors.Is(err, session.ErrExpired) && s.Status == session.Abandoned:
		err = errCanceled
	case errors.Is(err, session.ErrExpired) && s.Status == session.Connected:
		err = errFinished
	}
	return s, cookie, err
}

// reread reads a session that another tab, or housekeeping, has changed in the meantime.
func (h *handler) reread(ctx context.Context, s session.Session) (session.Session, error) {
	s, err := h.sessions.Reread(ctx, s)
	if err == nil && (s.Status == session.Abandoned || s.Status == "") { // "" if it was deleted since
		err = errCanceled
	}
	return s, err
}

func (h *handler) show(w http.ResponseWriter, r *http.Request, flow, filter string, noneSent bool) {
	s, cookie, err := h.find(r, flow)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if s.Status == session.Connected {
		h.pages.Redirect(w, connectedPath(flow))
		return
	}
	u, err := h.user(r.Context(), s)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if len(u.companies) == 0 {
		h.pages.Problem(w, r, pages.NoCompanies())
		return
	}
	token, err := h.sessions.CSRFToken(r.Context(), s, cookie)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	h.pages.Choose(w, r, pages.Choice{
		UserName: u.me.Name, Flow: flow, CSRF: token, Companies: h.choices(u.companies), More: u.more,
		Filter: filter, NoneSent: noneSent,
	})
}

func (h *handler) choices(companies []procore.Company) []pages.Company {
	out := make([]pages.Company, len(companies))
	for i, c := range companies {
		out[i] = pages.Company{ID: c.ID, Name: c.Name, State: h.state(c)}
	}
	return out
}

func (h *handler) state(c procore.Company) pages.CompanyState {
	switch {
	case !c.IsActive:
		return pages.Inactive
	case !h.allowed.Admits(c.ID):
		return pages.NotAdmitted
	}
	return pages.Available
}

// user is the user who authorized, as Procore describes them.
type user struct {
	pair      procore.Token
	me        procore.Me
	companies []procore.Company
	more      bool // there are more than maxCompanies
}

// name returns Procore's name of one of the user's companies.
func (u user) name(companyID int64) string {
	for _, c := range u.companies {
		if c.ID == companyID {
			return c.Name
		}
	}
	return ""
}

// errProcore marks the errors of calls to Procore. All other errors are storage's.
var errProcore = errors.New("the user's companies could not be read")

func (h *handler) user(ctx context.Context, s session.Session) (user, error) {
	pair, err := h.sessions.Pair(ctx, s)
	if err != nil {
		return user{}, err
	}
	u := user{pair: pair}
	// The pair is not refreshed: an access token is valid for longer than the choice may take.
	client := procore.NewUserClient(h.environment, h.store.Bearer(h.environment, pair.AccessToken), h.store.Seams()...)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	calls, ctx := errgroup.WithContext(ctx)
	calls.Go(func() (err error) {
		u.me, err = client.Me(ctx)
		return err
	})
	calls.Go(func() error {
		for c, err := range client.Companies(ctx) {
			if err != nil {
				return err
			}
			if u.more = len(u.companies) == maxCompanies; u.more {
				break
			}
			u.companies = append(u.companies, c)
		}
		return nil
	})
	if err := calls.Wait(); err != nil {
		return user{}, fmt.Errorf("%w: %w", errProcore, err)
	}
	return u, nil
}

// connected shows the state of the connection to the browser that made it. Any other
// visitor sees what the app is: Procore sends installers here.
func (h *handler) connected(w http.ResponseWriter, r *http.Request) {
	flow := r.URL.Query().Get(pages.FieldFlow)
	s, _, err := h.find(r, flow)
	if err == nil && s.Status != session.Connected {
		h.pages.Redirect(w, companiesPath(flow))
		return
	}
	for _, over := range []error{session.ErrUnknown, session.ErrExpired, errCanceled, errFinished} {
		if errors.Is(err, over) {
			h.pages.ConnectedVisitor(w, r)
			return
		}
	}
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	key := tokens.Key{CompanyID: s.CompanyID, Principal: s.Principal}
	gateway.Note(r.Context(), slog.Any("", key))
	c, err := h.store.Connection(r.Context(), key)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if p, over := ended(c); over {
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

// ended returns the page of a connection that no longer works.
func ended(c tokens.Connection) (p pages.Problem, over bool) {
	switch c.State {
	case tokens.Active, tokens.Uncertain:
		return pages.Problem{}, false
	case tokens.Reauthorize:
		return pages.Reauthorize(c.CompanyName), true
	case tokens.Disconnected:
		return pages.Disconnected(c.CompanyName), true
	}
	return pages.Revoked(c.CompanyName), true
}

// others counts other users' working connections of the same company.
func (h *handler) others(ctx context.Context, mine tokens.Key) (n int, err error) {
	for c, err := range h.store.Company(ctx, mine.CompanyID) {
		if err != nil {
			return 0, err
		}
		if c.Principal == mine.Principal || c.Principal == tokens.App {
			continue
		}
		switch c.State {
		case tokens.Active, tokens.Uncertain:
			n++
		}
	}
	return n, nil
}

func webhookStatus(w tokens.Webhooks) pages.WebhookStatus {
	switch w {
	case tokens.WebhooksPending:
		return pages.WebhooksPending
	case tokens.WebhooksActive:
		return pages.WebhooksActive
	case tokens.WebhooksNeedsAdmin:
		return pages.WebhooksNeedsAdmin
	}
	return pages.WebhooksOff
}

func companiesPath(flow string) string {
	return pages.PathCompanies + "?" + url.Values{pages.FieldFlow: {flow}}.Encode()
}

func connectedPath(flow string) string {
	return pages.PathConnected + "?" + url.Values{pages.FieldFlow: {flow}}.Encode()
}

// fail shows the page for an error, with a next step in this flow. Errors become
// pages here and nowhere else.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, flow string, err error) {
	if errors.Is(err, errFinished) {
		h.pages.Redirect(w, connectedPath(flow))
		return
	}
	gateway.Note(r.Context(), slog.Any("error", err))
	p := problem(err)
	switch p.Code {
	case pages.ChoiceUsed().Code:
		p.ActionURL = connectedPath(flow)
	case pages.ProcoreUnreachable().Code, pages.StorageUnavailable().Code:
		p = p.Retry(companiesPath(flow))
	}
	h.pages.Problem(w, r, p)
}

func problem(err error) pages.Problem {
	switch {
	case errors.Is(err, errCanceled):
		return pages.Canceled()
	case errors.Is(err, session.ErrUnknown), errors.Is(err, session.ErrExpired), errors.Is(err, procore.ErrUnauthorized):
		return pages.ChoiceExpired()
	case errors.Is(err, session.ErrUsed), errors.Is(err, tokens.ErrUsed):
		return pages.ChoiceUsed()
	case errors.Is(err, errProcore):
		return pages.ProcoreUnreachable()
	}
	return pages.StorageUnavailable()
}
