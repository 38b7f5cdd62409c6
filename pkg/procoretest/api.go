package procoretest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const companyHeader = "Procore-Company-Id"

// notConnected is the error that a disconnected app gets.
//
// https://developers.procore.com/documentation/faq, "App Management"
const notConnected = "App is not connected to this company."

// serviceAccountID is the user id of the app's service account in /me.
const serviceAccountID int64 = 9_000_001

// call is one API request with a valid token. Its methods run with mu held.
type call struct {
	*Server
	w       http.ResponseWriter
	r       *http.Request
	pair    *pair
	company *Company // nil on /me and /companies
}

func apiRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /rest/v1.0/me", forUser((*call).me))
	m.HandleFunc("GET /rest/v1.0/companies", serve((*call).listCompanies))
	m.HandleFunc("GET /rest/v1.0/projects", forCompany((*call).listProjects))
	m.HandleFunc("GET /rest/v1.1/projects", forCompany((*call).listProjects))
	m.HandleFunc("GET /rest/v1.0/companies/{company}/projects", forCompany((*call).listProjects))
	m.HandleFunc("GET /rest/v1.0/projects/{project}", forCompany((*call).showProject))
	m.HandleFunc("POST /rest/v1.0/projects", forCompany((*call).createProject))
	m.HandleFunc("PATCH /rest/v1.0/projects/{project}", forCompany((*call).updateProject))
	m.HandleFunc("GET /rest/v2.0/companies/{company}/projects", forCompany((*call).listProjects))
	m.HandleFunc("GET /rest/v2.0/companies/{company}/projects/{project}", forCompany((*call).showProject))
	for _, base := range []string{"/rest/v1.0/projects/{project}/{collection}", "/rest/v1.0/companies/{company}/{collection}"} {
		m.HandleFunc("GET "+base, forCompany((*call).listResources))
		m.HandleFunc("GET "+base+"/{id}", forCompany((*call).showResource))
		m.HandleFunc("POST "+base, forCompany((*call).createResource))
		m.HandleFunc("PATCH "+base+"/{id}", forCompany((*call).updateResource))
		m.HandleFunc("DELETE "+base+"/{id}", forCompany((*call).deleteResource))
	}
	for _, base := range []string{"/rest/v2.0/companies/{company}/{collection}", "/rest/v2.0/companies/{company}/projects/{project}/{collection}"} {
		m.HandleFunc("GET "+base, forCompany((*call).listResources))
		m.HandleFunc("GET "+base+"/{id}", forCompany((*call).showResource))
	}
	tableRoutes(m)
	m.HandleFunc("/rest/", forUser(func(c *call) { c.missing() }))
}

// forUser serves the calls that a user may make before choosing a company. A
// service account needs the company header here too.
func forUser(h func(*call)) http.HandlerFunc {
	return serve(func(c *call) {
		if c.pair.userID == 0 && !c.enter() {
			return
		}
		h(c)
	})
}

// forCompany serves the calls that need the company header.
func forCompany(h func(*call)) http.HandlerFunc {
	return serve(func(c *call) {
		if c.enter() {
			h(c)
		}
	})
}

// serve checks the token and the rate limit, and records the call whatever its
// answer is.
func serve(h func(*call)) http.HandlerFunc {
	return on(func(s *Server, w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		p := s.access[bearer(r)]
		c := &call{Server: s, w: w, r: r, pair: p}
		switch {
		case !p.usable(s.now()):
			unauthorized(w)
		case c.withinLimits() && !c.answered():
			h(c)
		}
		status := http.StatusOK
		if a, ok := w.(*answer); ok {
			status = a.status
		}
		s.record(r, p, status)
	})
}

// enter checks whether the call may enter the company of its header: the header
// rule, membership, and the installation rule. It reports whether it may, and
// answers if not.
//
// https://developers.procore.com/documentation/tutorial-mpz
func (c *call) enter() bool {
	header := c.r.Header.Get(companyHeader)
	if header == "" {
		return c.fail(http.StatusBadRequest, "Missing Procore-Company-Id header! "+
			"Each call your application makes to the Procore API must contain a request header that includes the Procore-Company-Id field.")
	}
	id, err := strconv.ParseInt(header, 10, 64)
	if err != nil || len(c.r.Header.Values(companyHeader)) > 1 {
		return c.fail(http.StatusBadRequest, "The Procore-Company-Id header must be a single company id.")
	}
	for _, named := range []string{c.r.PathValue("company"), c.r.URL.Query().Get("company_id")} {
		if named != "" && named != strconv.FormatInt(id, 10) {
			return c.fail(http.StatusBadRequest, "The Procore-Company-Id header names a different company from the request.")
		}
	}
	company := c.companies[id]
	if company == nil || !c.sees(company) {
		return c.fail(http.StatusNotFound, "The company does not exist, or you have no access to it.")
	}
	c.company = company
	return c.installed()
}

// sees reports whether the token's owner belongs to the company.
func (c *call) sees(company *Company) bool {
	if c.pair.userID == 0 {
		return company.ServiceAccount
	}
	return slices.Contains(company.Members, c.pair.userID)
}

// installed applies the installation rule: a member's first call installs the app
// if the company allows user installs. It reports whether the app is installed.
func (c *call) installed() bool {
	switch {
	case !c.company.Connected:
		return c.failWith(http.StatusForbidden, map[string]any{"errors": []string{notConnected}})
	case c.company.Installed:
		return true
	case c.company.UnauthorizedUntilInstalled:
		unauthorized(c.w)
		return false
	case !c.company.UserInstalls || c.pair.userID == 0:
		return c.failWith(http.StatusForbidden, map[string]any{"errors": []string{
			"This app is not installed in the company, and the company does not allow user installs. " +
				"Ask a company administrator to install it from App Management."}})
	}
	c.company.Installed = true
	c.keepCompany(c.company)
	return true
}

// permitted reports whether the app may use the tool in the company, and answers 403
// if not.
func (c *call) permitted(tool string) bool {
	if slices.Contains(c.company.DeniedTools, tool) {
		return c.failWith(http.StatusForbidden, map[string]any{"errors": []string{"You do not have permission to view this tool."}})
	}
	return true
}

// fail answers an error in Procore's most common shape, and returns false.
func (c *call) fail(status int, text string) bool { return c.failWith(status, message(text)) }

func (c *call) failWith(status int, body any) bool {
	writeJSON(c.w, status, body)
	return false
}

// invalid answers 422 for one field, and returns false.
func (c *call) invalid(field, why string) bool {
	return c.failWith(http.StatusUnprocessableEntity, map[string]any{"errors": map[string][]string{field: {why}}})
}

// body decodes the JSON body. It reports whether it could, and answers 400 if not.
func (c *call) body(v any) bool {
	if err := json.NewDecoder(c.r.Body).Decode(v); err != nil {
		return c.fail(http.StatusBadRequest, "The request body is not the expected JSON: "+err.Error())
	}
	return true
}

// Call is one recorded API request. Its status is 0 if a fault reset the
// connection.
type Call struct {
	At        time.Time `json:"at"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Query     string    `json:"query,omitempty"`
	CompanyID int64     `json:"company_id"` // from the header, 0 without one
	UserID    int64     `json:"user_id"`    // 0 for the service account or an unknown token
	Status    int       `json:"status"`
}

// maxCalls limits the record. The oldest calls are dropped first.
const maxCalls = 10_000

func (s *Server) record(r *http.Request, p *pair, status int) {
	c := Call{At: s.now(), Method: r.Method, Path: bounded(r.URL.Path), Query: bounded(withoutToken(r.URL.Query())), Status: status}
	c.CompanyID, _ = strconv.ParseInt(r.Header.Get(companyHeader), 10, 64)
	if p != nil {
		c.UserID = p.userID
	}
	if len(s.calls) >= maxCalls {
		s.calls = slices.Delete(s.calls, 0, maxCalls/10)
		s.called += maxCalls / 10
	}
	s.calls = append(s.calls, c)
}

// withoutToken removes a token from a query, because clients put it there by
// mistake and the record must not contain it.
func withoutToken(q url.Values) string {
	for k := range q {
		if strings.Contains(strings.ToLower(k), "token") {
			q.Set(k, "[removed]")
		}
	}
	return q.Encode()
}

// maxText limits one string in the record, in bytes.
const maxText = 512

// bounded cuts a text from outside to a length that can be recorded.
func bounded(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > maxText {
		return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(text[:maxText], ""), len(text))
	}
	return text
}
