package operator

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// disconnectedFor is how long a disconnected connection remains as it is.
const disconnectedFor = 30 * 24 * time.Hour

// Why is one paragraph about the company: what is the matter, who has to do what, and the link to send to that person.
func (c *Company) Why() string {
	first := c.Connections[0]
	sentences := []string{c.state(first)}
	if first.serves() {
		sentences = append(sentences, c.webhook(), c.breaker())
	}
	sentences = append(sentences, c.others()...)
	sentences = append(sentences, c.references()...)
	if !c.NeedsPerson() && first.State != Ended && !c.Breaker.Open {
		sentences = append(sentences, "No one needs to do anything.")
	}
	return strings.Join(slices.DeleteFunc(sentences, func(s string) bool { return s == "" }), " ")
}

// state is about the connection that serves the company, or is the nearest to it.
func (c *Company) state(one Connection) string {
	company, user := c.named(), one.user()
	switch one.State {
	case Connected:
		return fmt.Sprintf("%s works: %s connected it %s.", company, user, Ago(c.now, one.Since))
	case Uncertain:
		return fmt.Sprintf("%s still works, but the last refresh of the authorization of %s had no answer, %s. Either the answer arrives late, "+
			"or %s has to authorize again; the list shows it then.", company, user, Ago(c.now, one.Since), user)
	case Paused:
		return fmt.Sprintf("%s does not work: Procore answers 401 for this company to a token that is good, most likely because the app is not "+
			"installed there. An administrator of the company checks in App Management that the app is installed. The next call is made after %s. "+
			"Connecting the company again ends the pause at once: %s", company, clock(one.PausedUntil), c.Link)
	case Reauthorize:
		return fmt.Sprintf("%s %s, because the authorization of %s has ended%s. %s has to open %s and connect the company again.%s",
			company, broken(c.now, one.Since), user, because(one.Reason), user, c.Link, alsoHeld(one))
	case Disconnected:
		return fmt.Sprintf("%s %s: an administrator of the company disconnected the app in App Management. Ask the company. "+
			"If it wants the app, %s Nothing is lost until %s.", company, broken(c.now, one.Since), c.again(one), one.Since.Add(disconnectedFor).UTC().Format(time.DateOnly))
	}
	return fmt.Sprintf("%s is no longer connected. Its connection ended %s: %s. If that was not wanted, %s",
		company, Ago(c.now, one.Since), cmp.Or(one.Reason, "on purpose"), c.again(one))
}

// again is who connects the company again.
func (c *Company) again(one Connection) string {
	if one.Principal == string(tokens.App) {
		return "its administrator connects the app in App Management, and housekeeping finds it within minutes."
	}
	return fmt.Sprintf("%s opens %s and connects it again.", one.user(), c.Link)
}

// webhook is about the hook of a company that works.
func (c *Company) webhook() string {
	has := func(state connections.Webhooks) bool {
		return slices.ContainsFunc(c.Connections, func(one Connection) bool { return one.serves() && one.Webhook == string(state) })
	}
	switch {
	case has(connections.WebhooksActive) && c.LastEvent.IsZero():
		return "Its webhook is active; no event arrived within 14 days."
	case has(connections.WebhooksActive):
		return fmt.Sprintf("Its webhook is active, and the last event arrived %s.", Ago(c.now, c.LastEvent))
	case has(connections.WebhooksNeedsAdmin):
		return fmt.Sprintf("But its webhook is not set up: no connection of the company may manage webhooks. An administrator of the company "+
			"grants %s the permission Webhooks API at Standard, or connects the company too: %s Housekeeping tries again every hour.",
			c.Connections[0].user(), c.Link)
	case has(connections.WebhooksPending):
		return "Its webhook is being set up by housekeeping, which runs every five minutes."
	}
	return "Webhooks are off."
}

// breaker is about refreshes that do not run.
func (c *Company) breaker() string {
	if !c.Breaker.Open {
		return ""
	}
	return fmt.Sprintf("All refreshes have been stopped since %s: %s. It works only until the access token expires; see procore-connect breaker.",
		clock(c.Breaker.Since), c.Breaker.Reason)
}

// others is about the connections besides the first one that do not work.
func (c *Company) others() (all []string) {
	served := c.Connections[0].serves()
	for _, one := range c.Connections[1:] {
		switch {
		case one.serves(), one.State == Ended:
		case served:
			all = append(all, fmt.Sprintf("The connection of %s is in the state %s, which costs the company nothing.", one.user(), one.State))
		default:
			all = append(all, fmt.Sprintf("The connection of %s is in the state %s.", one.user(), one.State))
		}
	}
	return all
}

// references are about the tenants of a host application. A reference is not the last word, because it may end with a
// full stop.
func (c *Company) references() (all []string) {
	for _, one := range c.Connections {
		verb := "is"
		if one.State == Ended {
			verb = "was"
		}
		if one.Reference != "" {
			all = append(all, fmt.Sprintf("In the host application, %s %s the reference of the connection of %s.", one.Reference, verb, one.user()))
		}
	}
	return all
}

func (c *Company) named() string {
	if c.Name == "" {
		return fmt.Sprintf("Company %d", c.ID)
	}
	return fmt.Sprintf("Company %d (%s)", c.ID, c.Name)
}

// user names who connected a company.
func (c Connection) user() string {
	switch {
	case c.Principal == string(tokens.App):
		return "the " + ServiceAccount
	case c.ConnectedBy == "":
		return c.Principal
	}
	return fmt.Sprintf("%s (%s)", c.ConnectedBy, c.Principal)
}

// alsoHeld names the other companies of a grant that has ended.
func alsoHeld(c Connection) string {
	others := c.otherCompanies()
	if len(others) == 0 {
		return ""
	}
	return fmt.Sprintf(" That repairs %d more of the same user too: %s.", len(others), strings.Join(others[:min(len(others), 10)], ", "))
}

// otherCompanies are those that need the same grant.
func (c Connection) otherCompanies() []string {
	return slices.DeleteFunc(slices.Clone(c.holds), func(id string) bool { return id == strconv.FormatInt(c.CompanyID, 10) })
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// broken is since when a company does not work, if that is known.
func broken(now, t time.Time) string {
	if t.IsZero() {
		return "does not work"
	}
	return "has not worked since " + clock(t) + " (" + Ago(now, t) + ")"
}

// clock is a time as a person compares it with a log.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
