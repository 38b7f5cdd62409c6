package procoretest

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"procore-connect/pkg/procore"
)

//go:embed templates
var files embed.FS

// The most companies and deliveries that the page shows.
const (
	shownCompanies  = 50
	shownDeliveries = 25
)

func parsePages() *template.Template {
	return template.Must(template.ParseFS(files, "templates/*.html"))
}

func (s *Server) pageRoutes(m *http.ServeMux) {
	form := func(h http.HandlerFunc) http.Handler { return http.NewCrossOriginProtection().Handler(h) }
	m.HandleFunc("GET /{$}", s.showHome)
	m.Handle("POST /_ui/change", form(s.changeByForm))
	m.Handle("POST /_ui/company", form(s.companyByForm))
	m.HandleFunc("GET /_ui/style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "templates/style.css")
	})
}

// render writes a page. The policy does not restrict form-action, because the forms
// of an authorization server redirect anywhere.
func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	if err := s.pages.ExecuteTemplate(w, name, data); err != nil {
		fmt.Fprintln(w, "The page could not be rendered.")
	}
}

func (s *Server) renderNotice(w http.ResponseWriter, status int, title, text string) {
	s.render(w, status, "notice.html", map[string]string{"Title": title, "Text": text})
}

// companyView is a company on the page.
type companyView struct {
	Company
	Tools []toolView
}

// toolView is the resources of one kind in a project or in a company itself.
type toolView struct {
	Company, Project int64
	Name, Where      string
	Resources        []Resource
}

// showHome serves the page at /: companies with their resources, hooks, and the latest
// deliveries.
func (s *Server) showHome(w http.ResponseWriter, r *http.Request) {
	st := s.State()
	slices.Reverse(st.Deliveries)
	slices.SortStableFunc(st.Companies, func(a, b Company) int { return installedFirst(a) - installedFirst(b) })
	more := max(len(st.Companies)-shownCompanies, 0)
	var views []companyView
	for _, c := range st.Companies[:min(len(st.Companies), shownCompanies)] {
		views = append(views, companyView{c, st.tools(c)})
	}
	s.render(w, http.StatusOK, "home.html", map[string]any{
		"Notice":    map[string]string{"create": "Created.", "update": "Updated.", "delete": "Deleted.", "company": "Saved."}[r.URL.Query().Get("done")],
		"Companies": views, "More": more, "Hooks": st.Hooks,
		"Deliveries": st.Deliveries[:min(len(st.Deliveries), shownDeliveries)],
	})
}

func installedFirst(c Company) int {
	if c.Installed {
		return 0
	}
	return 1
}

// tools returns a company's users and each project's resources by kind. Every project
// has at least its RFIs.
func (st State) tools(c Company) []toolView {
	views := []toolView{{Company: c.ID, Name: "Company Users", Where: c.Name}}
	for _, p := range c.Projects {
		views = append(views, toolView{Company: c.ID, Project: p.ID, Name: "RFIs", Where: p.Name})
	}
	for _, r := range st.Resources {
		if r.CompanyID != c.ID {
			continue
		}
		i := slices.IndexFunc(views, func(v toolView) bool { return v.Project == r.ProjectID && v.Name == r.Name })
		if i < 0 {
			where := c.Name
			if j := slices.IndexFunc(c.Projects, func(p Project) bool { return p.ID == r.ProjectID }); j >= 0 {
				where = c.Projects[j].Name
			}
			views = append(views, toolView{Company: c.ID, Project: r.ProjectID, Name: r.Name, Where: where})
			i = len(views) - 1
		}
		views[i].Resources = append(views[i].Resources, r)
	}
	return views
}

// changeByForm serves the page's buttons that create, update or delete a resource.
func (s *Server) changeByForm(w http.ResponseWriter, r *http.Request) {
	e := Event{ResourceName: r.PostFormValue("resource_name"), EventType: r.PostFormValue("event_type"),
		Title: strings.TrimSpace(r.PostFormValue("title"))}
	e.ResourceID = procore.ID(r.PostFormValue("resource_id"))
	for name, id := range map[string]*int64{"company_id": &e.CompanyID, "project_id": &e.ProjectID} {
		*id, _ = strconv.ParseInt(r.PostFormValue(name), 10, 64) // Emit refuses 0, or takes it as none
	}
	if _, err := s.Emit(e); err != nil {
		s.renderNotice(w, http.StatusBadRequest, "The change could not be made", err.Error())
		return
	}
	s.home(w, r, e.EventType, e.CompanyID)
}

// companyByForm serves the page's buttons that change a setting of a company.
func (s *Server) companyByForm(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseInt(r.PostFormValue("company_id"), 10, 64)
	on := r.PostFormValue("on") == "true"
	var p CompanyPatch
	switch r.PostFormValue("switch") {
	case "connected":
		p.Connected = &on
	case "user_installs":
		p.UserInstalls = &on
	case "installed":
		p.Installed = &on
	}
	if err := s.UpdateCompany(id, p); err != nil {
		s.renderNotice(w, http.StatusBadRequest, "The change could not be made", err.Error())
		return
	}
	s.home(w, r, "company", id)
}

func (s *Server) home(w http.ResponseWriter, r *http.Request, done string, company int64) {
	q := url.Values{"done": {done}}
	http.Redirect(w, r, fmt.Sprintf("/?%s#company-%d", q.Encode(), company), http.StatusSeeOther)
}
