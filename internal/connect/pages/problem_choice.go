package pages

import "net/http"

// NoCompanies explains that Procore lists no company for this user.
func NoCompanies() Problem {
	p := asking(askAdd, "", restart(http.StatusForbidden, "no_companies", "No company to connect",
		"Your Procore account doesn't belong to any company.",
		"A company administrator can add you to the company in Procore. You can also use another Procore account."))
	p.otherAccount = true
	return p
}

// CompanyNotListed explains that Procore does not list the chosen company for this user.
func CompanyNotListed() Problem {
	return restart(http.StatusForbidden, "company_not_listed", "You cannot connect this company",
		"Your Procore account doesn't belong to the company that you chose.",
		"Choose one of your own companies. Or ask a company administrator to add you to this one in Procore.")
}

// CompanyNotAdmitted explains that ALLOWED_COMPANIES leaves the company out.
func CompanyNotAdmitted(name string) Problem {
	return broken(restart(http.StatusForbidden, "company_not_admitted", "This company is not enabled",
		"{app} isn't enabled for "+company(name)+".",
		"Ask {support} to enable it, and include its company ID. You can also choose another company."))
}

// CompanyInactive explains that the company's is_active is false.
func CompanyInactive(name string) Problem {
	return asking(askActivate, name, restart(http.StatusForbidden, "company_inactive", "This company is inactive",
		"In Procore, "+company(name)+" is marked as inactive.",
		"A company administrator can ask Procore to activate it. Then try again."))
}

// ChoiceExpired explains that the 30 minutes for choosing are over, or that the session is gone.
func ChoiceExpired() Problem {
	return restart(http.StatusGone, "choice_expired", "Please connect again",
		"After you sign in, you have 30 minutes to choose a company. That time is over, or the sign-in has ended.",
		"You can connect again right away.")
}

// Canceled explains that the user pressed "Don't connect", or that housekeeping has just ended a sign-in without a
// choice.
func Canceled() Problem {
	return done(restart(http.StatusGone, "canceled", "Nothing was connected",
		"This sign-in ended before a company was connected. {app} gives up the access that you allowed in Procore.",
		"You can close this page, or connect again."))
}

// ChoiceUsed explains that the form was sent before: a double click, a reload, another tab.
func ChoiceUsed() Problem {
	p := restart(http.StatusConflict, "choice_used", "You already chose a company",
		"You made the choice in this tab or in another one.",
		"See the connection. To connect another company, start again from the home page.")
	p.ActionLabel, p.ActionURL = "See the connection", PathConnected
	return p
}

// OtherChosen explains that the user chose another company in this sign-in, for which Procore's answer is not clear yet.
func OtherChosen(name string) Problem {
	return restart(http.StatusConflict, "other_chosen", "You already chose another company",
		"In this sign-in, you chose "+company(name)+". {app} may already be installed there.",
		"Go back to your companies and connect that one. If you want another company, choose “Don't connect” there, and start again.")
}
