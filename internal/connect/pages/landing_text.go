package pages

// landingWords are the texts of a page that explains the flow and starts it.
type landingWords struct {
	Title, Lead, StepsTitle string
	Steps                   []string
	Connect, Small          string
}

func (w words) landing(app string) landingWords {
	return landingWords{
		Title:      connectLabel,
		Lead:       app + " works with one of your Procore companies. You choose which one.",
		StepsTitle: "What happens next",
		Steps: []string{
			"You sign in to Procore and allow access. " + app + " never sees your password.",
			"You choose one company. " + app + " doesn't touch your other companies.",
			app + " keeps the connection working. You can disconnect the company here. A company administrator can disconnect it in Procore, under App Management.",
		},
		Connect: connectLabel,
		Small:   "You need a Procore account that belongs to the company. " + w.cookie(),
	}
}

func (w words) visitor(app string) landingWords {
	return landingWords{
		Title:      app + " is ready to connect",
		Lead:       "Have you just installed " + app + " in Procore? Then one step is left: connect it to your company. If your company is already connected, you don't need to do anything.",
		StepsTitle: "What happens next",
		Steps: []string{
			"You sign in to Procore and allow access.",
			"You choose the company where you installed " + app + ".",
		},
		Connect: connectLabel,
		Small:   "This page can't show whether your company is connected, because it doesn't know who you are. " + w.cookie(),
	}
}

// cookie is what this site stores in a browser.
func (words) cookie() string {
	return "If you connect, this site sets one cookie to recognize your browser when you come back from Procore. The cookie lasts 14 days at most."
}
