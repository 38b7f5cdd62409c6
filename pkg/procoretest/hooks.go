package procoretest

import (
	"context"
	"net/http"
	"net/url"
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
func validNamespace(n string) bool {
	return n != "" && len(n) <= 64 && strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// hook is a destination for the events of a company, or of one project in it.
type hook struct {
	id                   int64
	companyID, projectID int64 // projectID 0: company scope
	creator              int64 // the user who created it, 0 for the service account
	namespace, version   string
	destination          string
	headers              map[string]string
	triggers             []trigger
	createdAt, updatedAt time.Time
	disabled             bool // it reports and delivers nothing until it is made active
	failures             int  // deliveries that failed since the last success

	queue        []*queued
	deliveries   []*Delivery
	attempts     int       // number of deliveries that are not records of discarded events
	failingSince time.Time // zero while deliveries succeed
	nextAttempt  time.Time
	backoff      time.Duration
	wake         chan struct{}   // signals the worker that the queue has grown
	ctx          context.Context // ends with the hook
	cancel       context.CancelFunc
}

func hookRoutes(m *http.ServeMux) {
	for _, scope := range []string{"/rest/v2.0/companies/{company}", "/rest/v2.0/companies/{company}/projects/{project}"} {
		hooks := scope + "/webhooks/hooks"
		for pattern, h := range map[string]func(*call){
			"GET " + scope + "/webhooks/resources":           (*call).listWebhookResources,
			"GET " + hooks:                                   (*call).listHooks,
			"POST " + hooks:                                  (*call).createHook,
			"GET " + hooks + "/{hook}":                       (*call).showHook,
			"PATCH " + hooks + "/{hook}":                     (*call).updateHook,
			"DELETE " + hooks + "/{hook}":                    (*call).deleteHook,
			"GET " + hooks + "/{hook}/triggers":              (*call).listTriggers,
			"POST " + hooks + "/{hook}/triggers":             (*call).createTrigger,
			"DELETE " + hooks + "/{hook}/triggers/{trigger}": (*call).deleteTrigger,
			"POST " + hooks + "/{hook}/triggers/bulk":        (*call).createTriggers,
			"DELETE " + hooks + "/{hook}/triggers/bulk":      (*call).deleteTriggers,
			"GET " + hooks + "/{hook}/deliveries":            (*call).listDeliveries,
		} {
			m.HandleFunc(pattern, forCompany(h))
		}
	}
}

// hookFields is the body of a POST or PATCH of a hook.
type hookFields struct {
	PayloadVersion     *string            `json:"payload_version"`
	Namespace          *string            `json:"namespace"`
	DestinationURL     *string            `json:"destination_url"`
	DestinationHeaders *map[string]string `json:"destination_headers"`
	Status             *string            `json:"status"`
}

// missing returns the first field that a new hook lacks, or "".
func (f hookFields) missing() string {
	switch {
	case f.DestinationURL == nil:
		return "destination_url"
	case f.PayloadVersion == nil:
		return "payload_version"
	case f.Namespace == nil:
		return "namespace"
	}
	return ""
}

// scope checks the Webhooks API permission, and returns the project of the path, or 0 if
// the request is for the company.
func (c *call) scope() (project int64, ok bool) {
	if !c.company.WebhooksPermission || slices.Contains(c.company.WebhooksDeniedTo, c.pair.userID) {
		return 0, c.failWith(http.StatusForbidden, map[string]any{
			"errors": []string{"You do not have permission to use the Webhooks API."}})
	}
	if c.r.PathValue("project") == "" {
		return 0, true
	}
	p, ok := c.inProject()
	return p.ID, ok
}

// hook returns the path's hook in the request's scope, or answers 404.
func (c *call) hook() (*hook, bool) {
	project, ok := c.scope()
	if !ok {
		return nil, false
	}
	for _, h := range c.hooks {
		if idText(h.id) == c.r.PathValue("hook") && h.companyID == c.company.ID && h.projectID == project && !c.hidden(h) {
			return h, true
		}
	}
	return nil, c.fail(http.StatusNotFound, "The hook does not exist.")
}

// data answers the body of REST v2.
func (c *call) data(status int, v any) { writeJSON(c.w, status, map[string]any{"data": v}) }

// idText is an id in REST v2.
func idText(id int64) string { return strconv.FormatInt(id, 10) }

// nullableText is an id in REST v2 that may be absent.
func nullableText(id int64) any {
	if id == 0 {
		return nil
	}
	return idText(id)
}

// orphaned reports whether the hook's creator lost access to the company or to its
// webhooks.
func (s *Server) orphaned(h *hook) bool {
	c := s.companies[h.companyID]
	if h.creator == 0 {
		return !c.ServiceAccount || !c.Installed
	}
	return !c.WebhooksPermission || slices.Contains(c.WebhooksDeniedTo, h.creator) || !slices.Contains(c.Members, h.creator)
}

func (s *Server) hidden(h *hook) bool { return s.opts.OrphanedHooks == Hidden && s.orphaned(h) }

// hookJSON is a hook as REST v2.0 returns it. Header values are masked except for
// their last five characters.
//
// https://developers.procore.com/reference/rest/hooks?version=latest
func hookJSON(h *hook) map[string]any {
	masked := map[string]string{}
	for k, v := range h.headers {
		masked[k] = "*****" + v[max(len(v)-5, 0):]
	}
	return map[string]any{
		"id": idText(h.id), "status": h.status(), "namespace": h.namespace, "payload_version": h.version, "destination_url": h.destination,
		"destination_headers": masked, "company_id": idText(h.companyID), "project_id": nullableText(h.projectID),
		"created_at": timestamp(h.createdAt), "updated_at": timestamp(h.updatedAt), "hook_type": "api",
	}
}

func (h *hook) status() string {
	if h.disabled {
		return "disabled"
	}
	return "active"
}

// listHooks lists the hooks of one namespace, which a company's list requires.
func (c *call) listHooks() {
	project, ok := c.scope()
	if !ok {
		return
	}
	q := c.r.URL.Query()
	namespace := q.Get("namespace")
	if namespace == "" && project == 0 {
		c.fail(http.StatusBadRequest, "namespace is required.")
		return
	}
	all := []map[string]any{}
	for _, h := range c.hooks {
		if h.companyID != c.company.ID || h.projectID != project || c.hidden(h) || namespace != "" && h.namespace != namespace ||
			q.Get("payload_version") != "" && h.version != q.Get("payload_version") {
			continue
		}
		v := hookJSON(h)
		if q.Get("include_trigger_count") == "true" {
			v["trigger_count"] = len(h.triggers)
		}
		all = append(all, v)
	}
	if cut, ok := page(c, v2(), all); ok {
		c.data(http.StatusOK, cut)
	}
}

func (c *call) showHook() {
	if h, ok := c.hook(); ok {
		c.data(http.StatusOK, hookJSON(h))
	}
}

func (c *call) createHook() {
	project, ok := c.scope()
	var f hookFields
	if !ok || !c.body(&f) {
		return
	}
	if missing := f.missing(); missing != "" {
		c.invalid(missing, "is missing")
		return
	}
	now := c.now()
	h := &hook{companyID: c.company.ID, projectID: project, creator: c.pair.userID, createdAt: now, updatedAt: now,
		headers: map[string]string{}, wake: make(chan struct{}, 1)}
	same := slices.DeleteFunc(slices.Clone(c.hooks), func(o *hook) bool { return o.companyID != c.company.ID })
	if len(same) >= maxHooks {
		c.invalid("hook", "is one too many for this company")
		return
	}
	if !c.configure(h, f) {
		return
	}
	h.id = c.newID()
	c.hooks = append(c.hooks, h)
	c.keepHook(h)
	c.startWorker(h)
	c.data(http.StatusCreated, hookJSON(h))
}

func (c *call) updateHook() {
	h, ok := c.hook()
	var f hookFields
	if !ok || !c.body(&f) || !c.configure(h, f) {
		return
	}
	h.updatedAt = c.now()
	c.keepHook(h)
	c.data(http.StatusOK, hookJSON(h))
}

// configure applies all fields to h or, if one is invalid, none. It reports whether
// it did, and answers 422 if not.
func (c *call) configure(h *hook, f hookFields) bool {
	n := *h
	set(&n.namespace, f.Namespace)
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
	case f.Status != nil && *f.Status != "active" && *f.Status != "disabled":
		return c.invalid("status", "is not active or disabled")
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
	if f.Status != nil {
		h.disabled, h.failures = *f.Status == "disabled", 0
		c.wakeWorker(h)
	}
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
	h, ok := c.hook()
	if !ok {
		return
	}
	c.Server.deleteHook(h)
	c.w.WriteHeader(http.StatusNoContent)
}

// deleteHook deletes a hook with what waits in it. The caller holds mu.
func (s *Server) deleteHook(h *hook) {
	h.cancel()
	s.forgetHook(h)
	s.hooks = slices.DeleteFunc(s.hooks, func(o *hook) bool { return o == h })
}
