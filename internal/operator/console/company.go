package console

import (
	"net/http"
	"net/url"
	"strconv"

	"procore-connect/internal/operator"
)

// companyView is what is known of a company.
type companyView struct {
	*operator.Company
	Timeline timelineView
	Actions  []action
	Unread   error
}

// action is a button that begins a change.
type action struct {
	Verb   verb
	Text   string
	Fields url.Values
	Form   bool // it leads to the form of the change, because the person has more to say
}

// company shows a company: GET /companies/{id}, with the query of its timeline.
func (c *Console) company(r *http.Request) (page, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return page{}, errNotFound
	}
	known, unread := c.Operator.Company(r.Context(), id)
	if known == nil {
		return page{}, unread
	}
	v := companyView{Company: known, Timeline: c.timeline(r, known), Unread: unread, Actions: companyActions(known)}
	p := page{Template: "company", Title: short(name(known)), Menu: "/", Live: 10, Main: v}
	if v.Timeline.Searches {
		p.Live = 2
	}
	return p, nil
}

// name is the company's, or its id.
func name(c *operator.Company) string {
	if c.Name == "" {
		return "Company " + strconv.FormatInt(c.ID, 10)
	}
	return c.Name
}

// companyActions are the changes that are about a company.
func companyActions(c *operator.Company) (all []action) {
	id := strconv.FormatInt(c.ID, 10)
	of := func(text, verb string, fields url.Values, form bool) {
		if v, ok := find(verb); ok {
			all = append(all, action{v, text, fields, form})
		}
	}
	company := url.Values{"company": {id}}
	of("Put the webhook in order", "webhooks sync", company, false)
	of("Reconcile now", "reconcile", company, false)
	for _, g := range c.Grants {
		of("Refresh "+g.Principal, "refresh", url.Values{"principal": {g.Principal}}, false)
	}
	of("Replay events", "replay", url.Values{"company": {id}, "from": {"2h"}}, true)
	of("Replay its quarantine", "quarantine replay", company, true)
	of("Retire its webhook credential", "keys raise-epoch", company, false)
	of("Revoke", "revoke", company, false)
	of("Erase", "erase", company, false)
	return all
}
