package pages

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Every sentence that a visitor reads is in this file, for whoever edits or translates them. {app} stands for
// Brand.Name, {support} for the support contact or, where none is configured, for whoever runs the application.
// A site manager is the reader: no protocol words, one sentence for what happened, one for what to do and who can.

// named fills in who is meant.
func (p *Pages) named(s string) string {
	who := "the support contact"
	if p.support.Text == "" {
		who = "whoever runs {app}"
	}
	return strings.NewReplacer("{app}", p.brand.Name, "{support}", strings.ReplaceAll(who, "{app}", p.brand.Name)).Replace(s)
}

// connectLabel is the accessible name of the way into the flow, here and always.
const connectLabel = "Connect to Procore"

// words are the short texts that the templates use by name.
type words struct {
	Help, RequestIDHint, CompanyIDLabel, ProcoreSaid string
}

func english() words {
	return words{
		Help:           "Need help?",
		RequestIDHint:  "When you ask for help, pass on this request id:",
		CompanyIDLabel: "Procore company ID",
		ProcoreSaid:    "Procore said:",
	}
}

// landingWords are a page with an explanation and the way into the flow.
type landingWords struct {
	Title, Lead, StepsTitle string
	Steps                   []string
	Connect, Small          string
}

func (words) landing(app string) landingWords {
	return landingWords{
		Title:      "Connect your company to " + app,
		Lead:       app + " works with one company of your Procore account. You need a Procore login that belongs to that company.",
		StepsTitle: "What will happen",
		Steps: []string{
			"You sign in at Procore and allow access. " + app + " never sees your password.",
			"You choose one company. Your other companies are not touched.",
			"The connection is kept up for you, and a company admin can end it in Procore at any time (App Management).",
		},
		Connect: connectLabel,
		Small:   "This site sets one cookie, which it needs to recognise your browser when you come back from Procore.",
	}
}

func (words) visitor(app string) landingWords {
	return landingWords{
		Title:      app + " is ready to be connected",
		Lead:       "If you have just installed " + app + " in Procore, one step is left: connect it. If it is connected already, nothing is left to do.",
		StepsTitle: "What will happen",
		Steps: []string{
			"You sign in at Procore and allow access.",
			"You choose the company in which " + app + " was installed.",
		},
		Connect: connectLabel,
		Small:   "This page doesn't show whether a company is connected, because it doesn't know who you are.",
	}
}

// chooseWords are the company choice's.
type chooseWords struct {
	Title, Lead, SignedInAs, Legend, Connect, Leave, Error string
	FilterLabel, FilterButton, ShowAll, NoMatch            string
	UnavailableTitle, UnavailableLead                      string
}

func (words) choose(app string, open, closed int) chooseWords {
	t := chooseWords{
		Title:            "Choose your company",
		Lead:             "Choose the one company that " + app + " may work with. No other company is touched.",
		SignedInAs:       "Signed in at Procore as",
		Legend:           "Your companies",
		Connect:          "Connect this company",
		Leave:            "Don't connect",
		Error:            "No company is chosen yet. Choose one, then connect it.",
		FilterLabel:      "Find a company by name or ID",
		FilterButton:     "Find",
		ShowAll:          "Show all companies",
		NoMatch:          "No company that can be connected matches. Try fewer letters, or show all companies.",
		UnavailableTitle: "Can't be connected",
		UnavailableLead:  "Your Procore login also belongs to these companies.",
	}
	switch {
	case open == 1:
		t.Title = "Connect your company"
		t.Legend = "Your company"
		t.Lead = app + " will work with this company and with no other. If it is not the one you want, sign out at Procore and start again with another Procore login."
	case open == 0:
		t.Title = "No company can be connected"
		t.Lead = "None of your companies can be connected right now. A company admin or {support} can tell you why."
	}
	if closed == 0 && open > 1 {
		t.Lead = "Your Procore login belongs to several companies. " + t.Lead
	}
	return t
}

// count says how much of the list is shown.
func (words) count(shown, found, all int, more bool) string {
	of := thousands(all)
	if more {
		of = "your first " + of
	}
	switch {
	case found > shown:
		return fmt.Sprintf("%s of %s companies are shown. Find the others by name or ID.", thousands(shown), of)
	case found < all:
		return fmt.Sprintf("%s of %s companies match.", thousands(found), of)
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

func (words) companyNote(c Company) string {
	switch {
	case c.State == Inactive:
		return "This company is inactive in Procore. A company admin can ask Procore about it."
	case c.State == NotAdmitted:
		return "This company is not enabled for this application. Ask {support} to enable it."
	}
	return ""
}

// connectedWords are the end's.
type connectedWords struct {
	Title, What, CompanyLabel, UserLabel, WebhooksLabel string
	Pending, Active, NeedsAdmin, Reload1                string
	Others, Next, NextLabel                             string
}

func (words) connected(app string, c Connection) connectedWords {
	t := connectedWords{
		Title:        "Connected",
		What:         fmt.Sprintf("%s can now work with %s in Procore.", app, c.CompanyName),
		CompanyLabel: "Company", UserLabel: "Connected by", WebhooksLabel: "Updates from Procore",
		Pending:    "Being set up. This takes a few minutes and needs nothing from you.",
		Active:     "On. Changes in Procore reach " + app + " within seconds.",
		NeedsAdmin: "Off, because Procore didn't allow it. A company admin can give the connected user the permission “Webhooks API” at level Standard or higher; it is then tried again by itself.",
		Reload1:    "Check again",
		Next:       "You can close this page.",
		NextLabel:  "Continue",
	}
	if c.Renewed {
		t.Title = "Connection renewed"
		t.What = fmt.Sprintf("You had connected %s before. The new connection has taken the place of the old one.", c.CompanyName)
	}
	switch {
	case c.Others == 1:
		t.Others = "Another user has connected this company too. Both connections stand."
	case c.Others > 1:
		t.Others = fmt.Sprintf("%d other users have connected this company too. All connections stand.", c.Others)
	}
	if c.NextURL != "" {
		t.Next = "Nothing more is needed here."
	}
	return t
}

// setupWords are for the person who deploys.
type setupWords struct {
	Title, What, Next, StepsTitle, Command, After string
}

func (words) setup(app string) setupWords {
	return setupWords{
		Title:      "Finish the setup",
		What:       app + " is deployed, but not all of its secrets are filled in.",
		Next:       "Whoever deployed it can fill them in now, in AWS Secrets Manager. Visitors: please come back later.",
		StepsTitle: "To be filled in",
		Command:    "The stack's outputs give each secret's name. Save the value in a file, then run:",
		After:      "No new deployment is needed: the secrets are read again within a minute. Then reload this page.",
	}
}

func (words) setupStep(name string) setupStep {
	switch name {
	case "APP_SECRET_ID":
		return setupStep{name, "Client ID and client secret of your app, from the Procore Developer Portal, of the environment that this deployment uses.",
			`{"client_id":"…","client_secret":"…"}`}
	case "KEYS_SECRET_ID":
		return setupStep{name, "The key that seals stored connections: 32 random characters or more, under a name of your choice.",
			`{"current":"k1","k1":"…"}`}
	case "WEBHOOK_SECRET_ID":
		return setupStep{name, "The key behind the webhook credentials: 32 random characters or more, not those of any other key.",
			`{"current":"k1","k1":"…"}`}
	}
	return setupStep{name, "See the configuration table in the README.", "…"}
}

// restart is a problem that is solved by going through the flow again.
func restart(status int, code, title, what, next string) Problem {
	return Problem{Status: status, Code: code, Title: title, What: what, Next: next, ActionLabel: connectLabel, ActionURL: PathStart}
}

// later is a problem that passes.
func later(status int, code, title, what, next string) Problem {
	p := restart(status, code, title, what, next)
	p.RetryAfter = 30 * time.Second
	return p
}

// Retry returns p with "Try again" as its way on, to a path of ours: for a page that a reload may bring, so that the visitor
// needn't sign in again.
func (p Problem) Retry(path string) Problem {
	p.ActionLabel, p.ActionURL = "Try again", path
	return p
}

// ChooseAnother returns p with the list of companies as its way on: this company was refused, and another may do.
func (p Problem) ChooseAnother(path string) Problem {
	p.ActionLabel, p.ActionURL = "Choose another company", path
	return p
}

// BackTo returns p with the list of companies as its way on, to go on with the choice that was made.
func (p Problem) BackTo(path string) Problem {
	p.ActionLabel, p.ActionURL = "Back to your companies", path
	return p
}

// company puts an outside name into a sentence.
func company(name string) string {
	if name = clean(name, maxName); name == "" {
		return "this company"
	}
	return "“" + name + "”"
}

// Denied: the user pressed Deny at Procore (error=access_denied, RFC 6749 section 4.1.2.1).
func Denied() Problem {
	return restart(http.StatusForbidden, "denied", "Access was not allowed",
		"You chose not to give {app} access to Procore, so nothing was connected.",
		"If that was a mistake, connect again and allow the access. Otherwise you can close this page.")
}

// AuthorizationFailed: Procore sent the browser back with another error. Set Detail to its error_description.
func AuthorizationFailed() Problem {
	return restart(http.StatusBadGateway, "authorization_failed", "Procore didn't complete the sign-in",
		"Procore sent you back with an error, and nothing was connected.",
		"Try again; if it happens once more, {support} can look into it.")
}

// AuthorizationExpired: the state is older than ten minutes.
func AuthorizationExpired() Problem {
	return restart(http.StatusGone, "authorization_expired", "That took too long",
		"For your safety a sign-in has to be finished within 10 minutes, and yours was not.",
		"Connect again; you can do it right now.")
}

// CodeExpired: Procore refused the code with invalid_grant: older than ten minutes, or used before.
func CodeExpired() Problem {
	return restart(http.StatusGone, "code_expired", "The sign-in is no longer valid",
		"Procore no longer accepts this sign-in, because it is older than 10 minutes or was used before.",
		"Connect again; you can do it right now.")
}

// StateMissing: the callback came without a state.
func StateMissing() Problem {
	return restart(http.StatusBadRequest, "state_missing", "This address is incomplete",
		"This page is part of a sign-in, and the address you opened lacks a piece of it.",
		"Start from the beginning; don't use a bookmark or a copied address.")
}

// StateUsed: the state is unknown, or was consumed by an earlier callback: a reload, the back button, a double click.
func StateUsed() Problem {
	return restart(http.StatusConflict, "state_used", "This sign-in was used already",
		"This page was opened a second time, by a reload or the back button, and each sign-in works once.",
		"If you see “Connected” in another tab, all is well; otherwise connect again.")
}

// OtherBrowser: the state belongs to another browser, or the cookie is gone.
func OtherBrowser() Problem {
	return restart(http.StatusForbidden, "other_browser", "This sign-in began in another browser",
		"For your safety a sign-in must end in the browser in which it began, with cookies allowed.",
		"Connect again in this browser. If somebody sent you this address, don't use it.")
}

// ProcoreUnreachable: Procore did not answer, or not in time.
func ProcoreUnreachable() Problem {
	return later(http.StatusBadGateway, "procore_unreachable", "Procore is not answering",
		"Procore could not be reached just now or was too busy, and nothing was connected.",
		"Try again in a few minutes; if it stays so, {support} can look into it.")
}

// CredentialsRefused: Procore answered invalid_client.
func CredentialsRefused() Problem {
	return Problem{Status: http.StatusServiceUnavailable, Code: "credentials_refused", Title: "The setup needs attention",
		What: "Procore doesn't accept the credentials of {app}, so nobody can connect right now.",
		Next: "Only whoever runs {app} can repair this: please tell {support}."}
}

// NoCompanies: Procore lists no company for this user.
func NoCompanies() Problem {
	return restart(http.StatusForbidden, "no_companies", "No company to connect",
		"Your Procore login doesn't belong to any company.",
		"Ask a company admin to add you to the company's directory in Procore, or sign out at Procore and connect with another Procore login.")
}

// CompanyNotListed: the chosen company is not one that Procore lists for this user.
func CompanyNotListed() Problem {
	return restart(http.StatusForbidden, "company_not_listed", "This company is not yours to connect",
		"The chosen company is not among those your Procore login belongs to.",
		"Choose one of your own companies, or ask a company admin to add you to it in Procore.")
}

// CompanyNotAdmitted: ALLOWED_COMPANIES leaves the company out.
func CompanyNotAdmitted(name string) Problem {
	return restart(http.StatusForbidden, "company_not_admitted", "This company is not enabled",
		"{app} is not enabled for "+company(name)+".",
		"Ask {support} to enable it; or connect another company.")
}

// CompanyInactive: is_active is false.
func CompanyInactive(name string) Problem {
	return restart(http.StatusForbidden, "company_inactive", "This company is inactive",
		"In Procore "+company(name)+" is marked as inactive.",
		"A company admin can ask Procore to activate it; or connect another company.")
}

// UserInstallsOff: Allow User Installs is off and the app isn't installed there.
func UserInstallsOff(name string) Problem {
	return restart(http.StatusForbidden, "user_installs_off", "A company admin has to install first",
		"In "+company(name)+" only admins may install apps, and {app} is not installed there yet.",
		"Ask a company admin to install {app} from App Management in Procore, then choose the company again here.")
}

// NotConnected: 403 "App is not connected to this company", or 401 as a new company may answer.
func NotConnected(name string) Problem {
	return restart(http.StatusForbidden, "not_connected", "The app is disconnected in Procore",
		"{app} is not connected to "+company(name)+" in Procore.",
		"A company admin can connect it under App Management in Procore; after that, choose the company again here.")
}

// NoPermission: another 403.
func NoPermission(name string) Problem {
	return restart(http.StatusForbidden, "no_permission", "Your permissions are not enough",
		"Your Procore login may not do in "+company(name)+" what {app} needs.",
		"Ask a company admin for the permissions, or to connect {app} with a login that has them.")
}

// CompanyRefused: Procore answered the first call into the company with an error that is none of those above. Set Detail
// to Procore's words.
func CompanyRefused(name string) Problem {
	return restart(http.StatusBadGateway, "company_refused", "Procore refused the connection",
		"Procore didn't let {app} into "+company(name)+", and nothing was connected.",
		"Tell {support} what Procore said; only they can find out what is missing.")
}

// ChoiceExpired: the 30 minutes for choosing are over, or the session is gone.
func ChoiceExpired() Problem {
	return restart(http.StatusGone, "choice_expired", "Please sign in again",
		"A company has to be chosen within 30 minutes of the sign-in, and that time is over or the sign-in was ended.",
		"Connect again.")
}

// Left: the user pressed "Don't connect", or housekeeping has just ended a sign-in that led to no choice.
func Left() Problem {
	return restart(http.StatusGone, "left", "Nothing was connected",
		"This sign-in was ended before a company was connected.",
		"You can close this page: {app} gives back the access that you allowed at Procore. Or connect again.")
}

// ChoiceUsed: the form was sent before: a double click, a reload, another tab.
func ChoiceUsed() Problem {
	p := restart(http.StatusConflict, "choice_used", "This choice was made already",
		"The company was chosen before, in this tab or in another one.",
		"Look at the connection; to connect one more company, start again from the first page.")
	p.ActionLabel, p.ActionURL = "See the connection", PathConnected
	return p
}

// OtherChosen: another company was chosen in this sign-in, and Procore gave no clear answer for it yet.
func OtherChosen(name string) Problem {
	return restart(http.StatusConflict, "other_chosen", "Another company was chosen before",
		"In this sign-in you chose "+company(name)+", and Procore may have let {app} in there already.",
		"Go back and connect that company; or choose “Don't connect” there, and connect again for another one.")
}

// SignInAgain: a connection whose refresh token is spent.
func SignInAgain(name string) Problem {
	return restart(http.StatusGone, "reauthorize", "The connection needs you to sign in again",
		"Procore no longer accepts the access that you gave, so {app} can't work with "+company(name)+" for you any more.",
		"Connect again and choose the same company; nothing else is needed, and only you can do it.")
}

// Disconnected: a connection that a company admin ended in App Management.
func Disconnected(name string) Problem {
	return restart(http.StatusGone, "disconnected", "The connection was ended in Procore",
		"{app} was disconnected from "+company(name)+" in Procore, so it doesn't work there any more.",
		"A company admin can connect it under App Management in Procore; after that, connect again here.")
}

// AccessReturned: a connection that was revoked, or is about to be: by whoever runs the application, or because its user left
// the company.
func AccessReturned(name string) Problem {
	return restart(http.StatusGone, "revoked", "The connection has ended",
		"{app} has given up the access to "+company(name)+" that you allowed at Procore.",
		"You can connect again if you still belong to the company; {support} can tell you why it was ended.")
}

// FormRefused: the CSRF token or the flow's id is missing or wrong.
func FormRefused() Problem {
	return restart(http.StatusForbidden, "form_refused", "The form could not be accepted",
		"The form doesn't belong to your sign-in, so nothing was changed.",
		"Connect again, and send the form from this site.")
}

// StorageUnavailable: the database did not answer.
func StorageUnavailable() Problem {
	return later(http.StatusServiceUnavailable, "storage_unavailable", "Please try again in a moment",
		"{app} could not reach its own data just now, so this step is not finished.",
		"Try again in a minute; if it stays so, {support} can look into it.")
}

// BadRequest: the request can't be read.
func BadRequest() Problem {
	return restart(http.StatusBadRequest, "bad_request", "This request can't be understood",
		"Your browser sent something that {app} doesn't understand.",
		"Start from the beginning; don't use a bookmark or a copied address.")
}

// TooLarge: the body is longer than allowed (*http.MaxBytesError).
func TooLarge() Problem {
	return restart(http.StatusRequestEntityTooLarge, "too_large", "This request is too large",
		"Your browser sent more than {app} accepts.",
		"Start from the beginning; if it happens again, {support} can look into it.")
}

// NotFound: no such page.
func NotFound() Problem {
	return home(Problem{Status: http.StatusNotFound, Code: "not_found", Title: "There is no such page",
		What: "The address you opened doesn't exist here.",
		Next: "Check it for a slip, or go to the first page."})
}

// MethodNotAllowed: the page exists, but not for this method. The caller sets Allow.
func MethodNotAllowed() Problem {
	return home(Problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Title: "This doesn't work here",
		What: "This address can't be used in this way.",
		Next: "Go to the first page and start from there."})
}

func home(p Problem) Problem {
	p.ActionLabel, p.ActionURL = "Go to the first page", PathHome
	return p
}
