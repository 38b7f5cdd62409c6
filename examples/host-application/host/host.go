// Package host is a product with tenants, whose users connect a Procore company each for theirs. Sign-in and memory are
// stubs; connect and returned are what every host application does. docs/HOST-APPLICATION.md explains it.
package host

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"html/template"
	"log"
	"net/http"
	"sync"

	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

// ReturnPath is where users return to. The whole address is one of the deployment's ReturnUrls.
const ReturnPath = "/procore"

// tenants are the customers of this product, by their reference.
var tenants = map[string]string{"tenant-42": "Acme Corp", "tenant-43": "Bolt & Sons"}

// session is of one browser, in which a user of a tenant has signed in.
type session struct {
	Tenant    string                    // its reference
	verifiers map[string]procore.Secret // of the links that this browser asked for, by name
}

type host struct {
	link *link.Host
	back string

	mu        sync.Mutex
	sessions  map[string]*session    // by the cookie's value
	companies map[string]link.Result // by tenant
}

// New returns the product, which is served at an address. l makes its links.
func New(l *link.Host, address string) http.Handler {
	h := &host{link: l, back: address + ReturnPath, sessions: map[string]*session{}, companies: map[string]link.Result{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.home)
	mux.HandleFunc("POST /signin", h.signIn)
	mux.HandleFunc("POST /connect", h.connect)
	mux.HandleFunc("GET "+ReturnPath, h.returned)
	return http.NewCrossOriginProtection().Handler(mux) // no other site may ask for a link
}

// connect sends the browser to a link for the tenant of its session, which keeps the verifier.
func (h *host) connect(w http.ResponseWriter, r *http.Request) {
	s := h.session(r)
	if s == nil {
		h.show(w, http.StatusUnauthorized, page{Problem: "Sign in first."})
		return
	}
	address, verifier, err := h.link.Start(r.Context(), s.Tenant, tenants[s.Tenant], h.back)
	if err != nil {
		log.Print(err)
		h.show(w, http.StatusInternalServerError, page{Session: s, Problem: "That did not work. Try again later."})
		return
	}
	h.mu.Lock()
	if len(s.verifiers) >= 10 { // of links that no one came back from
		clear(s.verifiers)
	}
	s.verifiers[link.Challenge(verifier)] = verifier
	h.mu.Unlock()
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// returned redeems the code with which a browser comes back, if the browser's own session asked for the link.
func (h *host) returned(w http.ResponseWriter, r *http.Request) {
	s, verifier := h.session(r), procore.Secret{}
	if s != nil {
		h.mu.Lock()
		verifier = s.verifiers[r.FormValue(link.ParameterName)]
		h.mu.Unlock()
	}
	if verifier.IsZero() {
		h.show(w, http.StatusForbidden, page{Session: s, Problem: "This browser did not ask for that link, so that no company is connected here."})
		return
	}
	result, err := h.link.Redeem(r.Context(), r.FormValue(link.ParameterCode), verifier)
	if e, ok := errors.AsType[*link.RedeemError](err); ok && e.Code == link.ErrorUsed {
		result, err = e.Result, nil // the page was loaded again, or the first answer was lost
	}
	if err != nil {
		log.Print(err)
		h.show(w, http.StatusBadGateway, page{Session: s, Problem: "Procore could not be connected. Try again."})
		return
	}
	switch result.Outcome {
	case link.Connected:
		h.mu.Lock()
		h.companies[result.Reference] = result
		h.mu.Unlock()
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case link.NeedsAdmin:
		h.show(w, http.StatusOK, page{Session: s, Problem: "An administrator of " + result.CompanyName + " has to act at Procore first."})
	default:
		h.show(w, http.StatusOK, page{Session: s, Problem: "No company was connected."})
	}
}

// The rest stands for what a product has already.

const cookie = "session"

// signIn is a stub: it asks for no password.
func (h *host) signIn(w http.ResponseWriter, r *http.Request) {
	if tenants[r.PostFormValue("tenant")] == "" {
		h.show(w, http.StatusBadRequest, page{Problem: "There is no such tenant."})
		return
	}
	id := rand.Text()
	h.mu.Lock()
	if len(h.sessions) >= 1000 {
		clear(h.sessions)
	}
	h.sessions[id] = &session{Tenant: r.PostFormValue("tenant"), verifiers: map[string]procore.Secret{}}
	h.mu.Unlock()
	// Lax, because the browser comes back from another site. On https the cookie is Secure too.
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode}) //nolint:gosec // on http it works too
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// session returns the session of a browser, or nil.
func (h *host) session(r *http.Request) *session {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[c.Value]
}

func (h *host) home(w http.ResponseWriter, r *http.Request) {
	h.show(w, http.StatusOK, page{Session: h.session(r)})
}

// page is what page.html shows.
type page struct {
	Session *session
	Problem string
	Tenants map[string]string
	Company link.Result
}

//go:embed page.html
var pageText string

var pages = template.Must(template.New("").Parse(pageText))

func (h *host) show(w http.ResponseWriter, status int, p page) {
	p.Tenants = tenants
	if p.Session != nil {
		h.mu.Lock()
		p.Company = h.companies[p.Session.Tenant]
		h.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin") // the address may have a code
	w.WriteHeader(status)
	if err := pages.Execute(w, p); err != nil {
		log.Print(err)
	}
}
