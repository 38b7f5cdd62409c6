package pages

import "net/http"

// FormRefused explains that the CSRF token or the flow's id is missing or wrong.
func FormRefused() Problem {
	return restart(http.StatusForbidden, "form_refused", "This form was not accepted",
		"The form doesn't belong to your sign-in, so nothing was changed.",
		"Connect again from here. If another website brought you to this page, you can close it.")
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
		Next: homeNext})
}
