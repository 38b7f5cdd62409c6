package handler

import (
	"errors"
	"log/slog"
	"net/http"

	"procore-connect/internal/connect/choice"
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/procore"
)

// list shows the user's companies.
func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	h.show(w, r, q.Get(pages.FieldFlow), q.Get(pages.FieldFilter), false)
}

// peek answers HEAD: it reads the session and changes nothing.
func (h *handler) peek(w http.ResponseWriter, r *http.Request) {
	flow := r.URL.Query().Get(pages.FieldFlow)
	if _, _, err := h.find(r, flow); err != nil {
		h.fail(w, r, flow, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
}

func (h *handler) show(w http.ResponseWriter, r *http.Request, flow, filter string, noneSent bool) {
	s, cookie, err := h.find(r, flow)
	if h.atOtherHost(w, r, flow, err) {
		return
	}
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if s, err = h.moved(r.Context(), s); err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if s.Status == session.Connected {
		h.pages.Redirect(w, h.donePath(s))
		return
	}
	u, err := h.chooser().Companies(r.Context(), s.Principal)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if len(u.Companies) == 0 {
		h.refuse(w, r, s, pages.NoCompanies().BackToCompanies(companiesPath(flow)), procore.Company{})
		return
	}
	if u.Cut != nil {
		gateway.Note(r.Context(), slog.Int("companies_listed", len(u.Companies)), slog.Any("error", u.Cut))
	}
	token, err := h.sessions.CSRFToken(r.Context(), s, cookie)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	h.pages.Choose(w, r, pages.Choice{
		UserName: s.UserName, Flow: flow, CSRF: token, Companies: h.choices(u.Companies), More: u.More, Cut: u.Cut != nil,
		Filter: filter, NoneSent: noneSent, Tenant: tenant(s),
	})
}

// atOtherHost redirects a browser that lacks the cookie of its flow, because it is at
// another host than the one that set it. It reports whether it did.
func (h *handler) atOtherHost(w http.ResponseWriter, r *http.Request, flow string, err error) bool {
	return flow != "" && r.Method == http.MethodGet && errors.Is(err, session.ErrUnknown) && h.pages.ToPublicURL(w, r)
}

// chooser calls Procore for the user. It makes a company's call only after the choice.
func (h *handler) chooser() choice.Chooser {
	return choice.Chooser{Tokens: h.tokens, Connections: h.connections}
}

func (h *handler) choices(companies []procore.Company) []pages.Company {
	out := make([]pages.Company, len(companies))
	for i, c := range companies {
		out[i] = pages.Company{ID: c.ID, Name: c.Name, State: h.state(c), Position: i}
	}
	return out
}

func (h *handler) state(c procore.Company) pages.CompanyState {
	switch {
	case c.Inactive():
		return pages.Inactive
	case !h.allowed.Admits(c.ID):
		return pages.NotAdmitted
	}
	return pages.Available
}
