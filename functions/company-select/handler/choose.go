package handler

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"procore-connect/internal/connect/choice"
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// choose connects the chosen company. It records the company in the session,
// verifies with one call that the app may work there, and connects it in one transaction
// with the end of the session.
func (h *handler) choose(w http.ResponseWriter, r *http.Request) {
	if !h.readForm(w, r) {
		return
	}
	flow := r.PostForm.Get(pages.FieldFlow)
	s, cookie, err := h.find(r, flow)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	ok, err := h.sessions.CheckCSRFToken(r.Context(), s, cookie, procore.NewSecret(r.PostForm.Get(pages.FieldCSRF)))
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	companyID, position, idErr := pages.Chosen(r.PostForm.Get(pages.FieldCompany))
	switch {
	case !ok:
		h.stop(w, r, flow, pages.FormRefused())
	case s.Status == session.Connected:
		h.pages.Redirect(w, h.donePath(s))
	case r.PostForm.Has(pages.FieldCancel):
		h.cancel(w, r, flow, s)
	case r.PostForm.Get(pages.FieldCompany) == "":
		h.show(w, r, flow, "", true)
	case idErr != nil:
		h.pages.Problem(w, r, pages.CompanyNotListed().BackToCompanies(companiesPath(s.Flow)))
	default:
		h.connect(w, r, s, companyID, position)
	}
}

// cancel ends the flow without a connection. It redirects to a page that shows this,
// or what another tab has done in the meantime.
func (h *handler) cancel(w http.ResponseWriter, r *http.Request, flow string, s session.Session) {
	s, err := h.moved(r.Context(), s)
	if err == nil {
		err = h.sessions.Cancel(r.Context(), s)
	}
	switch {
	case err == nil:
		gateway.Note(r.Context(), slog.String("outcome", "canceled"))
	case !errors.Is(err, session.ErrUsed):
		h.fail(w, r, flow, err)
		return
	}
	to := companiesPath(flow)
	if h.links.Allows(s.Link.Return) {
		to = returnPath(flow) // which leads to the companies while there is no outcome
	}
	h.pages.Redirect(w, to)
}

// readForm reads a form, up to its bound. It shows a page itself, and returns false, for one
// that cannot be read.
func (h *handler) readForm(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if err == nil {
		return true
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		h.pages.Problem(w, r, pages.TooLarge())
	} else {
		h.pages.Problem(w, r, pages.BadRequest())
	}
	return false
}

func (h *handler) connect(w http.ResponseWriter, r *http.Request, s session.Session, companyID int64, position int) {
	flow := s.Flow
	s, err := h.moved(r.Context(), s)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	u, err := h.chooser().Find(r.Context(), s.Principal, position, companyID, s.CompanyID)
	company, listed := u.Company(companyID)
	switch {
	case err != nil:
		h.fail(w, r, flow, err)
		return
	case !listed && u.Cut != nil:
		h.fail(w, r, flow, u.Cut)
		return
	case !listed:
		h.pages.Problem(w, r, pages.CompanyNotListed().BackToCompanies(companiesPath(s.Flow)))
		return
	}
	gateway.Note(r.Context(), slog.Any("", connections.Key{CompanyID: companyID, Principal: s.Principal}))
	switch h.state(company) {
	case pages.Inactive:
		h.refuse(w, r, s, pages.CompanyInactive(company.Name).InCompany(company.ID).BackToCompanies(companiesPath(s.Flow)), company)
		return
	case pages.NotAdmitted:
		h.pages.Problem(w, r, pages.CompanyNotAdmitted(company.Name).InCompany(company.ID).BackToCompanies(companiesPath(s.Flow)))
		return
	}
	s, err = h.recordChoice(r.Context(), s, companyID)
	switch {
	case errors.Is(err, session.ErrUsed) && s.Status == session.Chosen:
		other, _ := u.Company(s.CompanyID)
		h.pages.Problem(w, r, pages.OtherChosen(other.Name).BackToCompanies(companiesPath(s.Flow)))
		return
	case err != nil:
		h.fail(w, r, s.Flow, err)
		return
	}
	h.enter(w, r, s, company)
}

// enter makes the first call into the chosen company and connects it.
func (h *handler) enter(w http.ResponseWriter, r *http.Request, s session.Session, c procore.Company) {
	if s.Status == session.Connected {
		h.pages.Redirect(w, h.donePath(s))
		return
	}
	err := h.chooser().Enter(r.Context(), connections.Key{CompanyID: c.ID, Principal: s.Principal})
	switch _, ours := errors.AsType[*tokens.Error](err); {
	case ours, errors.Is(err, choice.ErrSignedOut): // not the company's answer
		h.fail(w, r, s.Flow, err)
		return
	case err != nil:
		h.refused(w, r, s, c, err)
		return
	}
	if err := h.finish(r.Context(), s, c); err != nil {
		h.fail(w, r, s.Flow, err)
		return
	}
	gateway.Note(r.Context(), slog.String("outcome", "connected"))
	h.cookies.Keep(w, s.Flow, h.cookies.Value(r, s.Flow), session.ReturnLifetime)
	h.pages.Redirect(w, h.donePath(s))
}

// recordChoice stores the choice before the first call into the company. A second
// click on the same company continues with the first one's choice. For another
// company, the error is session.ErrUsed.
func (h *handler) recordChoice(ctx context.Context, s session.Session, companyID int64) (session.Session, error) {
	if s.Status == session.Pending {
		chosen, err := h.sessions.Choose(ctx, s, companyID)
		if !errors.Is(err, session.ErrUsed) {
			return chosen, err
		}
		if s, err = h.reread(ctx, s); err != nil {
			return s, err
		}
	}
	if s.CompanyID != companyID {
		return s, session.ErrUsed
	}
	return s, nil
}

// refused shows why Procore does not let the app into the company. If the answer is
// certain, the user may choose again. If it is not, the app may be installed there,
// so this company remains the choice.
func (h *handler) refused(w http.ResponseWriter, r *http.Request, s session.Session, c procore.Company, cause error) {
	gateway.Note(r.Context(), slog.Any("error", cause))
	p, certain := refusal(c, cause)
	if !certain {
		h.pages.Problem(w, r, p.InCompany(c.ID).Retry(companiesPath(s.Flow)))
		return
	}
	p = p.InCompany(c.ID).BackToCompanies(companiesPath(s.Flow))
	err := h.sessions.Unchoose(r.Context(), s, refusalOf(s, p, c))
	if err != nil {
		gateway.Note(r.Context(), slog.String("unchoose_error", err.Error()))
	}
	h.pages.Problem(w, r, h.returnable(s, p, err))
}

func refusal(c procore.Company, err error) (p pages.Problem, certain bool) {
	switch {
	case errors.Is(err, procore.ErrUserInstallsOff):
		return pages.UserInstallsOff(c.Name), true
	case errors.Is(err, procore.ErrNotConnected), errors.Is(err, procore.ErrUnauthorized):
		return pages.NotConnected(c.Name), true // a company without the app may answer 401
	case errors.Is(err, procore.ErrForbidden):
		return pages.NoPermission(c.Name), true
	}
	if e, ok := errors.AsType[*procore.Error](err); ok && !e.Gateway && (errors.Is(err, procore.ErrNotFound) || errors.Is(err, procore.ErrInvalid)) {
		p = pages.CompanyRefused(c.Name)
		p.Detail = e.Message
		return p, false
	}
	return pages.ProcoreUnreachable(), false
}

// finish connects the company and ends the session. It also succeeds if another click has
// finished the session in the meantime.
func (h *handler) finish(ctx context.Context, s session.Session, c procore.Company) error {
	_, err := h.connections.Connect(ctx, connections.New{
		Key:         connections.Key{CompanyID: c.ID, Principal: s.Principal},
		CompanyName: c.Name,
		UserName:    s.UserName,
		Webhooks:    h.webhooks,
		Origin:      s.Flow,
	}, h.sessions.Finish(s))
	if err == nil {
		return nil
	}
	again, e := h.reread(ctx, s)
	switch {
	case errors.Is(e, session.ErrEnded):
		return e
	case e == nil && again.Status == session.Connected:
		return nil
	}
	return err
}
