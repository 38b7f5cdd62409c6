package pages

import "net/http"

// Landing shows the first page: what will happen, and "Connect to Procore".
func (p *Pages) Landing(w http.ResponseWriter, r *http.Request) {
	t := p.words.landing(p.brand.Name)
	p.show(w, r, http.StatusOK, "landing", t.Title, t)
}
