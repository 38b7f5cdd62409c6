package procoretest

import (
	"fmt"
	"slices"
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
	// UserInstalls is the setting "Allow User Installs". If true, a member's first
	// call into the company installs the app there; if false, that call is refused.
	UserInstalls bool `json:"user_installs"`
	// Installed is true while App Management lists the app.
	Installed bool `json:"installed"`
	// Connected is false after an administrator has disconnected the app in App
	// Management.
	Connected bool `json:"connected"`
	// WebhooksPermission is the members' permission "Webhooks API" at Standard.
	WebhooksPermission bool `json:"webhooks_permission"`
	// WebhooksDeniedTo are ids of members who lack that permission even if it is
	// set.
	WebhooksDeniedTo []int64 `json:"webhooks_denied_to"`
	// UnauthorizedUntilInstalled answers 401 while the app is not installed,
	// instead of installing it or answering 403. An administrator must install it.
	UnauthorizedUntilInstalled bool `json:"unauthorized_until_installed"`
	// ServiceAccount is true if the app's service account can see the company.
	ServiceAccount bool `json:"service_account"`
	// DeniedTools are collections, such as "rfis" or "users", that the app may not
	// read.
	DeniedTools []string `json:"denied_tools"`
	// Members are the ids of the users who belong to the company.
	Members  []int64   `json:"members"`
	Projects []Project `json:"projects"`
}

// Project belongs to one company.
type Project struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// CreatedAt and UpdatedAt are when the project was added, if they are zero then.
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// updated returns when the project was last changed.
func (p Project) updated() time.Time { return p.UpdatedAt }

func (p Project) key() string { return idText(p.ID) }

// NewCompany returns an active company that allows user installs, has the webhooks
// permission, and has not installed the app.
func NewCompany(id int64, name string, members ...int64) Company {
	return Company{ID: id, Name: name, IsActive: true, UserInstalls: true, Connected: true,
		WebhooksPermission: true, Members: members}
}

// maxWorld limits the number of users and of companies.
const maxWorld = 20_000

// AddUser adds a user, who can then log in. It needs a name and an unused id.
func (s *Server) AddUser(u User) (err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.ID <= 0 || u.Name == "" || s.user(u.ID) != nil || len(s.users) >= maxWorld {
		return fmt.Errorf("user %d needs a name and an unused id", u.ID)
	}
	s.addUser(&u)
	return nil
}

// AddCompany adds a company with its projects. It needs a name and an unused id,
// and its projects need unused ids.
func (s *Server) AddCompany(c Company) (err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addCompany(c)
}

func (s *Server) addCompany(c Company) error {
	if c.ID <= 0 || c.Name == "" || s.companies[c.ID] != nil || len(s.companies) >= maxWorld {
		return fmt.Errorf("company %d needs a name and an unused id", c.ID)
	}
	for _, p := range c.Projects {
		if owner, _ := s.project(p.ID); owner != nil || p.ID <= 0 {
			return fmt.Errorf("project %d needs an unused id", p.ID)
		}
	}
	c = c.clone()
	for i := range c.Projects {
		p := &c.Projects[i]
		p.CreatedAt = or(p.CreatedAt, s.now())
		p.UpdatedAt = or(p.UpdatedAt, p.CreatedAt)
	}
	s.companies[c.ID] = &c
	s.order = append(s.order, c.ID)
	s.keepCompany(&c)
	s.keepOrder(len(s.order), c.ID)
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

// CompanyPatch changes a company. Nil fields keep their value. It is the body of
// PATCH /_fake/companies/{id}. An administrator's installation, which Installed is, also
// lets the app's service account see the company, unless ServiceAccount says otherwise.
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

// UpdateCompany applies the patch to the company with this id.
func (s *Server) UpdateCompany(id int64, p CompanyPatch) (err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.companies[id]
	if c == nil {
		return fmt.Errorf("company %d does not exist", id)
	}
	if p.ServiceAccount == nil && p.Installed != nil && *p.Installed {
		p.ServiceAccount = p.Installed
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
	s.keepCompany(c)
	return nil
}

// user returns the user with this id, or nil. The caller holds mu.
func (s *Server) user(id int64) *User { return s.byUserID[id] }

func (s *Server) addUser(u *User) {
	s.users = append(s.users, u)
	s.byUserID[u.ID] = u
	s.keepUser(len(s.users), u)
}

// project returns the project with this id and its company, or nil. The caller
// holds mu.
func (s *Server) project(id int64) (*Company, *Project) {
	c := s.companies[s.projects[id]]
	if c == nil {
		return nil, nil
	}
	i := slices.IndexFunc(c.Projects, func(p Project) bool { return p.ID == id })
	return c, &c.Projects[i]
}

// newID returns an id of more than 32 bits, as Procore's ids may have.
func (s *Server) newID() int64 {
	s.lastID++
	s.keepCounters()
	return s.lastID
}
