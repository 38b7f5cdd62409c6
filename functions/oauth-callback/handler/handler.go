package handler

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/connect/linked"
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/platform/secrets"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

const (
	// exchangeTimeout bounds the call to Procore's token endpoint. The gateway
	// waits 30 seconds.
	exchangeTimeout = 15 * time.Second
	// storeTimeout bounds the attempts to store the pair after the exchange.
	storeTimeout = 8 * time.Second
	// resumeTimeout bounds how long a callback that is loaded again waits for the first one,
	// whose exchange may take as long as it is allowed to.
	resumeTimeout = exchangeTimeout + 3*time.Second
	// failTimeout bounds the attempts to note in the session that there is no pair.
	failTimeout = 2 * time.Second
	// maxParameter bounds each query parameter of the redirect.
	maxParameter = 2048
)

// handler leads a user from the landing page to Procore's login and back.
//
// https://developers.procore.com/documentation/oauth-auth-grant-flow
type handler struct {
	public   string // PUBLIC_URL without a trailing slash
	users    bool   // users connect companies
	links    linked.Links
	oauth    keys.Source[*procore.OAuth]
	sessions *session.Store
	cookies  session.Cookies
	pages    *pages.Pages
	maxWait  time.Duration // for an exchange, one's own or another request's; zero means the constants above
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.landing)
	mux.HandleFunc("GET /oauth/start", h.start)
	mux.HandleFunc("GET /oauth/callback", h.callback)
	// HEAD starts nothing and uses nothing up: programs that check links send it.
	mux.HandleFunc("HEAD /oauth/start", h.landing)
	mux.HandleFunc("HEAD /oauth/callback", h.landing)
	for _, route := range []string{"GET " + pages.PathCompanies, "POST " + pages.PathCompanies, "GET " + pages.PathConnected, "POST " + pages.PathConnected} {
		mux.HandleFunc(route, h.pages.Elsewhere)
	}
	return h.pages.Handler(mux)
}

func (h *handler) redirectURI() string { return h.public + "/oauth/callback" }

func (h *handler) landing(w http.ResponseWriter, r *http.Request) { h.welcome(w, r, session.Link{}) }

// start issues a state, binds it to this browser, and sends the browser to Procore. If no
// user connects companies, it leads to the landing page. A link
// on another site leads to the landing page first: Procore may not ask a user who is
// signed in. A cookie that is set at another host would be missing at the callback.
func (h *handler) start(w http.ResponseWriter, r *http.Request) {
	if h.pages.ToPublicURL(w, r) {
		return
	}
	if !h.users {
		h.pages.Redirect(w, pages.PathHome)
		return
	}
	flow := r.URL.Query().Get(pages.FieldFlow)
	before, again := h.before(r, flow)
	l, err := h.links.Of(r, before)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	if !again && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		h.welcome(w, r, l)
		return
	}
	oauth, err := h.oauth.Get(r.Context())
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	st, err := h.begin(r, session.Opening{RedirectURI: h.redirectURI(), Again: again, Link: l})
	if errors.Is(err, errConnected) {
		h.pages.Redirect(w, flowPath(pages.PathReturn, st.Flow))
		return
	}
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	gateway.Note(r.Context(), slog.String("outcome", "redirected"))
	h.cookies.Trim(w, r)
	h.cookies.Set(w, st.Flow, st.Cookie)
	h.pages.Redirect(w, oauth.AuthCodeURL(st.State, st.Verifier, h.redirectURI()))
}

// callback uses up the state, exchanges the code, and stores the pair until
// company-select moves it to the user's grant.
func (h *handler) callback(w http.ResponseWriter, r *http.Request) {
	q, ok := parameters(r.URL.Query())
	switch {
	case !ok:
		h.pages.Problem(w, r, pages.BadRequest())
		return
	case q["state"] == "":
		h.pages.Problem(w, r, pages.StateMissing())
		return
	}
	state := procore.NewSecret(q["state"])
	flow := session.FlowOf(state)
	s, verifier, err := h.sessions.Consume(r.Context(), state, h.cookies.Value(r, flow))
	if errors.Is(err, session.ErrUsed) && over(s) {
		h.pages.Redirect(w, companiesPath(flow)) // the callback was loaded again
		return
	}
	declined := q["error"] != "" || q["code"] == ""
	if !declined && (errors.Is(err, session.ErrUsed) || errors.Is(err, session.ErrUnknown)) {
		h.resume(w, r, state, procore.NewSecret(q["code"]))
		return
	}
	if err == nil && s.RedirectURI != h.redirectURI() {
		err = session.ErrUnknown // started before the configuration changed
	}
	if declined && err == nil && s.Link.Name != "" && knownError(q["error"]) == denied {
		h.end(r.Context(), s, session.Canceled)
		h.pages.Redirect(w, flowPath(pages.PathReturn, flow)) // the host application learns of it
		return
	}
	if declined && err == nil {
		h.end(r.Context(), s, session.Failed)
	}
	if declined && (err == nil || errors.Is(err, session.ErrUsed)) {
		h.decline(w, r, flow, q)
		return
	}
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	cookie, err := h.exchange(r.Context(), s, procore.NewSecret(q["code"]), verifier)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	h.proceed(w, r, flow, cookie, "authorized")
}

// proceed leads the browser to the choice, with the session's new cookie.
func (h *handler) proceed(w http.ResponseWriter, r *http.Request, flow string, cookie procore.Secret, outcome string) {
	gateway.Note(r.Context(), slog.String("outcome", outcome))
	h.cookies.Set(w, flow, cookie)
	h.pages.Redirect(w, companiesPath(flow))
}

// over reports whether the callback's part of a session is over, and company-select shows
// what became of it.
func over(s session.Session) bool {
	return s.Status != session.Started && s.Status != session.Exchanging && s.Reason != session.Failed
}

// resume answers a callback that a browser loads once more without the answer to the first
// one: it ends where that one does.
func (h *handler) resume(w http.ResponseWriter, r *http.Request, state, code procore.Secret) {
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(h.maxWait, resumeTimeout))
	defer cancel()
	flow := session.FlowOf(state)
	cookie, err := h.sessions.Resume(ctx, state, h.cookies.Value(r, flow), code)
	if err != nil {
		h.fail(w, r, flow, err)
		return
	}
	h.proceed(w, r, flow, cookie, "resumed")
}

func companiesPath(flow string) string { return flowPath(pages.PathCompanies, flow) }

func flowPath(to, flow string) string { return to + "?" + url.Values{pages.FieldFlow: {flow}}.Encode() }

// parameters returns the redirect's parameters (RFC 6749 section 4.1.2), and false
// if one appears more than once, which section 3.1 forbids, or is too long.
func parameters(q url.Values) (map[string]string, bool) {
	out := map[string]string{}
	for _, name := range []string{"state", "code", "error", "error_description"} {
		values := q[name]
		if len(values) > 1 || len(values) == 1 && len(values[0]) > maxParameter {
			return nil, false
		}
		out[name] = q.Get(name)
	}
	return out, true
}

// decline shows the page for a redirect without a code, also when it is loaded again. Any
// visitor with a state can write such an address, so it does not count as a failure.
func (h *handler) decline(w http.ResponseWriter, r *http.Request, flow string, q map[string]string) {
	reason := knownError(q["error"])
	gateway.Note(r.Context(), slog.String("authorization_error", reason))
	if reason == denied {
		h.stop(w, r, flow, pages.Denied())
		return
	}
	p := pages.AuthorizationFailed()
	p.Detail = q["error_description"]
	h.stop(w, r, flow, p)
}

// denied is the error of a user who does not allow access.
const denied = "access_denied"

// knownError returns an error of RFC 6749 section 4.1.2.1 for the log.
func knownError(sent string) string {
	known := []string{"invalid_request", "unauthorized_client", denied, "unsupported_response_type",
		"invalid_scope", "server_error", "temporarily_unavailable"}
	if sent = strings.ToLower(sent); slices.Contains(known, sent) {
		return sent
	}
	return "unknown"
}

// exchange spends the code and stores the pair. It continues when the browser
// disconnects. A pair that cannot be stored is dropped and not revoked: Procore may have
// returned the pair of an earlier authorization, which the user's grant has.
func (h *handler) exchange(ctx context.Context, s session.Session, code, verifier procore.Secret) (cookie procore.Secret, err error) {
	ctx = context.WithoutCancel(ctx)
	oauth, err := h.oauth.Get(ctx)
	if err != nil {
		return procore.Secret{}, err
	}
	spend, cancel := context.WithTimeout(ctx, cmp.Or(h.maxWait, exchangeTimeout))
	defer cancel()
	pair, err := oauth.Exchange(spend, code, verifier, s.RedirectURI)
	if e, ok := errors.AsType[*procore.TokenError](err); ok && e.InvalidClient() {
		_, _ = h.oauth.Reread(ctx) // the secret may have been changed
	}
	store, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err == nil {
		cookie, err = h.sessions.StorePair(store, s, code, pair)
	}
	if err != nil {
		h.end(ctx, s, session.Failed)
	}
	return cookie, err
}

// end ends a session without a pair, so that a callback that is loaded again does not wait
// for one.
func (h *handler) end(ctx context.Context, s session.Session, why session.Reason) {
	ctx, cancel := context.WithTimeout(ctx, failTimeout)
	defer cancel()
	if err := h.sessions.Fail(ctx, s, why); err != nil {
		gateway.Note(ctx, slog.String("session_error", err.Error()))
	}
}

// fail shows the page for an error. Errors become pages here and nowhere else.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, flow string, err error) {
	gateway.Note(r.Context(), slog.Any("error", err))
	if errors.Is(err, secrets.ErrNotFilledIn) {
		h.pages.SetupUnfinished(w, r, []string{"APP_SECRET_ID"})
		return
	}
	h.stop(w, r, flow, problem(err))
}

// setupErrors are the token endpoint's errors that every sign-in meets until the app's
// credentials, or its registration at Procore, are corrected (RFC 6749 section 5.2).
var setupErrors = []string{"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}

func problem(err error) pages.Problem {
	e, isToken := errors.AsType[*procore.TokenError](err)
	switch {
	case errors.Is(err, linked.ErrOff):
		return pages.LinksOff()
	case errors.Is(err, linked.ErrReturn):
		return pages.LinkReturn()
	case errors.Is(err, link.ErrExpired):
		return pages.LinkExpired()
	case errors.Is(err, link.ErrInvalid):
		return pages.LinkInvalid()
	case errors.Is(err, session.ErrLinkUsed):
		return pages.LinkUsed()
	case errors.Is(err, session.ErrUnknown):
		return pages.OtherBrowser()
	case errors.Is(err, session.ErrExpired):
		return pages.AuthorizationExpired()
	case errors.Is(err, session.ErrUsed):
		return pages.StateUsed()
	case isToken && slices.Contains(setupErrors, e.Code):
		return pages.CredentialsRefused()
	case isToken && e.Outcome == procore.Refused:
		return pages.CodeExpired()
	case isToken && e.Code != "" && e.Status < http.StatusInternalServerError:
		return pages.AuthorizationFailed() // an answer about this request
	case isToken:
		return pages.ProcoreUnreachable()
	}
	return pages.StorageUnavailable()
}
