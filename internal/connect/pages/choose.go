package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Names of the fields: POST /companies sends FieldFlow, FieldCSRF, and FieldCompany or FieldLeave; the filter is GET /companies with
// FieldFlow and FieldFilter. The flow's id may stand in an address; the CSRF token never does.
const (
	FieldFlow    = "flow"
	FieldCSRF    = "csrf"
	FieldCompany = "company_id"
	FieldLeave   = "leave" // the user wants to connect nothing
	FieldFilter  = "q"
)

const (
	filterFrom = 9   // so many companies bring the filter field
	maxShown   = 100 // so many are listed at once; the filter finds the others
)

// CompanyState says whether a company can be chosen.
type CompanyState int

// A company that can't be chosen is listed with the reason, so that nobody looks for it in vain.
const (
	Available   CompanyState = iota
	Inactive                 // Procore's is_active is false
	NotAdmitted              // ALLOWED_COMPANIES leaves it out
)

// Company is one line of the choice.
type Company struct {
	ID    int64
	Name  string
	State CompanyState
}

// Choice is what Choose shows.
type Choice struct {
	UserName  string
	Flow      string // the authorization this choice belongs to
	CSRF      string
	Companies []Company // all that Procore listed, in any order
	More      bool      // Procore has even more, which were not read
	Filter    string    // what the visitor typed into the filter field
	Missing   bool      // the form came without a choice: say so, with status 422
}

// chooseView is templates/choose.html's.
type chooseView struct {
	chooseWords
	Choice
	Action      string // of both forms
	ShowFilter  bool
	Options     []option
	Unavailable []option
	Count       string
	All         string // address of the unfiltered list
}

// option is one radio button.
type option struct {
	ID, Name, Hint string
	Checked        bool
}

// Choose shows the companies to choose one from.
func (p *Pages) Choose(w http.ResponseWriter, r *http.Request, c Choice) {
	v := p.chooseView(c)
	status := http.StatusOK
	if c.Missing {
		status = http.StatusUnprocessableEntity
	}
	p.show(w, r, status, "choose", v.Title, v)
}

func (p *Pages) chooseView(c Choice) chooseView {
	c.UserName, c.Filter = clean(c.UserName, maxName), clean(c.Filter, maxFilter)
	open, closed := split(c.Companies)
	v := chooseView{
		chooseWords: p.words.choose(p.brand.Name, len(open), len(closed)), Choice: c,
		Action:     p.link(PathCompanies),
		All:        p.flowLink(PathCompanies, c.Flow),
		ShowFilter: len(c.Companies) >= filterFrom,
	}
	v.Lead = p.named(v.Lead)
	found, foundClosed := matching(open, c.Filter), matching(closed, c.Filter)
	for _, co := range found[:min(len(found), maxShown)] {
		o := p.option(co)
		o.Checked = len(open) == 1
		v.Options = append(v.Options, o)
	}
	for _, co := range foundClosed[:min(len(foundClosed), maxShown)] {
		v.Unavailable = append(v.Unavailable, p.option(co))
	}
	if v.ShowFilter {
		v.Count = p.words.count(len(v.Options)+len(v.Unavailable), len(found)+len(foundClosed), len(c.Companies), c.More)
	}
	return v
}

// option describes a company by its id, since two of a user's companies may have one name.
func (p *Pages) option(c Company) option {
	id := strconv.FormatInt(c.ID, 10)
	o := option{ID: id, Name: c.Name, Hint: p.words.CompanyIDLabel + " " + id}
	if o.Name == "" {
		o.Name = o.Hint
	}
	if note := p.words.companyNote(c); note != "" {
		o.Hint += ". " + p.named(note)
	}
	return o
}

// split cleans the names, sorts by them, and parts those that can be chosen from the others.
func split(all []Company) (open, closed []Company) {
	all = slices.Clone(all)
	for i := range all {
		all[i].Name = clean(all[i].Name, maxName)
	}
	slices.SortStableFunc(all, func(a, b Company) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range all {
		if c.State == Available {
			open = append(open, c)
		} else {
			closed = append(closed, c)
		}
	}
	return open, closed
}

// matching finds companies whose name or id contains the filter, without regard to case.
func matching(all []Company, filter string) []Company {
	if filter == "" {
		return all
	}
	filter = strings.ToLower(filter)
	var found []Company
	for _, c := range all {
		if strings.Contains(strings.ToLower(c.Name), filter) || strings.Contains(strconv.FormatInt(c.ID, 10), filter) {
			found = append(found, c)
		}
	}
	return found
}
