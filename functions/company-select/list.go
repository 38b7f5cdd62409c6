package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
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
	if u.cause != nil {
		gateway.Note(r.Context(), slog.Int("companies_listed", len(u.companies)), slog.Any("error", u.cause))
	}
	token, err := h.sessions.CSRFToken(r.Context(), s, cookie)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	h.pages.Choose(w, r, pages.Choice{
		UserName: s.UserName, Flow: flow, CSRF: token, Companies: h.choices(u.companies), More: u.more, Cut: u.cause != nil,
		Filter: filter, NoneSent: noneSent,
	})
}

// atOtherHost redirects a browser that lacks the cookie of its flow, because it is at
// another host than the one that set it. It reports whether it did.
func (h *handler) atOtherHost(w http.ResponseWriter, r *http.Request, flow string, err error) bool {
	return flow != "" && r.Method == http.MethodGet && errors.Is(err, session.ErrUnknown) && h.pages.ToPublicURL(w, r)
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
	case c.Inactive():
		return pages.Inactive
	case !h.allowed.Admits(c.ID):
		return pages.NotAdmitted
	}
	return pages.Available
}

// user is what Procore lists for the user who authorized.
type user struct {
	companies []procore.Company
	more      bool  // there are more than maxCompanies
	cause     error // why the list ends before its end; it is an errProcore
}

// company returns one of the user's companies, and reports whether Procore listed it.
func (u user) company(id int64) (procore.Company, bool) {
	for _, c := range u.companies {
		if c.ID == id {
			return c, true
		}
	}
	return procore.Company{}, false
}

// has reports whether Procore listed all of the companies. An id of 0 stands for none.
func (u user) has(ids []int64) bool {
	return !slices.ContainsFunc(ids, func(id int64) bool {
		_, listed := u.company(id)
		return id != 0 && !listed
	})
}

// errProcore marks the errors of calls to Procore. All other errors are storage's.
var errProcore = errors.New("the user's companies could not be read")

// user lists the user's companies, or reads the list until it has those that are wanted. If
// Procore fails in the middle, or is too slow, the companies that came are listed.
func (h *handler) user(ctx context.Context, s session.Session, wanted ...int64) (u user, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	err = h.as(ctx, s.Principal, func(hc *http.Client) (err error) {
		u, err = companies(procore.NewUserClient(h.tokens.Environment, hc, h.tokens.Options("")...).Companies(ctx), wanted)
		return err
	})
	return u, err
}

func companies(all iter.Seq2[procore.Company, error], wanted []int64) (u user, err error) {
	for c, err := range all {
		if err != nil {
			err = fmt.Errorf("%w: %w", errProcore, err)
			if len(u.companies) == 0 || errors.Is(err, procore.ErrUnauthorized) {
				return user{}, err
			}
			u.cause = err
			break
		}
		if u.more = len(u.companies) == maxCompanies; u.more {
			break
		}
		u.companies = append(u.companies, c)
		if slices.Contains(wanted, c.ID) && u.has(wanted) {
			break
		}
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
