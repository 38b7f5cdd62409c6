package procoretest

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

	"procore-connect/pkg/procore"
)

//go:embed templates
var files embed.FS

// The most companies, and resources of one kind in one place, that the page shows.
const (
	shownCompanies = 50
	shownResources = 25
)

// parsedPages are the same for all servers.
var parsedPages = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(files, "templates/*.html"))
})

func pageRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /{$}", on((*Server).showHome))
	m.HandleFunc("GET /_ui/live", on((*Server).serveLive))
	for path, h := range map[string]func(*Server, http.ResponseWriter, *http.Request){"change": (*Server).changeByForm, "create": (*Server).createByForm,
		"company": (*Server).companyByForm, "trouble": (*Server).troubleByForm, "hook": (*Server).hookByForm, "again": (*Server).againByForm} {
		m.Handle("POST /_ui/"+path, http.NewCrossOriginProtection().Handler(on(h)))
	}
	for _, name := range []string{"style.css", "live.js"} {
		m.HandleFunc("GET /_ui/"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "templates/"+name)
		})
	}
}

// render writes a page. The policy does not restrict form-action, because the forms
// of an authorization server redirect anywhere. Only the page at / has a script.
func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	policy := "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
	if name == "home.html" {
		policy += "; script-src 'self'; connect-src 'self'"
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	if err := parsedPages().ExecuteTemplate(w, name, data); err != nil {
		fmt.Fprintln(w, "The page could not be rendered.")
	}
}

func (s *Server) renderNotice(w http.ResponseWriter, status int, title, text string) {
	s.render(w, status, "notice.html", map[string]string{"Title": title, "Text": text})
}

// companyView is a company on the page.
type companyView struct {
	Company
	At       string // the id of its place on the page
	Tools    []toolView
	Triggers []string
	Notice   string
}

// toolView is the resources of one kind in a project or in a company itself.
type toolView struct {
	At               string
	Company, Project int64
	Name, Where      string
	Resources        []Resource
	More             int
	Hint             string // why changes are not reported
	Notice           string
}

// toolID returns the id of a tool's place on the page.
func toolID(at scope, name string) string {
	return fmt.Sprintf("tool-%d-%d-%s", at.company, at.project, strings.ReplaceAll(collection(name), " ", "_"))
}

// doneWords are what the page says after a button was clicked.
func doneWords(done string) string {
	return map[string]string{"create": "Created", "update": "Updated", "delete": "Deleted", "company": "Saved.",
		"unavailable": "The next 3 calls of the API are answered 503.", "token": "The next answer of the token endpoint is lost.",
		"time": "90 minutes have passed.", "lose": "10 % of the events are lost from now on.", "end": "No trouble from now on.",
		"hook": "The hook is changed.", "again": "The event is delivered again."}[done]
}

// showHome serves the page at /: companies with their resources, hooks, and the logs.
func (s *Server) showHome(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	notice, at := doneWords(q.Get("done")), q.Get("at")
	views, more := s.companyViews()
	for i := range views {
		c := &views[i]
		if c.At == at {
			c.Notice, notice = notice, ""
		}
		for j := range c.Tools {
			if t := &c.Tools[j]; t.At == at && notice != "" {
				t.Notice, notice = s.changed(t, q.Get("done"), q.Get("hooks")), ""
			}
		}
	}
	if notice != "" && !strings.HasSuffix(notice, ".") { // of a tool that is gone
		notice += "."
	}
	s.render(w, http.StatusOK, "home.html", map[string]any{"Notice": notice, "At": at, "Links": s.links(),
		"Companies": views, "More": more, "Names": resourceNames(), "Live": s.live()})
}

// changed returns what the page says after a change: whether hooks report it, or why not.
func (s *Server) changed(t *toolView, done, hooks string) string {
	switch hooks {
	case "0":
		s.mu.Lock()
		defer s.mu.Unlock()
		return doneWords(done) + ". " + s.unreported(scope{t.Company, t.Project}, t.Name, done)
	case "1":
		return doneWords(done) + ", and reported to a hook."
	}
	return doneWords(done) + ", and reported to several hooks."
}

// companyViews returns the companies that the page shows, those with the app first, and how
// many others there are.
func (s *Server) companyViews() (views []companyView, more int) {
	st := s.State()
	slices.SortStableFunc(st.Companies, func(a, b Company) int { return installedFirst(a) - installedFirst(b) })
	more = max(len(st.Companies)-shownCompanies, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range st.Companies[:len(st.Companies)-more] {
		v := companyView{Company: c, At: fmt.Sprintf("company-%d", c.ID), Tools: st.tools(c), Triggers: s.triggersOf(c.ID)}
		for i := range v.Tools {
			t := &v.Tools[i]
			t.At = toolID(scope{t.Company, t.Project}, t.Name)
			t.Hint = s.unreported(scope{t.Company, t.Project}, t.Name, changeKinds[:]...)
			t.More = max(len(t.Resources)-shownResources, 0)
			t.Resources = t.Resources[t.More:]
		}
		views = append(views, v)
	}
	return views, more
}

// pageLink is a link of the page to another program.
type pageLink struct{ Text, URL string }

// Link adds a link to the page, such as to a console of the app.
func (s *Server) Link(text, url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.linked = append(s.linked, pageLink{text, url})
}

func (s *Server) links() (all []pageLink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.AppURL != "" {
		all = append(all, pageLink{"The app", s.opts.AppURL})
	}
	return append(all, s.linked...)
}

func installedFirst(c Company) int {
	if c.Installed {
		return 0
	}
	return 1
}

// tools returns a company's users and projects, and each project's resources by kind.
// Every project has at least its RFIs.
func (st State) tools(c Company) []toolView {
	views := []toolView{{Company: c.ID, Name: "Company Users", Where: c.Name}, {Company: c.ID, Name: "Projects", Where: c.Name}}
	for _, p := range c.Projects {
		views[1].Resources = append(views[1].Resources, Resource{ID: procore.NewID(p.ID), CompanyID: c.ID, Name: "Projects", Title: p.Name})
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
