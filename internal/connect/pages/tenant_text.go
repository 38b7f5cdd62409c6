package pages

// tenantWords are the texts about the tenant of a host application.
type tenantWords struct {
	For, At, OnLanding, OnChoice string
}

func (words) tenant() tenantWords {
	return tenantWords{
		For:       "You are connecting a company for",
		At:        "at",
		OnLanding: "If you don't belong to it, or if someone else sent you this address, close this page.",
		OnChoice:  "If you don't belong to it, don't connect a company.",
	}
}

// backTo is the label of a button that leads to the host application.
func backTo(host string) string { return "Back to " + host }
