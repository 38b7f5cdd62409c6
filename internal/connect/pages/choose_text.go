package pages

import (
	"fmt"
	"slices"
	"strconv"
)

// chooseWords are the texts of the company choice.
type chooseWords struct {
	Title, Lead, SignedInAs, Legend, Connect, Cancel, Error string
	FilterLabel, FilterButton, ShowAll, NoMatch, NoneOpen   string
	UnavailableTitle                                        string
	Missing, Retry, TeamTitle, Wrong                        string
}

func (words) choose(app string, available int, cut bool) chooseWords {
	t := chooseWords{
		Title:            "Choose a company to connect",
		Lead:             "Choose the one company that " + app + " may work with. It doesn't touch any other company.",
		SignedInAs:       "Signed in to Procore as",
		Legend:           "Your companies",
		Connect:          "Connect this company",
		Cancel:           "Don't connect",
		Error:            "You haven't chosen a company yet. Choose one, then connect it.",
		FilterLabel:      "Find a company by name or ID",
		FilterButton:     "Find",
		ShowAll:          "Show all companies",
		NoMatch:          "Try fewer letters, or the company ID.",
		NoneOpen:         "None of the companies found can be connected.",
		UnavailableTitle: "Companies that can't be connected",
		Missing:          "Procore didn't send all of your companies in time, so yours may be missing.",
		Retry:            retryLabel,
		TeamTitle:        "Have a company enabled",
		Wrong:            "Not the company you want?",
	}
	switch {
	case available == 0 && cut:
		t.Lead = "None of the companies that Procore has sent so far can be connected."
	case available == 0:
		t.Title = "None of your companies can be connected"
		t.Lead = "Here is why, and what you can do."
		t.UnavailableTitle = "Your companies"
	case available == 1 && !cut:
		t.Title = "Connect your company"
		t.Legend = "Your company"
		t.Lead = app + " will work with this company and no other."
	}
	return t
}

// count describes how much of the list is shown.
func (words) count(shown, found, all int, more bool) string {
	of := thousands(all)
	if more {
		of = "your first " + of
	}
	switch {
	case found > shown:
		return fmt.Sprintf("Showing %s of %s companies. Find the rest by name or ID.", thousands(shown), of)
	case found < all:
		return fmt.Sprintf("%s of %s companies found.", thousands(found), of)
	case more:
		return fmt.Sprintf("Showing %s companies.", of)
	}
	return fmt.Sprintf("%s companies.", thousands(all))
}

// thousands writes 2000 as 2,000. Procore lists a few thousand companies at most.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// enable is the way for companies that ALLOWED_COMPANIES leaves out.
func (words) enable() string {
	return "Ask {support} to enable your company for {app}. Include its company ID. Then try again."
}

// reasons are what helps with the companies that can't be chosen, one sentence for each reason.
func (words) reasons(unavailable []line) (all []string) {
	has := func(s CompanyState) bool {
		return slices.ContainsFunc(unavailable, func(l line) bool { return l.State == s })
	}
	if has(Inactive) {
		all = append(all, "A company administrator can ask Procore to activate an inactive company.")
	}
	if has(NotAdmitted) {
		all = append(all, "Ask {support} to enable a company for {app}. Include its company ID.")
	}
	return all
}

func (words) companyNote(c Company) string {
	switch c.State {
	case Inactive:
		return "Inactive in Procore."
	case NotAdmitted:
		return "Not enabled for {app}."
	}
	return ""
}
