package pages

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"procore-connect/pkg/procore"
)

// Names of the fields. POST /companies sends FieldFlow, FieldCSRF, and FieldCompany or FieldCancel, and POST /connected
// FieldFlow and FieldCSRF. The filter is
// GET /companies with FieldFlow and FieldFilter. The flow's id may be part of an address; the CSRF token never is.
const (
	FieldFlow    = "flow"
	FieldCSRF    = "csrf"
	FieldCompany = "company_id"
	FieldCancel  = "cancel" // the user doesn't want to connect any company
	FieldFilter  = "q"

	FieldDisconnect = "disconnect" // of GET /connected: the page that asks whether to disconnect
	FieldStill      = "still"      // of GET /connected: the browser does not load the page again on its own
)

const (
	filterFrom = 9        // companies from which the filter field is shown
	maxShown   = 50       // companies listed at once, so that the page stays small; the filter finds the rest
	maxClosed  = 15       // companies listed at once that can't be chosen
	maxListed  = 17 << 10 // bytes of all companies listed at once, whatever their names
	optionSize = 200      // bytes of one company's elements, without its id, name and hint
)

// CompanyState is whether a company can be chosen, or why not.
type CompanyState int

// A company that can't be chosen is listed with the reason, so that no user searches for it in vain.
const (
	Available   CompanyState = iota
	Inactive                 // Procore's is_active is false
	NotAdmitted              // ALLOWED_COMPANIES leaves it out
)

// Company is one line of the choice.
type Company struct {
	ID       int64
	Name     string
	State    CompanyState
	Position int // in Procore's list, from 0; the form has it, so that a choice finds the company again
}

// value is what the form sends for the company.
func (c Company) value() string {
	if c.Position == 0 {
		return strconv.FormatInt(c.ID, 10)
	}
	return fmt.Sprintf("%d.%d", c.ID, c.Position)
}

// Chosen reads FieldCompany: the company's id, and the position at which it was listed, or 0. A browser can send any, so
// neither proves that Procore lists the company.
func Chosen(value string) (id int64, position int, err error) {
	text, listed, _ := strings.Cut(value, ".")
	position, _ = strconv.Atoi(listed)
	id, err = strconv.ParseInt(text, 10, 64)
	return id, position, err
}

// Choice is what Choose shows.
type Choice struct {
	UserName  string
	Flow      string // the authorization this choice belongs to
	CSRF      procore.Secret
	Companies []Company // all that Procore listed, in any order
	More      bool      // Procore has more, which were not read
	Cut       bool      // Procore may have more, which did not come in time
	Filter    string    // what the visitor typed into the filter field
	NoneSent  bool      // the form came without a company: the page explains it, with status 422
	Tenant    Tenant    // for whom the company is connected; zero: no host application sent the user
}

// chooseView is the data of templates/choose.html.
type chooseView struct {
	chooseWords
	Choice
	Action      string // of both forms
	ShowFilter  bool
	Reach       bool // the button stays in reach of a long list
	Options     []option
	Unavailable []option
	Reasons     [][]part // what helps, for each reason why a company can't be chosen
	Count       string
	All         string // address of the unfiltered list
	Again       string // address of the list as it is
	Who         about
	Ways        *ways    // if no company can be connected
	Switch      *account // if there is only one company to connect
	For         *tenant
}

// ways are what a visitor can do who has no company that can be connected: one way for each reason.
type ways struct {
	Team    []part   // the team that runs the application enables a company
	Request *request // an administrator has a company activated
	Account *account
}

// option is one radio button.
type option struct {
	ID, Value, Name, Hint string
	Checked               bool
}

// Choose shows the companies to choose one from.
func (p *Pages) Choose(w http.ResponseWriter, r *http.Request, c Choice) {
	v := p.chooseView(c)
	status := http.StatusOK
	if c.NoneSent {
		status = http.StatusUnprocessableEntity
	}
	p.show(w, r, status, "choose", v.Title, v)
}

func (p *Pages) chooseView(c Choice) chooseView {
	c.UserName, c.Filter = clean(c.UserName, maxName), clean(c.Filter, maxFilter)
	available, unavailable := split(c.Companies)
	v := chooseView{
		chooseWords: p.words.choose(p.brand.Name, len(available), c.Cut), Choice: c,
		Action:     p.link(PathCompanies),
		All:        p.flowLink(PathCompanies, c.Flow),
		Again:      p.flowLink(PathCompanies, c.Flow),
		ShowFilter: len(c.Companies) >= filterFrom,
		Who:        p.about(),
	}
	again := "" // the flow that another account's authorization follows
	if v.For = p.tenant(c.Tenant); v.For != nil {
		v.For.Doubt, again = v.For.OnChoice, c.Flow
	}
	if c.Filter != "" {
		v.Again += "&" + url.Values{FieldFilter: {c.Filter}}.Encode()
	}
	found, foundUnavailable := matching(available, c.Filter), matching(unavailable, c.Filter)
	room := maxListed
	v.Options = p.options(found[:min(len(found), maxShown)], &room)
	v.Unavailable = p.options(foundUnavailable[:min(len(foundUnavailable), maxClosed)], &room)
	v.Reach = len(v.Options) >= filterFrom
	switch {
	case c.Cut:
	case len(available) == 0:
		v.Ways = p.ways(unavailable, again)
	case len(available) == 1:
		v.Switch = p.account(again)
		for i := range v.Options {
			v.Options[i].Checked = true
		}
	}
	if v.Ways == nil {
		v.Reasons = p.points(p.words.reasons(unavailable))
	}
	if len(foundUnavailable) > 0 {
		v.NoMatch = v.NoneOpen
	}
	if v.ShowFilter {
		v.Count = p.words.count(len(v.Options)+len(v.Unavailable), len(found)+len(foundUnavailable), len(c.Companies), c.More || c.Cut)
	}
	return v
}

// ways returns what a visitor can do about the companies that can't be connected. A request names the company if it is the
// only one.
func (p *Pages) ways(unavailable []line, flow string) *ways {
	w := &ways{Account: p.account(flow)}
	var inactive []line
	for _, l := range unavailable {
		switch l.State {
		case Inactive:
			inactive = append(inactive, l)
		case NotAdmitted:
			w.Team = p.parts(p.words.enable())
		}
	}
	switch {
	case len(inactive) == 1:
		w.Request = p.request(askActivate, inactive[0].Name, inactive[0].ID)
	case len(inactive) > 1:
		w.Request = p.request(askActivate, "", 0)
	}
	return w
}

// options describes companies, as many of them as there is room for, and takes their bytes from it.
func (p *Pages) options(all []line, room *int) []option {
	var shown []option
	for _, l := range all {
		o := p.option(l.Company)
		if *room -= o.size(); *room < 0 {
			break
		}
		shown = append(shown, o)
	}
	return shown
}

// size returns at least how many bytes an option takes. It has its id four times beside the value and the hint.
// HTMLEscapeString leaves a plus sign, which html/template escapes.
func (o option) size() int {
	escaped := func(s string) int { return len(template.HTMLEscapeString(s)) + 4*strings.Count(s, "+") }
	return optionSize + 4*len(o.ID) + len(o.Value) + escaped(o.Name) + escaped(o.Hint)
}

// option describes a company by its id, because two of a user's companies may have the same name.
func (p *Pages) option(c Company) option {
	id := strconv.FormatInt(c.ID, 10)
	o := option{ID: id, Value: c.value(), Name: c.Name, Hint: p.words.CompanyIDLabel + " " + id}
	if o.Name == "" {
		o.Name = o.Hint
	}
	if note := p.words.companyNote(c); note != "" {
		o.Hint += ". " + p.fill(note)
	}
	return o
}

// line is a company with its name as it is found and sorted.
type line struct {
	Company
	folded string
}

// split cleans the names, sorts by them, and separates the companies that can be chosen from the rest.
func split(all []Company) (available, unavailable []line) {
	lines := make([]line, len(all))
	for i, c := range all {
		folded := fold(clean(c.Name, 4*maxName)) // a name is found by its end too, which is not shown
		c.Name = clean(c.Name, maxName)
		lines[i] = line{c, folded}
	}
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(natural(a.folded, b.folded), strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	for _, l := range lines {
		if l.State == Available {
			available = append(available, l)
		} else {
			unavailable = append(unavailable, l)
		}
	}
	return available, unavailable
}

// matching returns the companies whose name or id contains the filter, regardless of case and marks.
func matching(all []line, filter string) []line {
	filter = fold(filter)
	var found []line
	for _, l := range all {
		if strings.Contains(l.folded, filter) || strings.Contains(strconv.FormatInt(l.ID, 10), filter) {
			found = append(found, l)
		}
	}
	return found
}
