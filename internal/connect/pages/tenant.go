package pages

import "net/url"

// Tenant is for whom a company is being connected: a tenant of the host application whose link the flow follows.
type Tenant struct {
	Name   string
	Return string // the host's address at the end
}

// tenant is a Tenant on a page. Its name is what the host signed, and its host is where the browser goes back to.
type tenant struct {
	tenantWords
	Name, Host string
	Doubt      string // what a visitor does who does not know the tenant
}

func (p *Pages) tenant(t Tenant) *tenant {
	if t.Name == "" {
		return nil
	}
	return &tenant{tenantWords: p.words.tenant(), Name: clean(t.Name, maxName), Host: hostOf(t.Return)}
}

// hostOf returns the host of an address for people.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return clean(u.Hostname(), maxText)
}
