package pages

// tenantWords are the texts about the tenant of a host application.
type tenantWords struct {
	For, At, OnLanding, OnChoice string
}

func (words) tenant() tenantWords {
	return tenantWords{
		For:       "You are connecting a company for",
		At:        "at",
		OnLanding: "Don't you belong to it, or did someone else send you this address? Then close this page.",
		OnChoice:  "Don't you belong to it? Then don't connect a company.",
	}
}

// backTo is the label of a button that leads to the host application.
func backTo(host string) string { return "Back to " + host }
