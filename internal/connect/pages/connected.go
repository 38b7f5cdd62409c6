package pages

import (
	"net/http"
	"strconv"
)

// WebhookStatus is the state of the company's hook at Procore.
type WebhookStatus int

// The states that /connected distinguishes.
const (
	WebhooksOff        WebhookStatus = iota // none configured: the page doesn't mention webhooks
	WebhooksPending                         // housekeeping will create the hook soon
	WebhooksActive                          // hook and triggers are as configured
	WebhooksNeedsAdmin                      // Procore refused: the permission "Webhooks API" is missing
)

// Connection is what Connected shows.
type Connection struct {
	CompanyID   int64
	CompanyName string // empty shows the id alone
	UserName    string // who connected; empty leaves the line out

	Webhooks WebhookStatus

	// Reconnected: this user had connected this company before, and the new authorization replaced the old one.
	Reconnected bool

	// Others counts the other users who have connected the same company.
	Others int

	// Flow is the authorization that made the connection, for the address of this page. Empty means the plain address.
	Flow string

	// NextURL is where the developer's own application continues (PRODUCT_URL). Empty means "you can close this page".
	NextURL string
}

// connectedView is the data of templates/connected.html.
type connectedView struct {
	connectedWords
	Company, CompanyID, User string // without an id, the company's name is its id
	Notice, NoticeKind       string // kind is good, warn or wait
	NextURL                  string
	Reload                   string // address of this page while something is pending
}

// Connected shows that a company is connected, at the end of the flow and when the visitor comes back later.
func (p *Pages) Connected(w http.ResponseWriter, r *http.Request, c Connection) {
	c.CompanyName, c.UserName = clean(c.CompanyName, maxName), clean(c.UserName, maxName)
	id := strconv.FormatInt(c.CompanyID, 10)
	if c.CompanyName == "" {
		c.CompanyName = p.words.CompanyIDLabel + " " + id
	}
	t := p.words.connected(p.brand.Name, c)
	v := connectedView{connectedWords: t, Company: c.CompanyName, CompanyID: id, User: c.UserName, NextURL: c.NextURL}
	v.webhooks(c.Webhooks, p.flowLink(PathConnected, c.Flow))
	p.show(w, r, http.StatusOK, "connected", t.Title, v)
}

// webhooks adds the line about webhooks, with a link to the page's own address while something is pending.
func (v *connectedView) webhooks(s WebhookStatus, reload string) {
	switch s {
	case WebhooksOff:
	case WebhooksPending:
		v.Notice, v.NoticeKind, v.Reload = v.Pending, "wait", reload
	case WebhooksActive:
		v.Notice, v.NoticeKind = v.Active, "good"
	case WebhooksNeedsAdmin:
		v.Notice, v.NoticeKind = v.NeedsAdmin, "warn"
	}
}

// ConnectedVisitor shows /connected to a visitor without a session. Procore's post-installation instruction sends
// installers here (manifest, post_installation_instruction), who may or may not have connected a company yet.
func (p *Pages) ConnectedVisitor(w http.ResponseWriter, r *http.Request) {
	if p.principals.ServiceAccount {
		p.showInstall(w, r, http.StatusOK, p.install(p.words.installVisitor(p.brand.Name, p.principals.Users)))
		return
	}
	t := p.words.visitor(p.brand.Name)
	p.showLanding(w, r, t)
}
