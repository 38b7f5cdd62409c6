package pages

import "net/http"

// Landing shows the home page: what happens next, and "Connect to Procore" or how an administrator installs the app.
func (p *Pages) Landing(w http.ResponseWriter, r *http.Request) {
	if p.principals.ServiceAccount {
		p.showInstall(w, r, http.StatusOK, p.install(p.words.install(p.brand.Name, p.principals.Users)))
		return
	}
	t := p.words.landing(p.brand.Name)
	p.show(w, r, http.StatusOK, "landing", t.Title, t)
}
