package pages

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"procore-connect/internal/platform/gateway"
)

// Problem is a situation that stops the visitor: one sentence for what happened, one for what to do and who can do it.
// The functions in problem_*.go return them, grouped by the step at which they arise.
type Problem struct {
	// Code names the problem in the log line, as problem.
	Code string

	// Status is the HTTP status. Zero means 500.
	Status int

	Title string
	What  string
	Next  string

	// Detail is Procore's message about it, shown as a quotation. Set it only where the state was valid: otherwise
	// anyone could make a link that shows their own words on our page.
	Detail string

	// ActionLabel and ActionURL are the button that leads on. An empty label shows none.
	ActionLabel, ActionURL string

	// RetryAfter is the header of that name. Zero sends none.
	RetryAfter time.Duration
}

// Problem shows pr with its status, support contact and request id, and notes its code for the log.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, pr Problem) {
	if pr.Status == 0 {
		pr.Status = http.StatusInternalServerError
	}
	if pr.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(pr.RetryAfter.Seconds())))
	}
	gateway.Note(r.Context(), slog.String("problem", pr.Code))
	pr.Title, pr.What, pr.Next = p.fill(pr.Title), p.fill(pr.What), p.fill(pr.Next)
	pr.Detail = clean(pr.Detail, maxQuote)
	if pr.ActionURL == PathStart && !p.principals.Users { // no sign-in leads on
		pr = home(pr)
	}
	pr.ActionURL = p.link(pr.ActionURL)
	p.show(w, r, pr.Status, "problem", pr.Title, pr)
}
