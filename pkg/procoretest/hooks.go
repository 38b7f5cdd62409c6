package procoretest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxHooks       = 100 // per company
	maxHeaders     = 20  // per hook
	maxHeaderBytes = 4096
	maxURL         = 2048
)

// validNamespace reports whether Procore accepts the namespace.
//
// https://developers.procore.com/documentation/webhooks-api
func validNamespace(n string) bool { return regexp.MustCompile(`^[a-z0-9-]{1,64}$`).MatchString(n) }

// hook is a destination for the events of a company, or of one project in it.
type hook struct {
	id                   int64
	companyID, projectID int64 // projectID 0: company scope
	creator              int64 // the user who created it, 0 for the service account
	namespace, version   string
	destination          string
	headers              map[string]string
	triggers             []trigger

	queue        []*queued
	deliveries   []*Delivery
	attempts     int       // number of deliveries that are not records of discarded events
	failingSince time.Time // zero while deliveries succeed
	nextAttempt  time.Time
	backoff      time.Duration
	wake         chan struct{} // signals the worker that the queue has grown
	cancel       context.CancelFunc
}

func (s *Server) hookRoutes(m *http.ServeMux) {
	const base = "/rest/v1.0/webhooks/hooks"
	m.HandleFunc("GET "+base, s.forCompany((*call).listHooks))
	m.HandleFunc("POST "+base, s.forCompany((*call).createHook))
	m.HandleFunc("PATCH "+base+"/{hook}", s.forCompany((*call).updateHook))
	m.HandleFunc("DELETE "+base+"/{hook}", s.forCompany((*call).deleteHook))
	m.HandleFunc("GET "+base+"/{hook}/triggers", s.forCompany((*call).listTriggers))
	m.HandleFunc("POST "+base+"/{hook}/triggers", s.forCompany((*call).createTrigger))
	m.HandleFunc("DELETE "+base+"/{hook}/triggers/{trigger}", s.forCompany((*call).deleteTrigger))
	m.HandleFunc("GET "+base+"/{hook}/deliveries", s.forCompany((*call).listDeliveries))
}

// hookRequest is the request body of all webhook endpoints.
type hookRequest struct {
	CompanyID      json.Number    `json:"company_id"`
	ProjectID      json.Number    `json:"project_id"`
	APIVersion     string         `json:"api_version"`
	PayloadVersion string         `json:"payload_version"`
	Hook           *hookFields    `json:"hook"`
	Trigger        *triggerFields `json:"trigger"`
}

type hookFields struct {
	APIVersion         *string            `json:"api_version"`
	PayloadVersion     *string            `json:"payload_version"`
	Namespace          *string            `json:"namespace"`
	DestinationURL     *string            `json:"destination_url"`
	DestinationHeaders *map[string]string `json:"destination_headers"`
}

// scope checks the Webhooks API permission, reads the body of a POST or PATCH, and
// returns the project that the request is for, or 0 if it is for the company. The
// company or the project is in the query or in the body.
func (c *call) scope() (project int64, req hookRequest, ok bool) {
	if !c.company.WebhooksPermission || slices.Contains(c.company.WebhooksDeniedTo, c.pair.userID) {
		return 0, req, c.failWith(http.StatusForbidden, map[string]any{
			"errors": []string{"You do not have permission to use the Webhooks API."}})
	}
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodDelete // these have no body
	if !reads && !c.body(&req) {
		return 0, req, false
	}
	q := c.r.URL.Query()
	company, proj := or(q.Get("company_id"), req.CompanyID.String()), or(q.Get("project_id"), req.ProjectID.String())
	if (company == "") == (proj == "") {
		return 0, req, c.fail(http.StatusBadRequest, "Send either company_id or project_id.")
	}
	if company != "" {
		if company != strconv.FormatInt(c.company.ID, 10) {
			return 0, req, c.fail(http.StatusBadRequest, "The company_id differs from the Procore-Company-Id header.")
		}
		return 0, req, true
	}
	c.r.SetPathValue("project", proj)
	p, ok := c.inProject()
	return p.ID, req, ok
}

// hook returns the path's hook in the request's scope, or answers 404.
func (c *call) hook() (*hook, hookRequest, bool) {
	project, req, ok := c.scope()
	if !ok {
		return nil, req, false
	}
	id, _ := strconv.ParseInt(c.r.PathValue("hook"), 10, 64)
	for _, h := range c.hooks {
		if h.id == id && h.companyID == c.company.ID && h.projectID == project && !c.hidden(h) {
			return h, req, true
		}
	}
	return nil, req, c.fail(http.StatusNotFound, "The hook does not exist.")
}

// orphaned reports whether the hook's creator lost access to the company or to its
// webhooks.
func (s *Server) orphaned(h *hook) bool {
	c := s.companies[h.companyID]
	if h.creator == 0 {
		return !c.ServiceAccount
	}
	return !c.WebhooksPermission || slices.Contains(c.WebhooksDeniedTo, h.creator) || !slices.Contains(c.Members, h.creator)
}

func (s *Server) hidden(h *hook) bool { return s.opts.OrphanedHooks == Hidden && s.orphaned(h) }

// hookJSON is a hook as REST v1.0 returns it. Header values are masked except for
// their last five characters.
//
// https://developers.procore.com/reference/rest/hooks?version=latest
func hookJSON(h *hook) map[string]any {
	masked := map[string]string{}
	for k, v := range h.headers {
		masked[k] = "*****" + v[max(len(v)-5, 0):]
	}
	v := map[string]any{
		"id": h.id, "namespace": h.namespace, "api_version": h.version, "destination_url": h.destination,
		"destination_headers": masked, "owned_by_company_id": h.companyID, "owned_by_project_id": nil, "owned_by_user_id": nil,
	}
	if h.projectID != 0 {
		v["owned_by_company_id"], v["owned_by_project_id"] = nil, h.projectID
	}
	return v
}

// listHooks lists the hooks of one namespace, by default "procore".
func (c *call) listHooks() {
	project, _, ok := c.scope()
	if !ok {
		return
	}
	namespace := or(c.r.URL.Query().Get("namespace"), "procore")
	all := []map[string]any{}
	for _, h := range c.hooks {
		if h.companyID == c.company.ID && h.projectID == project && h.namespace == namespace && !c.hidden(h) {
			all = append(all, hookJSON(h))
		}
	}
	writeJSON(c.w, http.StatusOK, all) // not a paginated endpoint
}

func (c *call) createHook() {
	project, req, ok := c.scope()
	if !ok {
		return
	}
	if req.Hook == nil || req.Hook.DestinationURL == nil {
		c.invalid("hook", `is missing: the form is {"company_id": 1, "hook": {"destination_url": "..."}}`)
		return
	}
	h := &hook{companyID: c.company.ID, projectID: project, creator: c.pair.userID, namespace: "procore", version: "v2.0",
		headers: map[string]string{}, wake: make(chan struct{}, 1)}
	same := slices.DeleteFunc(slices.Clone(c.hooks), func(o *hook) bool { return o.companyID != c.company.ID })
	if len(same) >= maxHooks {
		c.invalid("hook", "is one too many for this company")
		return
	}
	if !c.configure(h, req.Hook) {
		return
	}
	h.id = c.newID()
	c.hooks = append(c.hooks, h)
	c.startWorker(h)
	writeJSON(c.w, http.StatusCreated, hookJSON(h))
}

func (c *call) updateHook() {
	h, req, ok := c.hook()
	if !ok {
		return
	}
	if req.Hook == nil {
		c.invalid("hook", "is missing")
		return
	}
	if c.configure(h, req.Hook) {
		writeJSON(c.w, http.StatusOK, hookJSON(h))
	}
}

// configure applies all fields to h or, if one is invalid, none. It reports whether
// it did, and answers 422 if not.
func (c *call) configure(h *hook, f *hookFields) bool {
	n := *h
	set(&n.namespace, f.Namespace)
	set(&n.version, f.APIVersion)
	set(&n.version, f.PayloadVersion)
	set(&n.destination, f.DestinationURL)
	set(&n.headers, f.DestinationHeaders)
	size := 0
	for k, v := range n.headers {
		size += len(k) + len(v)
	}
	taken := !c.opts.SharedURLs && slices.ContainsFunc(c.hooks, func(o *hook) bool {
		return o != h && !c.hidden(o) && o.companyID == n.companyID && o.projectID == n.projectID &&
			o.namespace == n.namespace && o.destination == n.destination
	})
	switch {
	case !validNamespace(n.namespace):
		return c.invalid("namespace", "may only contain a-z, 0-9 and -")
	case !slices.Contains([]string{"v2", "v2.0", "v3.0", "v4.0"}, n.version):
		return c.invalid("payload_version", "is not v2.0, v3.0 or v4.0")
	case len(n.headers) > maxHeaders || size > maxHeaderBytes:
		return c.invalid("destination_headers", "are too many or too long")
	case taken:
		return c.invalid("destination_url", "has already been taken in this namespace")
	}
	if why := c.refusal(n.destination); why != "" {
		return c.invalid("destination_url", why)
	}
	h.namespace, h.version, h.destination, h.headers = n.namespace, n.version, n.destination, n.headers
	return true
}

// refusal returns why a destination is not accepted, or "". Procore requires HTTPS.
// A fake must not post to the internet, so it accepts only loopback addresses, also
// with plain http, and the hosts that its options allow.
func (s *Server) refusal(destination string) string {
	u, err := url.Parse(destination)
	switch {
	case err != nil || len(destination) > maxURL || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
		return "is not an http or https URL"
	case !loopback(u.Hostname()) && !slices.Contains(s.opts.AllowedHosts, strings.ToLower(u.Hostname())):
		return "is not on this machine: a fake Procore delivers only to loopback addresses and to allowed hosts"
	}
	return ""
}

func (c *call) deleteHook() {
	h, _, ok := c.hook()
	if !ok {
		return
	}
	h.cancel()
	c.hooks = slices.DeleteFunc(c.hooks, func(o *hook) bool { return o == h })
}
