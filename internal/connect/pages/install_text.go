package pages

// installWords are the texts of a page that explains how an administrator installs the application.
type installWords struct {
	Title, Lead, StepsTitle               string
	Steps                                 []string
	About                                 string // the company that was asked for
	CheckTitle, Check, Where, NoID        string
	ToCheck, Ends                         string
	UsersTitle, UsersText, Connect, Small string
}

// install is for a visitor who has not asked for a company. The way to an installation is Procore's, see
// https://developers.procore.com/documentation/building-apps-install-arch.
func (w words) install(app string, users bool) installWords {
	t := installWords{
		Title:      "Install " + app + " in Procore",
		Lead:       "A company administrator installs " + app + " in Procore. After that, it works on its own. No one has to sign in here.",
		StepsTitle: "What a company administrator does",
		Steps: []string{
			"In Procore, open Company Admin, then App Management.",
			"Choose Install App, then Install from Marketplace, and find " + app + ". If you were given a version key for it, choose Install Custom App instead.",
			"Choose the projects that " + app + " may work with. To change them later, open " + app + " under App Management, then Permissions.",
			"Wait up to five minutes. " + app + " finds the installation, and your company is connected.",
		},
		CheckTitle: "Is your company connected?",
		Check:      "Check",
		Where:      "It is the number in the address of your company's pages in Procore.",
		NoID:       "That is not a company ID. Enter the number alone.",
		ToCheck:    "Already installed? Check whether your company is connected",
		Ends:       "A company administrator can disconnect or remove " + app + " at any time, under App Management in Procore. The connection then ends.",
		UsersTitle: "Or connect as yourself",
		UsersText: "If your company hasn't installed " + app + ", you can sign in to Procore and choose one company. " + app +
			" then works there with your permissions. It doesn't touch your other companies. You can disconnect the company here.",
		Connect: connectLabel,
		Small:   w.cookie(),
	}
	if users {
		t.Title = connectLabel
		t.Lead = "There are two ways. A company administrator can install " + app + " in Procore. Or you can connect one company with your own account."
	}
	return t
}

// installVisitor is for a visitor of /connected, whom Procore may have sent after an installation.
func (w words) installVisitor(app string, users bool) installWords {
	t := w.install(app, users)
	t.Title = app + " connects on its own"
	t.Lead = "Have you just installed " + app + " in Procore? Then you are done. Your company is connected within five minutes. You can check that below."
	return t
}

// notInstalled is for a visitor who asked for a company that is not connected by its installation.
func (w words) notInstalled(app, id string, i Installation) installWords {
	t := w.install(app, false)
	t.Title = "Not connected yet"
	t.About = app + " hasn't found an installation in the company with the ID " + id + "."
	t.Check = "Check again"
	t.Lead = "Has a company administrator just installed it? Then check again in five minutes. If it still isn't connected, make sure that the ID is right, or contact {support}."
	if i == InstallationRefused {
		t.Title = "The connection is interrupted"
		t.About = app + " was installed in the company with the ID " + id + ", but Procore doesn't let it in."
		t.Lead = "A company administrator can connect it again in Procore. If Procore shows it as connected, contact {support}."
		t.Steps = append(w.reconnect(app),
			"You don't need to do anything here. "+app+" tries again automatically: first every hour, later once a day.")
	}
	return t
}

// installed are the words of a company that is connected by its installation.
func (w words) installed(app string, next bool) connectedWords {
	t := w.connected(app, Connection{CompanyName: "this company"})
	t.NeedsAdmin = "In Procore, a company administrator can give " + app + " the permission “Webhooks API” at Standard or higher. " +
		app + " then tries again automatically."
	t.What = app + " is installed in this company and works there on its own. No one has to sign in."
	if next {
		t.Next = "You can continue now."
	}
	return t
}
