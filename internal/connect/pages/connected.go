package pages

import (
	"net/http"
	"strconv"
	"strings"
	"time"
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

	// Paused: Procore refuses the calls of this connection for a while.
	Paused bool

	Webhooks WebhookStatus

	// LastEvent is how long ago the company's last event arrived, or Never. Nil leaves the line out: it is not known.
	LastEvent *time.Duration

	// Checks: while webhooks are pending, the browser loads the page again on its own.
	Checks bool

	// Reconnected: this user had connected this company before, and the new authorization replaced the old one.
	Reconnected bool

	// Others counts the other users who have connected the same company.
	Others int

	// Flow is the authorization that made the connection, for the addresses of this page and of the one that ends it.
	Flow string

	// Until is how long this browser can open the page. Zero leaves that out.
	Until time.Time

	// Tenant is for whom the company was connected. Zero leaves the line out.
	Tenant Tenant

	// NextURL is where the developer's own application continues (PRODUCT_URL). Empty means "you can close this page".
	NextURL string
}

// connectedView is the data of templates/connected.html.
type connectedView struct {
	connectedWords
	For                      *tenant
	Company, CompanyID, User string // without an id, the company's name is its id
	Works                    bool
	Notice, NoticeKind       string   // kind is good, warn or wait
	NoticeMore               string   // what helps
	Request                  *request // for a visitor who is no administrator
	Last                     string   // when the last event arrived
	NextURL                  string
	Reload                   string // address of this page while something is pending
	Stop                     string // address of this page that is not loaded again
	End                      string // address of the page that asks whether to disconnect
}

// Never is the LastEvent of a company without an event within 14 days. A browser can open the page of its connection for
// no longer than that, so the company has had none since it was connected.
const Never time.Duration = -1

// reloadEvery is how often a browser loads a page again where webhooks are pending. WCAG 2.2.1 asks for 20 seconds in
// which a visitor can stop it.
//
// https://www.w3.org/WAI/WCAG22/Understanding/timing-adjustable
const reloadEvery = 30 * time.Second

// Connected shows that a company is connected, at the end of the flow and when the visitor comes back later.
func (p *Pages) Connected(w http.ResponseWriter, r *http.Request, c Connection) {
	c.CompanyName, c.UserName = clean(c.CompanyName, maxName), clean(c.UserName, maxName)
	id := strconv.FormatInt(c.CompanyID, 10)
	if c.CompanyName == "" {
		c.CompanyName = p.words.CompanyIDLabel + " " + id
	}
	t := p.words.connected(p.brand.Name, c)
	v := connectedView{connectedWords: t, For: p.tenant(c.Tenant), Company: c.CompanyName, CompanyID: id, User: c.UserName, NextURL: p.link(c.NextURL), Works: !c.Paused}
	if v.For != nil {
		v.NextLabel = backTo(v.For.Host)
	}
	if !c.Paused { // no update is sure to arrive
		v.webhooks(w, c.Webhooks, c.Checks, p.flowLink(PathConnected, c.Flow))
	}
	if c.LastEvent != nil && (c.Webhooks == WebhooksActive || c.Webhooks == WebhooksNeedsAdmin && *c.LastEvent != Never) {
		v.Last = t.ago(*c.LastEvent)
	}
	if v.NoticeMore != "" {
		v.Request = p.request(askUpdates, c.CompanyName, c.CompanyID)
	}
	if c.Flow != "" {
		v.End = with(p.flowLink(PathConnected, c.Flow), FieldDisconnect)
	}
	p.show(w, r, http.StatusOK, "connected", t.Title, v)
}

// webhooks adds the line about webhooks. While something is pending, it has a link to the page's own address, which the
// browser opens on its own if checks is true. That takes a header: axe refuses an element whatever its delay and its text.
//
// https://html.spec.whatwg.org/multipage/speculative-loading.html#the-refresh-header
func (v *connectedView) webhooks(w http.ResponseWriter, s WebhookStatus, checks bool, reload string) {
	switch s {
	case WebhooksOff:
	case WebhooksPending:
		v.Notice, v.NoticeKind, v.Reload = v.Pending, "wait", reload
		if checks {
			v.Notice, v.Stop = v.Pending+" "+v.Checks, with(reload, FieldStill)
			w.Header().Set("Refresh", strconv.Itoa(int(reloadEvery.Seconds())))
		}
	case WebhooksActive:
		v.Notice, v.NoticeKind = v.Active, "good"
	case WebhooksNeedsAdmin:
		v.Notice, v.NoticeKind, v.NoticeMore = v.Off, "warn", v.NeedsAdmin
	}
}

// with returns an address with one more field.
func with(address, field string) string {
	separator := "?"
	if strings.Contains(address, separator) {
		separator = "&"
	}
	return address + separator + field + "=1"
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
