package pages

import "strconv"

// requestWords are the texts of a request to an administrator.
type requestWords struct {
	Label, How, Write, NotAdmin string
	Subject                     string
	Lines                       []string // of the text
}

// request returns the text in which a visitor asks an administrator of the company.
func (w words) request(a ask, b Brand, company, home string, users bool) requestWords {
	app := b.Name
	t := requestWords{
		Label:    "Send this text to a company administrator",
		How:      "Copy this text, or open it as an email. You choose who gets it.",
		Write:    "Open as an email",
		NotAdmin: "Not an administrator? Ask one",
	}
	var why string
	var needs, steps []string
	end := "When it is done, please tell me. I can then finish the connection here:"
	if !users {
		end = "After that, no one has to sign in. A few minutes later, you can check the connection here:"
	}
	switch a {
	case askInstall:
		t.Subject = "Please install " + app + " in Procore"
		why = "Please install " + app + " in " + company + ". In Procore, only a company administrator can do that."
		steps = w.install(app, false).Steps[:2]
	case askReconnect:
		t.Subject = "Please connect " + app + " in Procore"
		why = "Please connect " + app + " in " + company + ". It is disconnected there, and only a company administrator can change that."
		steps = w.reconnect(app)
	case askPermission:
		t.Subject = "Please give me permissions for " + app + " in Procore"
		why = "I want to connect " + app + " to " + company + ", but my Procore account lacks permissions there."
		needs = w.needs(b)
		steps = []string{
			"In Procore, open the company's Directory, and edit my user.",
			"Give me access to the projects and tools that " + app + " works with.",
		}
		end = "When it is done, please tell me. You can also connect it yourself, with your own account. The address is:"
	case askUpdates, askAppUpdates:
		t.Subject = "Please allow updates for " + app + " in Procore"
		why = app + " is connected to " + company + ", but Procore doesn't send it updates. It needs the permission “Webhooks API” there."
		steps = w.updates(app, a == askUpdates)
		end = "After that, " + app + " turns updates on automatically. Its page is:"
	case askActivate:
		t.Subject = "Our company is inactive in Procore"
		why = "I can't connect " + app + " to " + company + ", because Procore marks it as inactive."
		steps = []string{"Please ask Procore's support to activate the company."}
	case askAdd:
		t.Subject = "Please add me to our company in Procore"
		why = "I want to connect " + app + " to " + company + ", but my Procore account doesn't belong to it."
		steps = []string{
			"In Procore, open the company's Directory, and add me as a user.",
			"Use the email address with which I sign in to Procore, and send me the invitation.",
		}
	}
	t.Lines = append([]string{"Hello,", "", why, ""}, needs...)
	for i, s := range steps {
		if len(steps) > 1 {
			s = strconv.Itoa(i+1) + ". " + s
		}
		t.Lines = append(t.Lines, s)
	}
	t.Lines = append(t.Lines, "", end, home, "", "Thank you")
	return t
}

// ourCompany names the company in a text that the visitor sends to its administrator.
func (words) ourCompany(quoted string, id int64) string {
	s := "our company"
	if quoted != "" {
		s = "the company “" + quoted + "”"
	}
	if id != 0 {
		s += " (Procore company ID " + strconv.FormatInt(id, 10) + ")"
	}
	return s
}

// updates is what an administrator does so that Procore reports changes: to the visitor's connection, or to the app itself.
func (w words) updates(app string, user bool) []string {
	if user {
		return []string{
			"In Procore, open the company's Directory, and edit my user.",
			"Set the permission “Webhooks API” to Standard or higher.",
		}
	}
	return []string{
		w.install(app, false).Steps[0],
		"Open " + app + ", and give it the permission “Webhooks API” at Standard or higher.",
	}
}

// reconnect is what an administrator does to connect an application again.
func (w words) reconnect(app string) []string {
	return []string{
		w.install(app, false).Steps[0],
		"Open " + app + " and connect it again. If it isn't among the installed apps, reinstall it.",
	}
}

// accountWords are the texts for a visitor who has another account at Procore.
type accountWords struct {
	Title, Open, OpenLink, NewTab, Then, Connect string
}

func (words) account() accountWords {
	return accountWords{
		Title:    "Use another Procore account",
		OpenLink: "Open Procore",
		NewTab:   "in a new tab, and sign out there. Until you do, Procore uses the same account again.",
		Open:     "Open Procore in a new tab, and sign out there. Until you do, Procore uses the same account again.",
		Then:     "Come back to this page and connect with the other account.",
		Connect:  "Connect with another account",
	}
}

// kind is what a visitor reads first about a problem.
func (words) kind(k Kind) string {
	switch k {
	case AdminMove:
		return "Needs an administrator"
	case Waiting:
		return "Wait, then try again"
	case Broken:
		return "Needs the {app} team"
	case Done:
		return "Nothing left to do"
	}
	return "Your next step"
}
