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
		Lead:         "You can connect it again at any time.",
		CompanyLabel: "Company", UserLabel: "Connected by",
		EndsTitle:  "What ends",
		StaysTitle: "What stays",
		Ends: []string{
			"{app} stops using your Procore account in this company. If you haven't connected another one, {app} also gives up the access that you allowed in Procore.",
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
		t.Ends = append(t.Ends, "Updates from Procore about this company stop. Those that have arrived are deleted 14 days after they came.")
		t.Stays = append(t.Stays, "Anything else that {app} has stored may stay. Ask {support} about it.")
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
