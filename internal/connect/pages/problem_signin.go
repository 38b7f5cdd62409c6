package pages

import "net/http"

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
		"For your safety, you have 10 minutes to finish a sign-in.",
		"You can connect again right away.")
}

// CodeExpired explains that Procore refused the code with invalid_grant: it is older than ten minutes, or was used before.
func CodeExpired() Problem {
	return restart(http.StatusGone, "code_expired", "The sign-in is no longer valid",
		"Procore no longer accepts this sign-in. It is older than 10 minutes, or it was used before.",
		"You can connect again right away.")
}

// StateMissing explains that the callback came without a state.
func StateMissing() Problem {
	return restart(http.StatusBadRequest, "state_missing", "This address is incomplete",
		"This page is one step of a sign-in, and part of its address is missing.",
		"Connect again from the start. Don't use a bookmark or a copied address.")
}

// StateUsed explains that an earlier callback consumed the state, as after a reload, the back button or a double click.
func StateUsed() Problem {
	return restart(http.StatusConflict, "state_used", "This sign-in was already used",
		"This page was opened a second time, and each sign-in works only once.",
		"If another tab shows “Connected”, you are done. Otherwise, connect again.")
}

// OtherBrowser explains that the state belongs to another browser, or that the cookie is gone.
func OtherBrowser() Problem {
	return restart(http.StatusForbidden, "other_browser", "This sign-in started in another browser",
		"For your safety, a sign-in has to end in the browser in which it began.",
		"Connect again in this browser, and allow cookies. If someone sent you this address, close this page.")
}
