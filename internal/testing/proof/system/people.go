package system

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	firstCompany = 10_000_000
	firstUser    = 20_000_000
	firstProject = 30_000_000
	projects     = 2 // of a company
)

// customer is a company with its people.
type customer struct {
	*system
	id       int64
	name     string
	user     int64
	userName string
	login    string
	things   []thing

	connecting int  // pages on which the user chooses the company
	ending     bool // the operator ends its connections
	last       *browsertest.Browser
}

// thing is something that people of a company change.
type thing struct {
	resource string
	project  int64
	id       procore.ID
}

// populate adds a company, and lets its people begin.
func (s *system) populate(i int) {
	n := int64(i)
	c := &customer{system: s, id: firstCompany + n, name: fmt.Sprintf("Company %d", i), user: firstUser + n, userName: fmt.Sprintf("User %d", i),
		login: fmt.Sprintf("user-%d@example.com", i)}
	if i%3 == 1 && s.Swarm().Has("users of two companies") {
		c.user, c.userName, c.login = s.customers[i-1].user, s.customers[i-1].userName, s.customers[i-1].login
	} else {
		must(s.procore.AddUser(procoretest.User{ID: c.user, Login: c.login, Name: c.userName}))
	}
	company := procoretest.NewCompany(c.id, c.name, c.user)
	for p := range int64(projects) {
		company.Projects = append(company.Projects, procoretest.Project{ID: firstProject + n*10 + p, Name: fmt.Sprintf("Project %d.%d", i, p)})
	}
	must(s.procore.AddCompany(company))
	s.customers = append(s.customers, c)
	s.Go("user "+c.name, c.lives)
	s.Go("user "+c.name+", who reads mail,", c.attends)
	s.Go("people "+c.name, c.works)
	if s.Swarm().Has("imports") {
		s.Go("importers "+c.name, c.imports)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// part draws a duration up to a bound.
func (c *customer) part(what string, most time.Duration) time.Duration {
	return time.Duration(c.Next(what, c.name) % uint64(most))
}

// lives is the user's time: connects the company, and does what users do now and then.
func (c *customer) lives(ctx context.Context) {
	begins := 2 * time.Hour
	if c.Swarm().Has("users begin at once") { // so their tokens expire at once, too
		begins = 3 * time.Minute
	}
	if !c.Sleep(ctx, c.part("begins", begins)) {
		return
	}
	for !c.connect(ctx) {
		if !c.Sleep(ctx, time.Minute+c.part("tries again", 30*time.Minute)) {
			return
		}
	}
	for c.Sleep(ctx, 4*time.Hour+c.part("does something", 20*time.Hour)) {
		if c.Calm() {
			return // see attends
		}
		c.does(ctx)
	}
}

// does draws one of the things that happen to a connection.
func (c *customer) does(ctx context.Context) {
	all := []struct {
		name string
		do   func(ctx context.Context)
	}{
		{"authorizes again", func(ctx context.Context) { c.connect(ctx) }},
		{"abandons", c.abandon},
		{"authorizes in two tabs", c.twice},
		{"leaves", c.leave},
		{"admin forbids user installs", c.forbid},
		{"disconnects", c.disconnect},
		{"returns", c.returns},
		{"admin removes the app", c.removes},
		{"admin disables the hook", c.disables},
		{"admin deletes the hook", c.deletes},
	}
	one := all[c.Next("which", c.name)%uint64(len(all))]
	if c.Swarm().Has(one.name) {
		c.Happened("a user " + one.name)
		c.Note("%s: the user %s", c.name, one.name)
		one.do(ctx)
	}
}

// browser returns a new browser of the user.
func (c *customer) browser() *browsertest.Browser {
	b := browsertest.New()
	b.Transport = c
	return b
}

// RoundTrip is the way of the browser's requests. Procore's page need not show who else there is.
func (c *customer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && r.URL.Path == "/oauth/authorize" {
		query := r.URL.Query()
		query.Set("login_hint", c.login)
		r.URL.RawQuery = query.Encode()
	}
	return c.system.RoundTrip(r)
}

// connect clicks through the pages. It reports whether the company is connected then, as
// the page says.
func (c *customer) connect(ctx context.Context) bool {
	b := c.browser()
	c.authorize(ctx, b)
	return c.choose(ctx, b)
}

func (c *customer) authorize(ctx context.Context, b *browsertest.Browser) {
	b.Open(ctx, appURL+"/")
	b.Click(ctx, "Connect to Procore")
	b.Choose(c.userName)
	b.Click(ctx, "Authorize")
}

func (c *customer) choose(ctx context.Context, b *browsertest.Browser) bool {
	if c.ending {
		return false // the user is asked to wait
	}
	c.judge.begins(c) // not before: the operator may have ended the connection since
	c.last = b
	c.connecting++
	defer func() { c.connecting-- }()
	b.Choose(c.name)
	b.Click(ctx, "Connect this company")
	good := b.Err() == nil && b.Status == http.StatusOK && b.URL.Path == "/connected"
	if good {
		c.judge.connected(c)
	}
	return good
}

// abandon authorizes and never chooses.
func (c *customer) abandon(ctx context.Context) { c.authorize(ctx, c.browser()) }

// twice authorizes in two browsers, and chooses in both, the first one last.
func (c *customer) twice(ctx context.Context) {
	one, two := c.browser(), c.browser()
	c.authorize(ctx, one)
	c.authorize(ctx, two)
	c.choose(ctx, two)
	c.choose(ctx, one)
}

// grant is the key of the user's grant.
func (c *customer) grant() string { return fmt.Sprintf("%suser#%d", prefix, c.user) }

// races lets a user authorize once more while the grant is being refreshed, by a sandbox that freezes.
func (s *system) races(ctx context.Context) {
	claim, ok := s.awaitsClaim(ctx)
	if !ok {
		return
	}
	claim.freezes(s, s.part("in a claim", []time.Duration{20 * time.Second, time.Minute}[s.Next("how long", "in a claim")%2])) // a claim ends after 25 s
	for _, c := range s.customers {
		if claim.grant == c.grant() && s.judge.knows(c).wants && c.connecting == 0 {
			c.connect(ctx)
			return
		}
	}
}

// leave lets the user leave the company, and come back after some days.
func (c *customer) leave(ctx context.Context) {
	c.procore.Member(c.id, c.user, false)
	c.judge.gone(c)
	c.Sleep(ctx, time.Hour+c.part("stays away", 30*time.Hour))
	c.procore.Member(c.id, c.user, true)
	c.connect(ctx)
}

// forbid lets an administrator forbid user installs for a while.
func (c *customer) forbid(ctx context.Context) {
	c.procore.UserInstalls(c.id, false)
	c.Sleep(ctx, c.part("forbidden", 10*time.Hour))
	c.procore.UserInstalls(c.id, true)
}

// removes lets an administrator remove the app in App Management, and install it again later.
func (c *customer) removes(ctx context.Context) {
	c.procore.Install(c.id, false)
	c.judge.removed(c)
	c.Sleep(ctx, time.Hour+c.part("removed", 20*time.Hour))
	c.procore.Install(c.id, true)
	c.connect(ctx)
}

// disconnect ends the connection by the app's page, and makes it again later. A page that failed may have ended it: the
// user tries again.
func (c *customer) disconnect(ctx context.Context) {
	for !c.disconnected(ctx) {
		if !c.Sleep(ctx, time.Minute+c.part("tries again", 30*time.Minute)) {
			return
		}
	}
	c.Sleep(ctx, time.Hour+c.part("disconnected", 20*time.Hour))
	c.connect(ctx)
}

// disconnected clicks through the pages to the end of the connection. It reports whether it has
// ended, as the page says.
func (c *customer) disconnected(ctx context.Context) bool {
	b := c.browser()
	c.authorize(ctx, b)
	if !c.choose(ctx, b) {
		return false
	}
	b.Click(ctx, "Disconnect this company")
	b.Click(ctx, "Disconnect")
	if b.Err() != nil || b.Status != http.StatusGone {
		c.Note("%s: not disconnected: status %d, %v", c.name, b.Status, b.Err())
		return false
	}
	c.Happened("disconnected by the page")
	c.judge.gone(c)
	return true
}

// works is the time of the company's people: they change things at Procore.
func (c *customer) works(ctx context.Context) {
	between := 24 * time.Hour / time.Duration(c.Config.Events)
	for c.Sleep(ctx, c.part("changes", 2*between)) {
		if simulation.Gate(ctx, "changes something") == simulation.Crash {
			return
		}
		if c.Calm() {
			return // the judge waits for what was changed
		}
		c.change()
	}
}

// change changes something known, or makes something new.
func (c *customer) change() {
	e := procoretest.Event{CompanyID: c.id, EventType: "update"}
	if n := len(c.things); n > 0 && c.Next("known", c.name)%3 > 0 {
		t := c.things[c.Next("which thing", c.name)%uint64(n)]
		e.ResourceName, e.ProjectID, e.ResourceID = t.resource, t.project, t.id
	} else {
		e.EventType = "create"
		e.ResourceName = []string{"RFIs", "Punch Items", "Company Vendors"}[c.Next("resource", c.name)%3]
		if e.ResourceName != "Company Vendors" {
			e.ProjectID = firstProject + (c.id-firstCompany)*10 + int64(c.Next("project", c.name)%projects)
		}
	}
	c.emits(e)
}

// emits lets a change happen, and returns the id of what was changed.
func (c *customer) emits(e procoretest.Event) procore.ID {
	emitted, err := c.procore.Emit(e)
	if err != nil {
		c.Problem("no change: %v", err)
		return ""
	}
	t := thing{e.ResourceName, e.ProjectID, emitted.ResourceID}
	if e.EventType == "create" {
		c.things = append(c.things, t)
	}
	c.judge.changed(c, t)
	return t.id
}

// returns opens the page of the connection again, in the browser that made it.
func (c *customer) returns(ctx context.Context) {
	if c.last != nil && c.connecting == 0 {
		c.last.Open(ctx, appURL+"/connected")
	}
}

// disables is an administrator who makes the company's hooks inactive, or Procore that does
// after failures.
func (c *customer) disables(context.Context) {
	for _, h := range c.procore.State().Hooks {
		if h.CompanyID == c.id {
			c.procore.EnableHook(h.ID, false)
		}
	}
}

// deletes is an administrator who deletes the company's hooks.
func (c *customer) deletes(context.Context) {
	c.judge.knows(c).unhooked = c.Now()
	for _, h := range c.procore.State().Hooks {
		if h.CompanyID == c.id {
			must(c.procore.DeleteHook(h.ID))
		}
	}
}
