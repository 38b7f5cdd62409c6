package pages

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// This file has every sentence that a visitor reads, so that a fork can edit or translate them in one place. {app} stands
// for Brand.Name, {support} for support or, without a support contact, for the team that runs the application.
// The reader is a site manager: no protocol words, one sentence for what happened, one for what to do and who can do it.

// fill replaces {app} and {support}.
func (p *Pages) fill(s string) string {
	who := "support"
	if p.support.Text == "" {
		who = "the team that runs {app}"
	}
	return strings.NewReplacer("{app}", p.brand.Name, "{support}", strings.ReplaceAll(who, "{app}", p.brand.Name)).Replace(s)
}

// The labels of links and buttons that lead on from a problem. connectLabel is also the landing page's.
const (
	connectLabel = "Connect to Procore"
	retryLabel   = "Try again"
)

// words are the short texts that the templates use by name.
type words struct {
	Help, RequestIDHint, CompanyIDLabel, ProcoreMessage string
}

func english() words {
	return words{
		Help:           "Need help?",
		RequestIDHint:  "When you ask for help, include this request ID:",
		CompanyIDLabel: "Procore company ID",
		ProcoreMessage: "Message from Procore:",
	}
}

// landingWords are the texts of a page that explains the flow and starts it.
type landingWords struct {
	Title, Lead, StepsTitle string
	Steps                   []string
	Connect, Small          string
}

func (words) landing(app string) landingWords {
	return landingWords{
		Title:      "Connect " + app + " to Procore",
		Lead:       app + " works with one of your Procore companies. You need a Procore account that belongs to that company.",
		StepsTitle: "What happens next",
		Steps: []string{
			"You sign in to Procore and allow access. " + app + " never sees your password.",
			"You choose one company. " + app + " doesn't touch your other companies.",
			app + " keeps the connection working. A company administrator can end it at any time, under App Management in Procore.",
		},
		Connect: connectLabel,
		Small:   "This site sets one cookie, so that it knows your browser when you come back from Procore.",
	}
}

func (words) visitor(app string) landingWords {
	return landingWords{
		Title:      app + " is ready to connect",
		Lead:       "If you have just installed " + app + " in Procore, one step is left: connect it to your company. If it is already connected, you don't need to do anything.",
		StepsTitle: "What happens next",
		Steps: []string{
			"You sign in to Procore and allow access.",
			"You choose the company where you installed " + app + ".",
		},
		Connect: connectLabel,
		Small:   "This page can't show whether your company is connected, because it doesn't know who you are.",
	}
}

// installWords are the texts of a page that explains how an administrator installs the application.
type installWords struct {
	Title, Lead, StepsTitle               string
	Steps                                 []string
	About                                 string // the company that was asked for
	CheckTitle, Check, Where, NoID        string
	UsersTitle, UsersText, Connect, Small string
}

// install is for a visitor who has not asked for a company. The way to an installation is Procore's, see
// https://developers.procore.com/documentation/building-apps-install-arch.
func (words) install(app string, users bool) installWords {
	t := installWords{
		Title:      "Install " + app + " in Procore",
		Lead:       "A company administrator installs " + app + " in Procore. After that it works on its own, and no one has to sign in here.",
		StepsTitle: "What a company administrator does",
		Steps: []string{
			"In Procore, open Company Admin, then App Management.",
			"Choose Install App, then Install from Marketplace, and find " + app + ". If you were given a version key for it, choose Install Custom App instead.",
			"Choose the projects that " + app + " may work with. You can change them later: under App Management, open " + app + ", then Permissions.",
			"Wait up to five minutes. " + app + " finds the installation, and your company is connected.",
		},
		CheckTitle: "Is your company connected?",
		Check:      "Check",
		Where:      "It is the number in the address of your company's pages in Procore.",
		NoID:       "That is not a company ID. Enter the number alone.",
		UsersTitle: "Or connect as yourself",
		UsersText: "If your company hasn't installed " + app + ", you can sign in to Procore and choose one company. " + app +
			" then works there with your permissions, and doesn't touch your other companies.",
		Connect: connectLabel,
		Small:   "If you sign in, this site sets one cookie, so that it knows your browser when you come back from Procore.",
	}
	if users {
		t.Title = "Connect " + app + " to Procore"
		t.Lead = "There are two ways: a company administrator installs " + app + " in Procore, or you connect one company with your own account."
	}
	return t
}

// installVisitor is for a visitor of /connected, whom Procore may have sent after an installation.
func (w words) installVisitor(app string, users bool) installWords {
	t := w.install(app, users)
	t.Title = app + " connects on its own"
	t.Lead = "If you have just installed " + app + " in Procore, you don't need to do anything else: your company is connected within five minutes. Check it below."
	return t
}

// notInstalled is for a visitor who asked for a company that is not connected by its installation.
func (w words) notInstalled(app string, i Installation) installWords {
	t := w.install(app, false)
	t.Title = "Not connected yet"
	t.About = app + " hasn't found an installation in this company."
	t.Lead = "If a company administrator has just installed it, check again in five minutes. If it still isn't connected then, check the company ID, or contact {support}."
	if i == InstallationRefused {
		t.Title = "The connection is interrupted"
		t.About = app + " was installed in this company, but Procore doesn't let it in."
		t.Lead = "A company administrator can connect it again in Procore. If it is connected there, contact {support}."
		t.Steps = []string{
			t.Steps[0],
			"Open " + app + " and connect it again. If it isn't among the installed apps, reinstall it.",
			"You don't need to do anything here. " + app + " tries again on its own, at first every hour, later once a day.",
		}
	}
	return t
}

// chooseWords are the texts of the company choice.
type chooseWords struct {
	Title, Lead, SignedInAs, Legend, Connect, Cancel, Error string
	FilterLabel, FilterButton, ShowAll, NoMatch             string
	UnavailableTitle, UnavailableLead                       string
	Missing, Retry                                          string
}

func (words) choose(app string, available, unavailable int, cut bool) chooseWords {
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
		NoMatch:          "No company that you can connect matches. Try fewer letters, or show all companies.",
		UnavailableTitle: "Companies that can't be connected",
		UnavailableLead:  "Your Procore account also belongs to these companies.",
		Missing:          "Procore didn't send all of your companies in time, so yours may be missing.",
		Retry:            retryLabel,
	}
	switch {
	case available == 0 && cut:
		t.Lead = "None of the companies that Procore has sent so far can be connected."
	case available == 0:
		t.Title = "None of your companies can be connected"
		t.Lead = "Each company below shows the reason and who can help."
	case available == 1 && !cut:
		t.Title = "Connect your company"
		t.Legend = "Your company"
		t.Lead = app + " will work with this company and no other. If it isn't the one you want, sign out of Procore and start again with another Procore account."
	}
	if unavailable == 0 && available > 1 && !cut {
		t.Lead = "Your Procore account belongs to several companies. " + t.Lead
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

func (words) companyNote(c Company) string {
	switch c.State {
	case Inactive:
		return "This company is inactive in Procore. A company administrator can ask Procore to activate it."
	case NotAdmitted:
		return "This company isn't enabled for {app}. Ask {support} to enable it."
	}
	return ""
}

// connectedWords are the texts of the last page.
type connectedWords struct {
	Title, What, CompanyLabel, UserLabel, WebhooksLabel string
	Pending, Active, NeedsAdmin, ReloadLabel            string
	Others, Next, NextLabel                             string
}

func (words) connected(app string, c Connection) connectedWords {
	t := connectedWords{
		Title:        "Connected",
		What:         fmt.Sprintf("%s can now work with %s in Procore.", app, c.CompanyName),
		CompanyLabel: "Company", UserLabel: "Connected by", WebhooksLabel: "Updates from Procore",
		Pending: "Being set up. This takes a few minutes, and you don't need to do anything.",
		Active:  "On. Changes in Procore reach " + app + " within seconds.",
		NeedsAdmin: "Off, because Procore didn't allow it. In Procore, a company administrator can set the permission “Webhooks API” " +
			"to Standard or higher for the user who connected. " + app + " then tries again automatically.",
		ReloadLabel: "Check again",
		Next:        "You can close this page.",
		NextLabel:   "Continue",
	}
	if c.Reconnected {
		t.Title = "Reconnected"
		t.What = fmt.Sprintf("You had connected %s before. The new connection replaces the old one.", c.CompanyName)
	}
	switch {
	case c.Others == 1:
		t.Others = "Another user has also connected this company. Both connections stay in place."
	case c.Others > 1:
		t.Others = fmt.Sprintf("%d other users have also connected this company. All connections stay in place.", c.Others)
	}
	if c.NextURL != "" {
		t.Next = "There is nothing else to do on this page."
	}
	return t
}

// installed are the words of a company that is connected by its installation.
func (w words) installed(app string, next bool) connectedWords {
	t := w.connected(app, Connection{CompanyName: "this company"})
	t.NeedsAdmin = "Off, because Procore didn't allow it. In Procore, a company administrator can give " + app +
		" the permission “Webhooks API” at Standard or higher. " + app + " then tries again automatically."
	t.What = app + " is installed in this company and works there on its own. No one has to sign in."
	if next {
		t.Next = "There is nothing else to do on this page."
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
		What:       app + " is deployed, but some of its secrets are not filled in yet.",
		Next:       "If you deployed it, fill them in now in AWS Secrets Manager. Otherwise, please come back later.",
		StepsTitle: "Secrets to fill in",
		Command:    "The stack's outputs have each secret's name. Save the value in a file, then run:",
		After:      "You don't need to deploy again: " + app + " reads the secrets again within a minute. Then reload this page.",
	}
}

func (words) setupStep(name string) setupStep {
	switch name {
	case "APP_SECRET_ID":
		return setupStep{name, "The client ID and client secret of your app for this deployment's environment, from the Procore Developer Portal.",
			`{"client_id":"…","client_secret":"…"}`}
	case "KEYS_SECRET_ID":
		return setupStep{name, "The key that seals stored connections: 32 or more random characters, under a name of your choice.",
			`{"current":"k1","k1":"…"}`}
	case "WEBHOOK_SECRET_ID":
		return setupStep{name, "The key from which webhook credentials are derived: 32 or more random characters, different from every other key.",
			`{"current":"k1","k1":"…"}`}
	}
	return setupStep{name, "See the configuration table in the README.", "…"}
}

// restart returns a problem that the visitor solves by going through the flow again.
func restart(status int, code, title, what, next string) Problem {
	return Problem{Status: status, Code: code, Title: title, What: what, Next: next, ActionLabel: connectLabel, ActionURL: PathStart}
}

// temporary returns a problem that passes without anyone's help.
func temporary(status int, code, title, what, next string) Problem {
	p := restart(status, code, title, what, next)
	p.ActionLabel, p.RetryAfter = retryLabel, 30*time.Second
	return p
}

// Retry returns p with "Try again" as its action, at one of our paths. It is for pages that may succeed when they are
// loaded again, so that the visitor needn't sign in again.
func (p Problem) Retry(path string) Problem {
	p.ActionLabel, p.ActionURL = retryLabel, path
	return p
}

// BackToCompanies returns p with the list of companies as its action: the visitor chooses again, or goes on with a
// choice made before.
func (p Problem) BackToCompanies(path string) Problem {
	p.ActionLabel, p.ActionURL = "Back to your companies", path
	return p
}

// company quotes an outside name for a sentence.
func company(name string) string {
	if name = clean(name, maxName); name == "" {
		return "this company"
	}
	return "“" + name + "”"
}

// Denied explains that the user pressed Deny at Procore (error=access_denied, RFC 6749 section 4.1.2.1).
func Denied() Problem {
	return restart(http.StatusForbidden, "denied", "Access was not allowed",
		"You didn't allow {app} to access Procore, so nothing was connected.",
		"If that was a mistake, connect again and allow access. Otherwise, you can close this page.")
}

// AuthorizationFailed explains that Procore sent the browser back with another error. Set Detail to its
// error_description. The status is not 5xx, because a visitor can write such an address.
func AuthorizationFailed() Problem {
	return restart(http.StatusForbidden, "authorization_failed", "Procore did not complete the sign-in",
		"Procore reported an error, so nothing was connected.",
		"Connect again. If it happens again, contact {support}.")
}

// AuthorizationExpired explains that the state is older than ten minutes.
func AuthorizationExpired() Problem {
	return restart(http.StatusGone, "authorization_expired", "The sign-in took too long",
		"For your safety, a sign-in has to be finished within 10 minutes.",
		"Connect again. You can do that right away.")
}

// CodeExpired explains that Procore refused the code with invalid_grant: it is older than ten minutes, or was used before.
func CodeExpired() Problem {
	return restart(http.StatusGone, "code_expired", "The sign-in is no longer valid",
		"Procore no longer accepts this sign-in, because it is older than 10 minutes or was used before.",
		"Connect again. You can do that right away.")
}

// StateMissing explains that the callback came without a state.
func StateMissing() Problem {
	return restart(http.StatusBadRequest, "state_missing", "This address is incomplete",
		"This page is part of a sign-in, and a part of its address is missing.",
		"Connect again from the start. Don't use a bookmark or a copied address.")
}

// StateUsed explains that an earlier callback consumed the state, as after a reload, the back button or a double click.
func StateUsed() Problem {
	return restart(http.StatusConflict, "state_used", "This sign-in was already used",
		"This page was opened a second time, and each sign-in works only once.",
		"If another tab shows “Connected”, everything is fine. Otherwise, connect again.")
}

// OtherBrowser explains that the state belongs to another browser, or that the cookie is gone.
func OtherBrowser() Problem {
	return restart(http.StatusForbidden, "other_browser", "This sign-in started in another browser",
		"For your safety, a sign-in has to end in the browser where it started, with cookies allowed.",
		"Connect again in this browser. If someone sent you this address, don't use it.")
}

// ProcoreUnreachable explains that Procore did not answer, or not in time.
func ProcoreUnreachable() Problem {
	return temporary(http.StatusBadGateway, "procore_unreachable", "Procore is not responding",
		"{app} couldn't reach Procore, or Procore was too busy, so nothing was connected.",
		"Try again in a few minutes. If it keeps happening, contact {support}.")
}

// CredentialsRefused explains that Procore answered invalid_client, or that the app's registration lacks what the sign-in
// needs.
func CredentialsRefused() Problem {
	return Problem{Status: http.StatusServiceUnavailable, Code: "credentials_refused", Title: "The setup needs attention",
		What: "Procore doesn't accept {app} as it is set up, so no one can connect right now.",
		Next: "Please contact {support}: only they can fix this."}
}

// NoCompanies explains that Procore lists no company for this user.
func NoCompanies() Problem {
	return restart(http.StatusForbidden, "no_companies", "No company to connect",
		"Your Procore account doesn't belong to any company.",
		"Ask a company administrator to add you to the company's directory in Procore. Or sign out of Procore and connect with another Procore account.")
}

// CompanyNotListed explains that Procore does not list the chosen company for this user.
func CompanyNotListed() Problem {
	return restart(http.StatusForbidden, "company_not_listed", "You cannot connect this company",
		"Your Procore account doesn't belong to the company that you chose.",
		"Choose one of your own companies, or ask a company administrator to add you to this one in Procore.")
}

// CompanyNotAdmitted explains that ALLOWED_COMPANIES leaves the company out.
func CompanyNotAdmitted(name string) Problem {
	return restart(http.StatusForbidden, "company_not_admitted", "This company is not enabled",
		"{app} isn't enabled for "+company(name)+".",
		"Ask {support} to enable it, or choose another company.")
}

// CompanyInactive explains that the company's is_active is false.
func CompanyInactive(name string) Problem {
	return restart(http.StatusForbidden, "company_inactive", "This company is inactive",
		"In Procore, "+company(name)+" is marked as inactive.",
		"A company administrator can ask Procore to activate it. Or choose another company.")
}

// UserInstallsOff explains that Allow User Installs is off and the app isn't installed there.
func UserInstallsOff(name string) Problem {
	return restart(http.StatusForbidden, "user_installs_off", "An administrator has to install {app} first",
		"In "+company(name)+", only administrators can install apps, and {app} isn't installed there yet.",
		"Ask a company administrator to install {app} under App Management in Procore. Then choose the company again here.")
}

// NotConnected explains the 403 "App is not connected to this company", or the 401 that a new company may answer.
func NotConnected(name string) Problem {
	return restart(http.StatusForbidden, "not_connected", "{app} is not connected in Procore",
		"In Procore, {app} was disconnected from "+company(name)+" or was never connected to it.",
		"Ask a company administrator to connect it under App Management in Procore. Then choose the company again here.")
}

// NoPermission explains any other 403.
func NoPermission(name string) Problem {
	return restart(http.StatusForbidden, "no_permission", "You need more permissions",
		"In "+company(name)+", your Procore account isn't allowed to do what {app} needs.",
		"Ask a company administrator to give you the permissions, or to connect {app} with an account that has them.")
}

// CompanyRefused explains that Procore answered the first call into the company with any other error. Set Detail to
// Procore's message.
func CompanyRefused(name string) Problem {
	return restart(http.StatusBadGateway, "company_refused", "Procore refused the connection",
		"Procore didn't let {app} into "+company(name)+", so nothing was connected.",
		"Contact {support} and include Procore's message. You can also try again later.")
}

// ChoiceExpired explains that the 30 minutes for choosing are over, or that the session is gone.
func ChoiceExpired() Problem {
	return restart(http.StatusGone, "choice_expired", "Please connect again",
		"You have to choose a company within 30 minutes of signing in. That time is over, or the sign-in has ended.",
		"Connect again. You can do that right away.")
}

// Canceled explains that the user pressed "Don't connect", or that housekeeping has just ended a sign-in without a
// choice.
func Canceled() Problem {
	return restart(http.StatusGone, "canceled", "Nothing was connected",
		"This sign-in ended before a company was connected, so {app} ends the access that you allowed in Procore.",
		"You can close this page, or connect again.")
}

// ChoiceUsed explains that the form was sent before: a double click, a reload, another tab.
func ChoiceUsed() Problem {
	p := restart(http.StatusConflict, "choice_used", "You already chose a company",
		"You chose a company in this tab or in another one.",
		"See the connection. To connect another company, start again from the home page.")
	p.ActionLabel, p.ActionURL = "See the connection", PathConnected
	return p
}

// OtherChosen explains that the user chose another company in this sign-in, for which Procore's answer is not clear yet.
func OtherChosen(name string) Problem {
	return restart(http.StatusConflict, "other_chosen", "You chose another company before",
		"In this sign-in you chose "+company(name)+", and {app} may already be installed there.",
		"Go back to your companies and connect that one. To connect another company, choose “Don't connect” there and start again.")
}

// Reauthorize explains that the connection's refresh token is spent.
func Reauthorize(name string) Problem {
	return restart(http.StatusGone, "reauthorize", "Your connection has stopped working",
		"Procore no longer accepts the access that you allowed, so {app} can't work with "+company(name)+" for you.",
		"Connect again and choose the same company. Only you can do that, and nothing else is needed.")
}

// Disconnected explains that an administrator ended the connection in App Management.
func Disconnected(name string) Problem {
	return restart(http.StatusGone, "disconnected", "The connection was ended in Procore",
		"{app} was disconnected from "+company(name)+" in Procore, so it no longer works there.",
		"Ask a company administrator to connect it under App Management in Procore. Then connect again here.")
}

// Revoked explains that the connection was revoked, or is about to be: by the team that runs the application, or because
// its user left the company.
func Revoked(name string) Problem {
	return restart(http.StatusGone, "revoked", "The connection has ended",
		"{app} has ended the access to "+company(name)+" that you allowed in Procore.",
		"Contact {support} to find out why. If you still belong to the company, you can connect again.")
}

// FormRefused explains that the CSRF token or the flow's id is missing or wrong.
func FormRefused() Problem {
	return restart(http.StatusForbidden, "form_refused", "This form was not accepted",
		"The form doesn't belong to your sign-in, so nothing was changed.",
		"Connect again, and send the form from this site.")
}

// StorageUnavailable explains that the database did not answer.
func StorageUnavailable() Problem {
	return temporary(http.StatusServiceUnavailable, "storage_unavailable", "Please try again in a moment",
		"{app} couldn't reach its own data, so this step isn't finished.",
		"Try again in a minute. If it keeps happening, contact {support}.")
}

// BadRequest explains that the request can't be read.
func BadRequest() Problem {
	return restart(http.StatusBadRequest, "bad_request", "This request is not valid",
		"Your browser sent something that {app} doesn't understand.",
		"Connect again from the start. Don't use a bookmark or a copied address.")
}

// TooLarge explains that the body is longer than allowed (*http.MaxBytesError).
func TooLarge() Problem {
	return restart(http.StatusRequestEntityTooLarge, "too_large", "This request is too large",
		"Your browser sent more than {app} accepts.",
		"Connect again from the start. If it happens again, contact {support}.")
}

// NotFound explains that there is no such page.
func NotFound() Problem {
	return home(Problem{Status: http.StatusNotFound, Code: "not_found", Title: "Page not found",
		What: "There is no page at this address.",
		Next: "Check the address for typos, or go to the home page."})
}

// MethodNotAllowed explains that the page exists, but not for this method. The caller sets Allow.
func MethodNotAllowed() Problem {
	return home(Problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Title: "This does not work here",
		What: "This address can't be used in this way.",
		Next: "Go to the home page and start from there."})
}

func home(p Problem) Problem {
	p.ActionLabel, p.ActionURL = "Go to the home page", PathHome
	return p
}
