package pages

import "net/http"

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
