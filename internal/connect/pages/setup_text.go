package pages

// setupWords are for the person who deploys.
type setupWords struct {
	Kind, Title, What, Next, StepsTitle, Command, After string
}

func (words) setup(app string) setupWords {
	return setupWords{
		Kind:       "Needs the " + app + " team",
		Title:      "Finish the setup",
		What:       app + " is deployed, but some of its secrets are not filled in yet.",
		Next:       "If you deployed it, fill them in now in AWS Secrets Manager. Otherwise, please come back later.",
		StepsTitle: "Secrets to fill in",
		Command:    "The stack's outputs have each secret's name. Save the value in a file, then run:",
		After:      "You don't need to deploy again: " + app + " reads the secrets again within a minute. Then reload this page.",
	}
}

func (words) setupStep(name string) setupStep {
	switch name {
	case "APP_SECRET_ID":
		return setupStep{name, "The client ID and client secret of your app for this deployment's environment, from the Procore Developer Portal.",
			`{"client_id":"…","client_secret":"…"}`}
	case "KEYS_SECRET_ID":
		return setupStep{name, "The key that seals stored connections: 32 or more random characters, under a name of your choice.",
			`{"current":"k1","k1":"…"}`}
	case "WEBHOOK_SECRET_ID":
		return setupStep{name, "The key from which webhook credentials are derived: 32 or more random characters, different from every other key.",
			`{"current":"k1","k1":"…"}`}
	}
	return setupStep{name, "See the table in docs/CONFIGURATION.md.", "…"}
}
