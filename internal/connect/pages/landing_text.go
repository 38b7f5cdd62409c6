package pages

// landingWords are the texts of a page that explains the flow and starts it.
type landingWords struct {
	Title, Lead, StepsTitle string
	Steps                   []string
	Connect, Small          string
}

func (words) landing(app string) landingWords {
	return landingWords{
		Title:      connectLabel,
		Lead:       app + " works with one of your Procore companies. You choose which one.",
		StepsTitle: "What happens next",
		Steps: []string{
			"You sign in to Procore and allow access. " + app + " never sees your password.",
			"You choose one company. " + app + " doesn't touch your other companies.",
			app + " keeps the connection working. A company administrator can end it at any time, under App Management in Procore.",
		},
		Connect: connectLabel,
		Small:   "You need a Procore account that belongs to the company. This site sets one cookie, to recognize your browser when you come back from Procore, and to your connection within 14 days.",
	}
}

func (words) visitor(app string) landingWords {
	return landingWords{
		Title:      app + " is ready to connect",
		Lead:       "Have you just installed " + app + " in Procore? Then one step is left: connect it to your company. If it is already connected, you don't need to do anything.",
		StepsTitle: "What happens next",
		Steps: []string{
			"You sign in to Procore and allow access.",
			"You choose the company where you installed " + app + ".",
		},
		Connect: connectLabel,
		Small:   "This page can't show whether your company is connected, because it doesn't know who you are.",
	}
}
