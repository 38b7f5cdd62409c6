package pages

import (
	"fmt"
	"time"
)

// connectedWords are the texts of the last page.
type connectedWords struct {
	Title, What, More                                string
	CompanyLabel, UserLabel, ForLabel, WebhooksLabel string
	Pending, Checks, Active, Off, NeedsAdmin         string
	ReloadLabel, StopLabel, LastLabel                string
	Others, Next, NextLabel, EndLabel                string
}

func (words) connected(app string, c Connection) connectedWords {
	t := connectedWords{
		Title:        "Connected",
		What:         fmt.Sprintf("%s can now work with %s in Procore.", app, c.CompanyName),
		CompanyLabel: "Company", UserLabel: "Connected by", ForLabel: "Connected for", WebhooksLabel: "Updates from Procore",
		Pending: "Being set up. This takes a few minutes. You don't need to do anything.",
		Checks:  "This page checks every 30 seconds.",
		Active:  "On. Changes in Procore reach " + app + " within seconds.",
		Off:     "Off, because Procore didn't allow them.",
		NeedsAdmin: "In Procore, a company administrator can set the permission “Webhooks API” to Standard or higher for the user who connected. " +
			app + " then tries again automatically.",
		ReloadLabel: "Check again",
		StopLabel:   "Stop checking",
		LastLabel:   "Last update from Procore",
		Next:        "You can close this page.",
		NextLabel:   "Continue",
		EndLabel:    "Disconnect this company",
	}
	if c.Reconnected {
		t.Title = "Reconnected"
		t.What = fmt.Sprintf("You had connected %s before. The new connection replaces the old one.", c.CompanyName)
	}
	if c.Paused {
		t.Title = "The connection is interrupted"
		t.What = fmt.Sprintf("Procore doesn't let %s into %s at the moment.", app, c.CompanyName)
		t.More = app + " tries again automatically. If this lasts, ask a company administrator to check in Procore, under App Management, that " +
			app + " is installed."
	}
	switch {
	case c.Others == 1:
		t.Others = "Another user has also connected this company. Both connections stay in place."
	case c.Others > 1:
		t.Others = fmt.Sprintf("%d other users have also connected this company. All connections stay in place.", c.Others)
	}
	if c.NextURL != "" {
		t.Next = "You can continue now."
	}
	if !c.Until.IsZero() {
		t.Next += " Until " + c.Until.UTC().Format("2\u00a0January\u00a02006") + ", you can open this page again in this browser."
	}
	return t
}

// ago describes how long ago the last event arrived.
func (connectedWords) ago(since time.Duration) string {
	some := func(n int, unit string) string {
		if n != 1 {
			unit += "s"
		}
		return fmt.Sprintf("%d %s ago", n, unit)
	}
	switch {
	case since == Never:
		return "None since you connected this company"
	case since < time.Minute:
		return "Less than a minute ago"
	case since < time.Hour:
		return some(int(since.Minutes()), "minute")
	case since < 48*time.Hour:
		return some(int(since.Hours()), "hour")
	}
	return some(int(since.Hours()/24), "day")
}
