package pages

import "fmt"

// connectedWords are the texts of the last page.
type connectedWords struct {
	Title, What, CompanyLabel, UserLabel, WebhooksLabel string
	Pending, Active, NeedsAdmin, ReloadLabel            string
	Others, Next, NextLabel                             string
}

func (words) connected(app string, c Connection) connectedWords {
	t := connectedWords{
		Title:        "Connected",
		What:         fmt.Sprintf("%s can now work with %s in Procore.", app, c.CompanyName),
		CompanyLabel: "Company", UserLabel: "Connected by", WebhooksLabel: "Updates from Procore",
		Pending: "Being set up. This takes a few minutes, and you don't need to do anything.",
		Active:  "On. Changes in Procore reach " + app + " within seconds.",
		NeedsAdmin: "Off, because Procore didn't allow it. In Procore, a company administrator can set the permission “Webhooks API” " +
			"to Standard or higher for the user who connected. " + app + " then tries again automatically.",
		ReloadLabel: "Check again",
		Next:        "You can close this page.",
		NextLabel:   "Continue",
	}
	if c.Reconnected {
		t.Title = "Reconnected"
		t.What = fmt.Sprintf("You had connected %s before. The new connection replaces the old one.", c.CompanyName)
	}
	switch {
	case c.Others == 1:
		t.Others = "Another user has also connected this company. Both connections stay in place."
	case c.Others > 1:
		t.Others = fmt.Sprintf("%d other users have also connected this company. All connections stay in place.", c.Others)
	}
	if c.NextURL != "" {
		t.Next = "There is nothing else to do on this page."
	}
	return t
}
