package pages

import "time"

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

func home(p Problem) Problem {
	p.ActionLabel, p.ActionURL = "Go to the home page", PathHome
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
