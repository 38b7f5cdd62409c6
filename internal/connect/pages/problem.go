package pages

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"procore-connect/internal/platform/gateway"
)

// Kind is who has to act after a problem. The page shows it above the heading.
type Kind string

// The kinds of problems.
const (
	YourMove  Kind = "yours"  // the visitor goes on alone
	AdminMove Kind = "admin"  // an administrator of the visitor's company, at Procore
	Waiting   Kind = "wait"   // it passes
	Broken    Kind = "broken" // the team that runs the application
	Done      Kind = "done"   // no one: the visitor wanted it
)

// Problem is a situation that stops the visitor: one sentence for what happened, one for what to do and who can do it.
// The functions in problem_*.go return them, grouped by the step at which they arise.
type Problem struct {
	// Code names the problem in the log line, as problem.
	Code string

	// Status is the HTTP status. Zero means 500.
	Status int

	// Kind is who has to act. Empty means the visitor.
	Kind Kind

	Title string
	What  string
	Next  string

	// Detail is Procore's message about it, shown as a quotation. Set it only where the state was valid: otherwise
	// anyone could make a link that shows their own words on our page.
	Detail string

	// ActionLabel and ActionURL are the button that leads on. An empty label shows none.
	ActionLabel, ActionURL string

	// AlsoLabel and AlsoURL are a link beside the button. An empty label shows none.
	AlsoLabel, AlsoURL string

	// RetryAfter is the header of that name. Zero sends none.
	RetryAfter time.Duration

	ask       ask    // what the visitor forwards to an administrator
	company   string // the name of the company that it is about
	companyID int64

	otherAccount bool   // another Procore account may help
	toHost       bool   // the host application that made the link helps
	flow         string // the flow that the action repeats
}

// problemView is the data of templates/problem.html.
type problemView struct {
	Problem
	KindLabel string
	CompanyID string // for the team that runs the application
	NextParts []part
	Request   *request
	Account   *account
	Action    link
}

// Problem shows pr with its status, support contact and request id, and notes its code for the log.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, pr Problem) {
	if pr.Status == 0 {
		pr.Status = http.StatusInternalServerError
	}
	if pr.Kind == "" {
		pr.Kind = YourMove
	}
	if pr.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(pr.RetryAfter.Seconds())))
	}
	gateway.Note(r.Context(), slog.String("problem", pr.Code))
	pr.Title, pr.What = p.fill(pr.Title), p.fill(pr.What)
	pr.Detail = clean(pr.Detail, maxQuote)
	if pr.ActionURL == PathStart && !p.principals.Users { // no sign-in leads on
		pr = home(pr)
		pr.Next = homeNext
	}
	pr.AlsoURL = p.link(pr.AlsoURL)
	v := problemView{Problem: pr, KindLabel: p.fill(p.words.kind(pr.Kind)), NextParts: p.parts(pr.Next), Request: p.request(pr.ask, pr.company, pr.companyID)}
	v.Action = link{Label: pr.ActionLabel, URL: p.link(pr.ActionURL), Quiet: v.Request != nil || pr.Kind == Broken || pr.Kind == Done}
	if pr.ActionURL == PathStart {
		v.Action.URL = p.flowLink(PathStart, pr.flow)
	}
	if pr.Kind == Broken && pr.companyID != 0 {
		v.CompanyID = strconv.FormatInt(pr.companyID, 10)
	}
	if pr.otherAccount && p.principals.Users {
		v.Account = p.account(pr.flow)
		if pr.ActionURL == PathStart { // the account's own button leads there
			v.Action = link{}
		}
	}
	p.show(w, r, pr.Status, "problem", pr.Title, v)
}

// account is what a visitor does who has another account at Procore.
type account struct {
	accountWords
	Login string // Procore's login host; may be empty
	Start string
}

// account returns the way for a flow that follows a host application's link, or for any other without it.
func (p *Pages) account(flow string) *account {
	return &account{p.words.account(), p.login, p.flowLink(PathStart, flow)}
}
