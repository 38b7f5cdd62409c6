package pages

import "net/http"

// landingView is the data of templates/landing.html.
type landingView struct {
	landingWords
	Who    about
	Start  string
	Tenant *tenant
}

// Landing shows the home page: who asks, for what, and "Connect to Procore" or how an administrator installs the app.
func (p *Pages) Landing(w http.ResponseWriter, r *http.Request) {
	if p.principals.ServiceAccount {
		p.showInstall(w, r, http.StatusOK, p.install(p.words.install(p.brand.Name, p.principals.Users)))
		return
	}
	p.showLanding(w, r, p.words.landing(p.brand.Name))
}

func (p *Pages) showLanding(w http.ResponseWriter, r *http.Request, t landingWords) {
	p.show(w, r, http.StatusOK, "landing", t.Title, landingView{landingWords: t, Who: p.about(), Start: p.link(PathStart)})
}

// LandingFor shows the home page to a visitor whom a host application sent, with the tenant that its link is for. The
// button repeats the address.
func (p *Pages) LandingFor(w http.ResponseWriter, r *http.Request, t Tenant) {
	v := landingView{landingWords: p.words.landing(p.brand.Name), Who: p.about(), Start: p.link(address(r, false)), Tenant: p.tenant(t)}
	v.Tenant.Doubt = v.Tenant.OnLanding
	p.show(w, r, http.StatusOK, "landing", v.Title, v)
}
