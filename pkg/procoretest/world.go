package procoretest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// User is a person who can log in.
type User struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

// Company is a customer of Procore. Use [NewCompany] for one with the usual
// settings.
type Company struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	IsActive bool   `json:"is_active"`
	// UserInstalls is *Allow User Installs*: a member's first call into the
	// company installs the app there. Off, that call is refused.
	UserInstalls bool `json:"user_installs"`
	// Installed means that App Management lists the app.
	Installed bool `json:"installed"`
	// Connected is false after an admin pressed Disconnect in App Management.
	Connected bool `json:"connected"`
	// WebhooksPermission is the *Webhooks API* permission at Standard.
	WebhooksPermission bool `json:"webhooks_permission"`
	// WebhooksDeniedTo are members who lack that permission though the others have
	// it.
	WebhooksDeniedTo []int64 `json:"webhooks_denied_to"`
	// UnauthorizedUntilInstalled answers 401 where the app is not installed,
	// instead of installing it or answering 403. An admin must install it.
	UnauthorizedUntilInstalled bool `json:"unauthorized_until_installed"`
	// ServiceAccount lets the app's service account see the company.
	ServiceAccount bool `json:"service_account"`
	// DeniedTools are collections ("rfis", "users") the app may not read.
	DeniedTools []string `json:"denied_tools"`
	// Members are ids of users.
	Members  []int64   `json:"members"`
	Projects []Project `json:"projects"`
}

// Project belongs to one company.
type Project struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Resource is anything in a company or project that hooks can report: an RFI, a
// company user, a submittal.
type Resource struct {
	ID        int64  `json:"id"`
	CompanyID int64  `json:"company_id"`
	ProjectID int64  `json:"project_id"` // 0 in the company itself
	Name      string `json:"resource_name"`
	Title     string `json:"title"`
	// Inactive is a company user's who was made inactive.
	Inactive bool `json:"inactive"`
	// Revision counts the changes made, 1 at creation.
	Revision  int       `json:"revision"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// NewCompany is an active company with user installs on, the webhooks
// permission, and without the app.
func NewCompany(id int64, name string, members ...int64) Company {
	return Company{ID: id, Name: name, IsActive: true, UserInstalls: true, Connected: true,
		WebhooksPermission: true, Members: members}
}

// maxWorld bounds users, companies and resources.
const maxWorld = 20_000

// AddUser adds a user to the login page.
func (s *Server) AddUser(u User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.ID <= 0 || u.Name == "" || s.user(u.ID) != nil || len(s.users) >= maxWorld {
		return fmt.Errorf("user %d: needs an id and name of its own", u.ID)
	}
	s.users = append(s.users, &u)
	return nil
}

// AddCompany adds a company with its projects.
func (s *Server) AddCompany(c Company) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ID <= 0 || c.Name == "" || s.companies[c.ID] != nil || len(s.companies) >= maxWorld {
		return fmt.Errorf("company %d: needs an id and name of its own", c.ID)
	}
	for _, p := range c.Projects {
		if owner, _ := s.project(p.ID); owner != nil || p.ID <= 0 {
			return fmt.Errorf("project %d: needs an id of its own", p.ID)
		}
	}
	c = c.clone()
	s.companies[c.ID] = &c
	s.order = append(s.order, c.ID)
	for _, p := range c.Projects {
		s.projects[p.ID] = c.ID
	}
	return nil
}

func (c Company) clone() Company {
	c.DeniedTools = slices.Clone(c.DeniedTools)
	c.Members = slices.Clone(c.Members)
	c.WebhooksDeniedTo = slices.Clone(c.WebhooksDeniedTo)
	c.Projects = slices.Clone(c.Projects)
	return c
}

// CompanyPatch changes a company; nil fields stay. It is the body of
// PATCH /_fake/companies/{id}.
type CompanyPatch struct {
	Name                       *string   `json:"name"`
	IsActive                   *bool     `json:"is_active"`
	UserInstalls               *bool     `json:"user_installs"`
	Installed                  *bool     `json:"installed"`
	Connected                  *bool     `json:"connected"`
	WebhooksPermission         *bool     `json:"webhooks_permission"`
	WebhooksDeniedTo           *[]int64  `json:"webhooks_denied_to"`
	UnauthorizedUntilInstalled *bool     `json:"unauthorized_until_installed"`
	ServiceAccount             *bool     `json:"service_account"`
	DeniedTools                *[]string `json:"denied_tools"`
	Members                    *[]int64  `json:"members"`
}

// UpdateCompany applies the patch.
func (s *Server) UpdateCompany(id int64, p CompanyPatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.companies[id]
	if c == nil {
		return fmt.Errorf("company %d does not exist", id)
	}
	set(&c.Name, p.Name)
	set(&c.IsActive, p.IsActive)
	set(&c.UserInstalls, p.UserInstalls)
	set(&c.Installed, p.Installed)
	set(&c.Connected, p.Connected)
	set(&c.WebhooksPermission, p.WebhooksPermission)
	set(&c.WebhooksDeniedTo, p.WebhooksDeniedTo)
	set(&c.UnauthorizedUntilInstalled, p.UnauthorizedUntilInstalled)
	set(&c.ServiceAccount, p.ServiceAccount)
	set(&c.DeniedTools, p.DeniedTools)
	set(&c.Members, p.Members)
	*c = c.clone()
	return nil
}

// user finds a user by id. The caller holds mu.
func (s *Server) user(id int64) *User {
	i := slices.IndexFunc(s.users, func(u *User) bool { return u.ID == id })
	if i < 0 {
		return nil
	}
	return s.users[i]
}

// project finds a project and its company. The caller holds mu.
func (s *Server) project(id int64) (*Company, *Project) {
	c := s.companies[s.projects[id]]
	if c == nil {
		return nil, nil
	}
	i := slices.IndexFunc(c.Projects, func(p Project) bool { return p.ID == id })
	return c, &c.Projects[i]
}

// collection is a resource's name in paths: "RFIs" is rfis, "Company Users" is
// users, "Direct Cost Line Items" is direct_cost_line_items.
func collection(resourceName string) string {
	name := strings.TrimPrefix(strings.ToLower(resourceName), "company ")
	return strings.ReplaceAll(name, " ", "_")
}

// list gives the resources of one collection in one project, or in the company
// itself when project is 0. The caller holds mu.
func (s *Server) list(company, project int64, coll string) []*Resource {
	var found []*Resource
	for _, r := range s.resources {
		if r.CompanyID == company && r.ProjectID == project && collection(r.Name) == coll {
			found = append(found, r)
		}
	}
	return found
}

// newID makes an id that needs more than 32 bits, as Procore's may.
func (s *Server) newID() int64 {
	s.lastID++
	return s.lastID
}
