package handler

import (
	"errors"
	"log/slog"
	"net/http"

	"procore-connect/internal/connect/linked"
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/procore"
)

func returnPath(flow string) string { return path(pages.PathReturn, flow) }

// donePath leads to the page of a session's connection, or to the host application that does not know of it yet.
func (h *handler) donePath(s session.Session) string {
	if h.links.Allows(s.Link.Return) && !s.Redeemed {
		return returnPath(s.Flow)
	}
	return connectedPath(s.Flow)
}

// nextOf returns where the user continues from the page of the connection.
func (h *handler) nextOf(s session.Session) string {
	if h.links.Allows(s.Link.Return) {
		return returnPath(s.Flow)
	}
	return h.next
}

func tenant(s session.Session) pages.Tenant {
	return pages.Tenant{Name: s.Link.Tenant, Return: s.Link.Return}
}

// refusalOf returns what the host application learns of a problem that an administrator has to end.
func refusalOf(s session.Session, p pages.Problem, c procore.Company) session.Refusal {
	if p.Kind != pages.AdminMove || s.Link.Name == "" {
		return session.Refusal{}
	}
	return session.Refusal{Reason: p.Code, CompanyID: c.ID, CompanyName: c.Name}
}

// refuse shows a problem that the user met before the company was chosen.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, s session.Session, p pages.Problem, c procore.Company) {
	var err error
	if refusal := refusalOf(s, p, c); refusal.Reason != "" {
		err = h.sessions.Refuse(r.Context(), s, refusal)
	}
	h.pages.Problem(w, r, h.returnable(s, p, err))
}

// returnable returns the problem with a link to the host application, if the session follows one of its links, and the
// refusal was recorded.
func (h *handler) returnable(s session.Session, p pages.Problem, notRecorded error) pages.Problem {
	if p.Kind != pages.AdminMove || notRecorded != nil || !h.links.Allows(s.Link.Return) {
		return p
	}
	return p.InFlow(s.Flow).Returnable(returnPath(s.Flow), s.Link.Return)
}

// stop shows a problem. In a flow that follows a host application's link, its button begins again for the same tenant, and
// leads back to the host if that may learn the outcome.
func (h *handler) stop(w http.ResponseWriter, r *http.Request, flow string, p pages.Problem) {
	if p.ActionURL == pages.PathStart && h.links.On() {
		s, err := h.sessions.Find(r.Context(), flow, h.cookies.Value(r, flow))
		if known := err == nil || errors.Is(err, session.ErrExpired); known && h.links.Allows(s.Link.Return) {
			p = p.InFlow(flow)
		}
		if err == nil && s.Outcome() != "" && h.links.Allows(s.Link.Return) {
			p = p.Returnable(returnPath(flow), s.Link.Return)
		}
	}
	h.pages.Problem(w, r, p)
}

// leadBack sends the browser back to the host application with the outcome of its link. The code in the address is of use
// only to the host's server, and only together with the verifier that it has in its own session of this browser. While
// there is no outcome, the browser goes on with the choice.
func (h *handler) leadBack(w http.ResponseWriter, r *http.Request) {
	flow := r.URL.Query().Get(pages.FieldFlow)
	s, err := h.sessions.Find(r.Context(), flow, h.cookies.Value(r, flow))
	if h.atOtherHost(w, r, flow, err) {
		return
	}
	switch {
	case err != nil:
		h.fail(w, r, flow, err)
		return
	case s.Outcome() == "":
		h.pages.Redirect(w, companiesPath(flow))
		return
	case !h.links.Allows(s.Link.Return):
		h.pages.Problem(w, r, pages.LinkReturn())
		return
	}
	code, err := h.sessions.Code(r.Context(), s)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	to, err := linked.Address(s, code)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	gateway.Note(r.Context(), slog.String("outcome", "returned"), slog.String("result", string(s.Outcome())))
	h.pages.Redirect(w, to)
}
