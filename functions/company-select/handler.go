package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// pageTimeout bounds all that one page waits for. The gateway waits 30 seconds.
	pageTimeout = 25 * time.Second
	// callTimeout bounds the calls to Procore that describe the user, or verify the choice.
	callTimeout = 15 * time.Second
	// maxCompanies bounds the list of a user's companies.
	maxCompanies = 2000
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
	allowed     config.Companies
	webhooks    bool   // triggers are configured
	next        string // PRODUCT_URL
	sessions    *session.Store
	tokens      *tokens.Store
	connections *connections.Store
	cookies     session.Cookies
	pages       *pages.Pages
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /companies", inTime(h.list))
	mux.HandleFunc("POST /companies", h.sameOrigin(inTime(h.choose)))
	mux.HandleFunc("GET /connected", inTime(h.connected))
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

// list shows the user's companies.
func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	h.show(w, r, q.Get(pages.FieldFlow), q.Get(pages.FieldFilter), false)
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

func (h *handler) show(w http.ResponseWriter, r *http.Request, flow, filter string, noneSent bool) {
	s, cookie, err := h.find(r, flow)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if s, err = h.moved(r.Context(), s); err != nil {
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
		UserName: s.UserName, Flow: flow, CSRF: token, Companies: h.choices(u.companies), More: u.more,
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

// user is what Procore lists for the user who authorized.
type user struct {
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

func (h *handler) user(ctx context.Context, s session.Session) (u user, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = h.as(ctx, s.Principal, func(hc *http.Client) (err error) {
		u, err = companies(procore.NewUserClient(h.tokens.Environment, hc, h.tokens.Seams()...).Companies(ctx))
		if err != nil {
			err = fmt.Errorf("%w: %w", errProcore, err)
		}
		return err
	})
	return u, err
}

func companies(all iter.Seq2[procore.Company, error]) (u user, err error) {
	for c, err := range all {
		if err != nil {
			return user{}, err
		}
		if u.more = len(u.companies) == maxCompanies; u.more {
			break
		}
		u.companies = append(u.companies, c)
	}
	return u, nil
}

// as calls Procore with the token that the user's grant has. After a 401 it reads the
// grant once more, because a refresh, or another authorization, may have replaced the
// token. It refreshes nothing: an access token is valid for longer than the choice may
// take.
func (h *handler) as(ctx context.Context, p tokens.Principal, call func(*http.Client) error) error {
	access, err := h.tokens.Current(ctx, p)
	if err != nil {
		return err
	}
	err = call(h.tokens.Bearer(access.Bearer()))
	if !errors.Is(err, procore.ErrUnauthorized) {
		return err
	}
	newer, e := h.tokens.Current(ctx, p)
	if e != nil || newer.Generation == access.Generation {
		return cmp.Or(e, err)
	}
	return call(h.tokens.Bearer(newer.Bearer()))
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
		if c.Principal == mine.Principal || c.Principal == tokens.App || c.State != connections.Connected {
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

func companiesPath(flow string) string { return path(pages.PathCompanies, flow) }

func connectedPath(flow string) string { return path(pages.PathConnected, flow) }

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
	}
	h.pages.Problem(w, r, p)
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
		return pages.AuthorizationFailed()
	case slices.ContainsFunc(over, is):
		return pages.ChoiceExpired()
	case is(session.ErrUsed), is(tokens.ErrUsed):
		return pages.ChoiceUsed()
	case is(errProcore), is(session.ErrProcore):
		return pages.ProcoreUnreachable()
	}
	return pages.StorageUnavailable()
}
