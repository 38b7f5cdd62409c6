package pages

import (
	"net/http"
	"net/url"
	"strconv"
)

// Installation is what the service account has of a company that a visitor asks for.
type Installation int

// What a company's administrator does next differs by these.
const (
	InstallationNone    Installation = iota // not found, or the app was uninstalled
	InstallationRefused                     // found, but Procore lets the app into the company no longer
)

// installView is the data of templates/install.html.
type installView struct {
	installWords
	Who          about
	LeadParts    []part
	Request      *request // for a visitor who is no administrator
	Notice, Kind string   // kind is warn or bad; a bad one is an alert
	Users        bool     // users connect companies too
	CheckFirst   bool     // nothing on the page is more important than the form that asks for a company
	Action       string   // of the form that asks for a company
	Company      string   // what the form has in its field
}

// install returns the page that explains an installation.
func (p *Pages) install(t installWords) installView {
	return installView{
		installWords: t, Who: p.about(), Request: p.request(askInstall, "", 0), Users: p.principals.Users, Action: p.link(PathConnected),
	}
}

func (p *Pages) showInstall(w http.ResponseWriter, r *http.Request, status int, v installView) {
	v.LeadParts = p.parts(v.Lead)
	v.CheckFirst = !v.Users && (v.Notice != "" || v.Who.Marketplace.URL == "")
	p.show(w, r, status, "install", v.Title, v)
}

// Installed shows to any visitor that a company is connected by its installation. It shows neither name nor user.
func (p *Pages) Installed(w http.ResponseWriter, r *http.Request, companyID int64, s WebhookStatus, checks bool, nextURL string) {
	id := strconv.FormatInt(companyID, 10)
	t := p.words.installed(p.brand.Name, nextURL != "")
	v := connectedView{connectedWords: t, Company: p.words.CompanyIDLabel + " " + id, NextURL: nextURL, Works: true}
	v.webhooks(w, s, checks, p.link(PathConnected+"?"+url.Values{FieldCompany: {id}}.Encode()))
	if v.NoticeMore != "" {
		v.Request = p.request(askAppUpdates, "", companyID)
	}
	p.show(w, r, http.StatusOK, "connected", t.Title, v)
}

// NotInstalled shows to any visitor that a company is not connected by its installation, and what to do.
func (p *Pages) NotInstalled(w http.ResponseWriter, r *http.Request, companyID int64, i Installation) {
	id := strconv.FormatInt(companyID, 10)
	v := p.install(p.words.notInstalled(p.brand.Name, id, i))
	v.Notice, v.Kind, v.Company = v.About, "warn", id
	v.Request = p.request(askInstall, "", companyID)
	if i == InstallationRefused {
		v.Request = p.request(askReconnect, "", companyID)
		v.Users = false // Procore is likely to refuse a user too
	}
	p.showInstall(w, r, http.StatusOK, v)
}

// NotACompany explains that what the visitor asked for is not the id of a company. The text itself is not repeated.
func (p *Pages) NotACompany(w http.ResponseWriter, r *http.Request) {
	v := p.install(p.words.install(p.brand.Name, p.principals.Users))
	v.Title, v.Lead, v.Notice, v.Kind = v.CheckTitle, "", v.NoID, "bad"
	p.showInstall(w, r, http.StatusBadRequest, v)
}
