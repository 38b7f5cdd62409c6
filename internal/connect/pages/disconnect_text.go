package pages

import "fmt"

// disconnectWords are the texts of the page that asks whether to disconnect.
type disconnectWords struct {
	Title, Lead, CompanyLabel, UserLabel string
	EndsTitle, StaysTitle                string
	Ends, Stays                          []string
	Disconnect, Keep                     string
}

func (words) disconnect(e Ending) disconnectWords {
	t := disconnectWords{
		Title:        "Disconnect this company?",
		Lead:         "{app} will no longer work with this company for you. You can connect it again at any time.",
		CompanyLabel: "Company", UserLabel: "Connected by",
		EndsTitle:  "What ends",
		StaysTitle: "What stays",
		Ends: []string{
			"{app} no longer acts with your Procore account in this company. If you connected no other one, it gives back the access that you allowed.",
		},
		Stays:      []string{"If you connected other companies, they stay connected."},
		Disconnect: "Disconnect",
		Keep:       "Keep the connection",
	}
	shared := e.Others > 0 || e.Installed
	switch {
	case e.Webhooks == WebhooksOff:
	case shared:
		t.Stays = append(t.Stays, "Updates from Procore about this company still reach {app}.")
	default:
		t.Ends = append(t.Ends, "Updates from Procore about this company stop. Those that have arrived are deleted 14 days after they came. "+
			"About anything else that {app} has stored, ask {support}.")
	}
	switch {
	case e.Others == 1:
		t.Stays = append(t.Stays, "Another user has also connected this company. That connection stays.")
	case e.Others > 1:
		t.Stays = append(t.Stays, fmt.Sprintf("%d other users have also connected this company. Their connections stay.", e.Others))
	}
	if e.Installed {
		t.Stays = append(t.Stays, "{app} also works in this company without a user. That stays as it is.")
	}
	t.Stays = append(t.Stays, "{app} stays installed in Procore. A company administrator can remove it there, under App Management.")
	return t
}
