package procoretest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

func (c *call) me() {
	u := User{ID: serviceAccountID, Login: "service-account@procore.example", Name: "Service Account"}
	if c.pair.userID != 0 {
		u = *c.user(c.pair.userID)
	}
	writeJSON(c.w, http.StatusOK, u)
}

// companyJSON is a company as Procore lists it.
type companyJSON struct {
	ID       int64   `json:"id"`
	Name     string  `json:"name"`
	IsActive bool    `json:"is_active"`
	LogoURL  *string `json:"logo_url"`
}

// listCompanies lists the companies of a user, or those in which the app is installed,
// for its service account. Procore's documents disagree whether that one call of a service
// account needs the company header.
func (c *call) listCompanies() {
	isApp, named := c.pair.userID == 0, c.r.Header.Get(companyHeader) != ""
	if isApp && (named || c.opts.CompaniesNeedHeader) && !c.enter() {
		return
	}
	all := []companyJSON{}
	for _, id := range c.order {
		if company := c.companies[id]; c.sees(company) && (!isApp || company.Installed && company.Connected) {
			all = append(all, companyJSON{ID: id, Name: company.Name, IsActive: company.IsActive})
		}
	}
	if cut, ok := page(c, v1(), all); ok {
		writeJSON(c.w, http.StatusOK, cut)
	}
}

// projectJSON returns a project. In REST v2 ids are text.
func (c *call) projectJSON(p Project) map[string]any {
	row := map[string]any{"id": p.ID, "name": p.Name, "created_at": timestamp(p.CreatedAt), "updated_at": timestamp(p.UpdatedAt)}
	if c.isV2() {
		row["id"], row["company_id"] = idText(p.ID), idText(c.company.ID)
		return row
	}
	row["display_name"], row["active"] = p.Name, true
	row["company"] = map[string]any{"id": c.company.ID, "name": c.company.Name}
	return row
}

// needsCompany reports whether company_id is a parameter, and answers 400 if not.
// Some endpoints require it there although the header has it too.
func (c *call) needsCompany() bool {
	switch named := or(c.r.PathValue("company"), c.parameter("company_id")); named {
	case "":
		return c.fail(http.StatusBadRequest, "The company_id parameter is missing.")
	case idText(c.company.ID):
		return true
	}
	return c.fail(http.StatusBadRequest, "The Procore-Company-Id header names a different company from the request.")
}

// parameter returns a parameter of the query or, for a change, of the body.
func (c *call) parameter(name string) string {
	if v := c.r.URL.Query().Get(name); v != "" || c.r.Method == http.MethodGet {
		return v
	}
	body, err := io.ReadAll(c.r.Body)
	c.r.Body = io.NopCloser(bytes.NewReader(body))
	var fields map[string]json.RawMessage
	if err != nil || json.Unmarshal(body, &fields) != nil {
		return ""
	}
	return strings.Trim(string(fields[name]), `"`)
}

func (c *call) listProjects() {
	if !c.needsCompany() || !c.permitted("projects") {
		return
	}
	if found, ok := filtered(c, c.company.Projects); ok {
		answerList(c, found, c.projectJSON)
	}
}

func (c *call) showProject() {
	if !c.needsCompany() || !c.permitted("projects") {
		return
	}
	if p, ok := c.inProject(); ok {
		c.inVersion(http.StatusOK, c.projectJSON(p))
	}
}

// createProject makes a project. Procore has no deletion of one.
func (c *call) createProject() {
	if c.needsCompany() && c.permitted("projects") {
		c.changeProject("", "create", http.StatusCreated)
	}
}

func (c *call) updateProject() {
	if !c.needsCompany() || !c.permitted("projects") {
		return
	}
	if p, ok := c.inProject(); ok {
		c.changeProject(procore.NewID(p.ID), "update", http.StatusOK)
	}
}

func (c *call) changeProject(id procore.ID, kind string, status int) {
	title, ok := c.titleIn("Projects")
	if !ok {
		return
	}
	r, ok := c.change(scope{company: c.company.ID}, "Projects", id, kind, title)
	if !ok {
		return
	}
	c.r.SetPathValue("project", string(r.ID))
	if p, ok := c.inProject(); ok {
		c.inVersion(status, c.projectJSON(p))
	}
}

// inProject returns the path's project in the header's company, or answers 404.
func (c *call) inProject() (Project, bool) {
	id, err := strconv.ParseInt(c.r.PathValue("project"), 10, 64)
	i := slices.IndexFunc(c.company.Projects, func(p Project) bool { return p.ID == id })
	if err != nil || i < 0 {
		return Project{}, c.fail(http.StatusNotFound, "The project does not exist in this company, or you have no access to it.")
	}
	return c.company.Projects[i], true
}

// timestamp formats a time as in Procore's JSON.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
