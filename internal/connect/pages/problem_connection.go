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
	return restart(http.StatusGone, "reauthorize", "Your connection has stopped working",
		"Procore no longer accepts the access that you allowed, so {app} can't work with "+company(name)+".",
		"Connect again and choose the same company. Nothing else is needed.")
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
