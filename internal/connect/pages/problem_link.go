package pages

import "net/http"

// LinksOff explains that the address has a host application's link, and that this deployment takes none.
func LinksOff() Problem {
	return fromHost(http.StatusNotFound, "links_off", "This link can't be used here",
		"{app} isn't set up for links from another application.",
		"Tell the team of the application that sent you here.")
}

// LinkInvalid explains that no key signed the link, or that it is not well-formed.
func LinkInvalid() Problem {
	return fromHost(http.StatusBadRequest, "link_invalid", "This link is not valid",
		"The address doesn't come from an application that {app} knows, or part of it is missing.",
		"Go back to the application that sent you here, and start from there. If it happens again, tell its team.")
}

// LinkReturn explains that the link leads back to an address that is not allowed.
func LinkReturn() Problem {
	return fromHost(http.StatusBadRequest, "link_return", "This link is not valid",
		"The link would lead you to a site that {app} doesn't know.",
		"Don't use this link. If an application that you know sent you here, tell its team.")
}

// LinkExpired explains that the link is too old.
func LinkExpired() Problem {
	return fromHost(http.StatusGone, "link_expired", "This link has expired",
		"For your safety, each link can be used for a short time only.",
		"Go back to the application that sent you here, and start again. You can do that right away.")
}

// LinkUsed explains that the link was used in another browser, or led to a connection.
func LinkUsed() Problem {
	return fromHost(http.StatusConflict, "link_used", "This link was already used",
		"Each link works only once, and only in the browser that opened it first.",
		"Go back to the application that sent you here, and start again. If someone else sent you this link, don't use it.")
}

// fromHost returns a problem that the visitor solves in the host application.
func fromHost(status int, code, title, what, next string) Problem {
	return Problem{Status: status, Code: code, Title: title, What: what, Next: next, Kind: YourMove, toHost: true}
}

// BackTo returns p with a button that leads to the host application, if p is about its link and the address is not empty.
func (p Problem) BackTo(address string) Problem {
	if p.toHost && address != "" {
		p.ActionLabel, p.ActionURL = backTo(hostOf(address)), address
	}
	return p
}

// InFlow returns p with a button that goes through the flow again for the same tenant.
func (p Problem) InFlow(flow string) Problem {
	p.flow = flow
	return p
}

// Returnable returns p with a link that leads to the host application with what became of its link.
func (p Problem) Returnable(path, address string) Problem {
	p.AlsoLabel, p.AlsoURL = backTo(hostOf(address)), path
	return p
}
