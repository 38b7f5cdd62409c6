package pages

import "time"

// restart returns a problem that the visitor solves by going through the flow again.
func restart(status int, code, title, what, next string) Problem {
	return Problem{Status: status, Code: code, Title: title, What: what, Next: next, Kind: YourMove, ActionLabel: againLabel, ActionURL: PathStart}
}

// temporary returns a problem that passes without anyone's help.
func temporary(status int, code, title, what, next string) Problem {
	p := restart(status, code, title, what, next)
	p.Kind, p.ActionLabel, p.RetryAfter = Waiting, retryLabel, 30*time.Second
	return p
}

// broken returns a problem that only the team that runs the application can end.
func broken(p Problem) Problem {
	p.Kind = Broken
	return p
}

// done returns p as a page for what the visitor wanted, which leaves nothing to do.
func done(p Problem) Problem {
	p.Kind = Done
	return p
}

// asking returns a problem that an administrator of the company can end, with a text to send to one.
func asking(a ask, company string, p Problem) Problem {
	p.Kind, p.ask, p.company = AdminMove, a, company
	return p
}

// InCompany returns p with the id of the company that it is about, which an administrator and the team need.
func (p Problem) InCompany(id int64) Problem {
	p.companyID = id
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
// choice made before. If an administrator has to act first, the visitor tries again there.
func (p Problem) BackToCompanies(path string) Problem {
	if p.ask != askNothing {
		return p.Retry(path)
	}
	p.ActionLabel, p.ActionURL = "Back to your companies", path
	return p
}

// Disconnectable returns p with a link to the page that asks whether to disconnect.
func (p Problem) Disconnectable(path string) Problem {
	p.AlsoLabel, p.AlsoURL = "Disconnect this company", path
	if p.ask == askReconnect { // it is disconnected in Procore
		p.AlsoLabel = "Disconnect it here too"
	}
	return p
}

// company quotes an outside name for a sentence.
func company(name string) string {
	if name = clean(name, maxName); name == "" {
		return "this company"
	}
	return "“" + name + "”"
}
