package pages

import "net/http"

// UserInstallsOff explains that Allow User Installs is off and the app isn't installed there.
func UserInstallsOff(name string) Problem {
	return asking(askInstall, name, restart(http.StatusForbidden, "user_installs_off", "An administrator has to install {app} first",
		"{app} isn't installed in "+company(name)+" yet, and only administrators can install apps there.",
		"Ask a company administrator to install it. Then try again."))
}

// NotConnected explains the 403 "App is not connected to this company", or the 401 that a new company may answer.
func NotConnected(name string) Problem {
	return asking(askReconnect, name, restart(http.StatusForbidden, "not_connected", "{app} is not connected in Procore",
		"In Procore, {app} was disconnected from "+company(name)+" or was never connected to it.",
		"Ask a company administrator to connect it in Procore. Then try again."))
}

// NoPermission explains any other 403.
func NoPermission(name string) Problem {
	return asking(askPermission, name, restart(http.StatusForbidden, "no_permission", "You need more permissions",
		"In "+company(name)+", your Procore account isn't allowed to do what {app} needs.",
		"Ask a company administrator for the permissions. Then try again."))
}

// CompanyRefused explains that Procore answered the first call into the company with any other error. Set Detail to
// Procore's message.
func CompanyRefused(name string) Problem {
	return broken(restart(http.StatusBadGateway, "company_refused", "Procore refused the connection",
		"Procore didn't let {app} into "+company(name)+", so nothing was connected.",
		"Send Procore's message to {support}. You can also try again later."))
}

// Reauthorize explains that the connection's refresh token is spent.
func Reauthorize(name string) Problem {
	p := restart(http.StatusGone, "reauthorize", "Your connection has stopped working",
		"Procore no longer accepts the access that you allowed, so {app} can't work with "+company(name)+".",
		"Reconnect, and choose the same company. Nothing else is needed.")
	p.ActionLabel = "Reconnect"
	return p
}

// Disconnected explains that an administrator ended the connection in App Management.
func Disconnected(name string) Problem {
	p := asking(askReconnect, name, restart(http.StatusGone, "disconnected", "The connection was ended in Procore",
		"{app} was disconnected from "+company(name)+" in Procore, so it no longer works there.",
		"Ask a company administrator to connect it in Procore. Then try again."))
	p.ActionLabel = retryLabel
	return p
}

// Revoked explains that the connection was revoked, or is about to be: by the team that runs the application, or because
// its user left the company.
func Revoked(name string) Problem {
	return broken(restart(http.StatusGone, "revoked", "The connection has ended",
		"{app} has ended the access to "+company(name)+" that you allowed in Procore.",
		"Ask {support} why. If you still belong to the company, you can connect again."))
}

// EndedByUser explains that the user ended the connection on its page.
func EndedByUser(name string) Problem {
	return done(restart(http.StatusGone, "ended_by_user", "You have disconnected this company",
		"You ended the connection to "+company(name)+", so {app} no longer works there for you.",
		"{app} stays installed in Procore until a company administrator removes it there, under App Management. You can close this page, or connect again."))
}

// ConnectedAgain explains that the same user has connected the company again, so that this page is no longer that of the
// connection.
func ConnectedAgain(name string) Problem {
	return restart(http.StatusGone, "connected_again", "You have connected this company again",
		"You connected "+company(name)+" again in another browser, so this page no longer shows the connection.",
		"Open the page in that browser. If you connect again here, that replaces the other connection.")
}

// ReturnExpired explains that the browser can no longer end the connection that it made.
func ReturnExpired() Problem {
	return restart(http.StatusGone, "return_expired", "This page is too old",
		"This browser no longer knows your connection, so nothing was changed.",
		"To disconnect the company here, connect it again first. A company administrator can also disconnect {app} in Procore, under App Management.")
}
