package pages

import "net/http"

// Landing shows the home page: what happens next, and "Connect to Procore".
func (p *Pages) Landing(w http.ResponseWriter, r *http.Request) {
	t := p.words.landing(p.brand.Name)
	p.show(w, r, http.StatusOK, "landing", t.Title, t)
}
