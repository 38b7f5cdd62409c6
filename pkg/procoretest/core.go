package procoretest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
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

// projectJSON is a project of REST v1.
type projectJSON struct {
	ID          int64       `json:"id"`
	Name        string      `json:"name"`
	DisplayName string      `json:"display_name"`
	Active      bool        `json:"active"`
	Company     companyName `json:"company"`
}

type companyName struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func (c *call) projectV1(p Project) projectJSON {
	return projectJSON{ID: p.ID, Name: p.Name, DisplayName: p.Name, Active: true, Company: companyName{c.company.ID, c.company.Name}}
}

// needsCompany reports whether company_id is in the query, and answers 400 if not.
// Some endpoints require it there although the header has it too.
func (c *call) needsCompany() bool {
	if c.r.PathValue("company") == "" && c.r.URL.Query().Get("company_id") == "" {
		return c.fail(http.StatusBadRequest, "The company_id parameter is missing.")
	}
	return true
}

func (c *call) listProjects() {
	if !c.needsCompany() || !c.permitted("projects") {
		return
	}
	all := []projectJSON{}
	for _, p := range c.company.Projects {
		all = append(all, c.projectV1(p))
	}
	if cut, ok := page(c, v1(), all); ok {
		writeJSON(c.w, http.StatusOK, cut)
	}
}

func (c *call) showProject() {
	if !c.needsCompany() || !c.permitted("projects") {
		return
	}
	if p, ok := c.inProject(); ok {
		writeJSON(c.w, http.StatusOK, c.projectV1(p))
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

// projectJSONv2 is a project of REST v2, where ids are strings and answers are under
// data.
type projectJSONv2 struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	CompanyID string `json:"company_id"`
}

func (c *call) projectV2(p Project) projectJSONv2 {
	return projectJSONv2{strconv.FormatInt(p.ID, 10), p.Name, strconv.FormatInt(c.company.ID, 10)}
}

func (c *call) listProjectsV2() {
	if !c.permitted("projects") {
		return
	}
	all := []projectJSONv2{}
	for _, p := range c.company.Projects {
		all = append(all, c.projectV2(p))
	}
	if cut, ok := page(c, v2(), all); ok {
		writeJSON(c.w, http.StatusOK, map[string]any{"data": cut})
	}
}

func (c *call) showProjectV2() {
	if !c.permitted("projects") {
		return
	}
	if p, ok := c.inProject(); ok {
		writeJSON(c.w, http.StatusOK, map[string]any{"data": c.projectV2(p)})
	}
}

// timestamp formats a time as in Procore's JSON.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
