package pages

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"procore-connect/internal/platform/gateway"
)

// Problem is a situation that stops the visitor: what happened in one sentence, what to do and who can do it in
// another. The ready ones are in texts.go.
type Problem struct {
	// Code names the problem in the log line, as problem.
	Code string

	// Status is the HTTP status. Zero means 500.
	Status int

	Title string
	What  string
	Next  string

	// Detail is what Procore said about it, shown as a quotation. Set it only where the state was valid: otherwise
	// anybody could make a link that shows their own words on our page.
	Detail string

	// ActionLabel and ActionURL are the way on. An empty label shows none.
	ActionLabel, ActionURL string

	// RetryAfter becomes the header of that name when it is not zero.
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
	pr.Title, pr.What, pr.Next = p.named(pr.Title), p.named(pr.What), p.named(pr.Next)
	pr.Detail = clean(pr.Detail, maxQuote)
	pr.ActionURL = p.link(pr.ActionURL)
	p.show(w, r, pr.Status, "problem", pr.Title, pr)
}
