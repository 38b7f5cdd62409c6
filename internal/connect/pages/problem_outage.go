package pages

import "net/http"

// ProcoreUnreachable explains that Procore did not answer, or not in time.
func ProcoreUnreachable() Problem {
	return temporary(http.StatusBadGateway, "procore_unreachable", "Procore is not responding",
		"{app} couldn't reach Procore, or Procore was too busy. Nothing was connected.",
		"Try again in a few minutes. If it keeps happening, contact {support}.")
}

// CredentialsRefused explains that Procore answered invalid_client, or that the app's registration lacks what the sign-in
// needs.
func CredentialsRefused() Problem {
	return Problem{Status: http.StatusServiceUnavailable, Code: "credentials_refused", Title: "The setup needs attention",
		Kind: Broken,
		What: "Procore doesn't accept {app} as it is set up, so no one can connect right now.",
		Next: "You did nothing wrong, and trying again doesn't help. Please contact {support}."}
}

// StorageUnavailable explains that the database did not answer.
func StorageUnavailable() Problem {
	return temporary(http.StatusServiceUnavailable, "storage_unavailable", "Please try again in a moment",
		"{app} couldn't reach its own data, so this step isn't finished.",
		"If it keeps happening, contact {support}.")
}
