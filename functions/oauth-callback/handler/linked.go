package handler

import (
	"errors"
	"net/http"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/secrets"
)

// welcome shows the landing page, with the tenant that a link is for.
func (h *handler) welcome(w http.ResponseWriter, r *http.Request, l session.Link) {
	if _, err := h.oauth.Get(r.Context()); errors.Is(err, secrets.ErrNotFilledIn) {
		h.pages.SetupUnfinished(w, r, []string{"APP_SECRET_ID"})
		return
	}
	if l.Name == "" {
		h.pages.Landing(w, r)
		return
	}
	h.pages.LandingFor(w, r, pages.Tenant{Name: l.Tenant, Return: l.Return})
}

// before returns this browser's flow of that name, if there is one, and reports whether the authorization
// repeats that, because its pair was stale. For a browser, such a redirect is still a part of Procore's.
func (h *handler) before(r *http.Request, flow string) (s session.Session, again bool) {
	s, err := h.sessions.Find(r.Context(), flow, h.cookies.Value(r, flow))
	switch {
	case errors.Is(err, session.ErrExpired):
		return s, false
	case err != nil:
		return session.Session{}, false
	}
	return s, errors.Is(s.Err(), session.ErrStale)
}

// errConnected means that a link has led to a connection in this browser.
var errConnected = errors.New("this browser has connected a company by this link")

// begin begins an authorization. The browser that used a link may use it again until it has connected a company.
func (h *handler) begin(r *http.Request, o session.Opening) (session.Start, error) {
	st, err := h.sessions.Begin(r.Context(), o)
	if !errors.Is(err, session.ErrLinkUsed) {
		return st, err
	}
	flow, e := h.sessions.LinkFlow(r.Context(), o.Link.Name)
	if e != nil {
		return st, e
	}
	held, e := h.sessions.Find(r.Context(), flow, h.cookies.Value(r, flow))
	switch {
	case errors.Is(e, session.ErrUnknown):
		return st, err
	case e != nil && !errors.Is(e, session.ErrExpired):
		return st, e
	case held.Status == session.Connected:
		return session.Start{Flow: flow}, errConnected
	}
	o.Before = flow
	return h.sessions.Begin(r.Context(), o)
}

// stop shows a problem. If the flow follows a host application's link, the next one does too; if the link itself is the
// problem, the page leads back to the host.
func (h *handler) stop(w http.ResponseWriter, r *http.Request, flow string, p pages.Problem) {
	if before, _ := h.before(r, flow); before.Link.Name != "" {
		p = p.InFlow(flow)
	}
	h.pages.Problem(w, r, p.BackTo(h.links.Return(r.URL.Query())))
}
