package connections

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// Key names one connection.
type Key struct {
	CompanyID int64
	Principal tokens.Principal
}

// String returns the key as errors write it.
func (k Key) String() string {
	if k.Principal == "" {
		return fmt.Sprintf("company %d", k.CompanyID)
	}
	return fmt.Sprintf("company %d, %s", k.CompanyID, k.Principal)
}

// LogValue returns the company and the principal. Log a key as slog.Any("", key):
// without a name both are attributes of the line itself.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("company_id", k.CompanyID), slog.String("principal", string(k.Principal)))
}

// holder is the company among the holders of a grant.
func (k Key) holder() string { return strconv.FormatInt(k.CompanyID, 10) }

// Owner names whose calls Procore counts together against its rate limits: those of a
// user in all companies, and those of the service account in each company.
func (k Key) Owner() string {
	if k.Principal == tokens.App {
		return "company#" + k.holder()
	}
	return string(k.Principal)
}

// State is the state of a connection.
type State string

// The states. A disconnected connection holds its grant for 30 more days, because an
// admin may have disconnected the app by mistake.
const (
	Connected    State = "connected"
	Disconnected State = "disconnected" // an admin disconnected the app in App Management
	Ended        State = "ended"
)

// Webhooks is the state of the company's webhook.
type Webhooks string

// The webhook states of a connection.
const (
	WebhooksOff        Webhooks = "off"         // none are configured
	WebhooksPending    Webhooks = "pending"     // to be set up by housekeeping
	WebhooksActive     Webhooks = "active"      // hook and triggers are as configured
	WebhooksNeedsAdmin Webhooks = "needs_admin" // the user lacks the Webhooks permission
)

// maxTransitions is how many transitions a connection remembers.
const maxTransitions = 10

// Transition is one past change of a connection.
type Transition struct {
	State  State
	At     time.Time // to the second
	Reason string
}

// Connection is one row of the Connections table.
type Connection struct {
	Key
	State State
	Rev   int64 // counts the writes; every write is conditional on it

	CompanyName string
	UserName    string
	ConnectedAt time.Time // last, to the millisecond
	Origin      string    // names the authorization that connected it last; empty: unknown
	Reference   string    // a host application's id of its tenant; empty: none; see [Store.SetReference]
	SeenAt      time.Time // when Procore last showed the company to the user
	PausedUntil time.Time // no calls before: Procore rejected valid tokens; see [Store.Pause]

	Reason   string    // why the state is not Connected
	ReasonAt time.Time // since when

	Webhooks Webhooks
	CheckAt  time.Time // when housekeeping next checks the connection; zero: never

	Transitions []Transition // oldest first, at most 10

	write string        // names the last write, because rev begins again after a restore
	pause time.Duration // how long the last pause was, to the second
}

// connected is the reason of the transition that a connection begins with.
const connected = "connected"

// Renewed reports whether the connection existed before it was last connected.
func (c Connection) Renewed() bool {
	for i, t := range slices.Backward(c.Transitions) {
		if t.State == Connected {
			return i > 0
		}
	}
	return false
}

// HasEnded reports whether the connection was ended on purpose.
func (c Connection) HasEnded() bool { return c.State == Ended }

// made reports whether it was not connected again since it was seen.
func (c Connection) made(seen Connection) bool {
	return c.ConnectedAt.Equal(seen.ConnectedAt) && c.Origin == seen.Origin
}

// enter returns the connection in the state, with the transition.
func (c Connection) enter(s State, reason string, now time.Time) Connection {
	now = toSecond(now)
	c.State, c.Reason, c.ReasonAt = s, reason, now
	if s == Connected {
		c.Reason, c.ReasonAt = "", time.Time{}
	}
	c.Transitions = append(slices.Clip(c.Transitions), Transition{s, now, reason})
	if n := len(c.Transitions) - maxTransitions; n > 0 {
		c.Transitions = c.Transitions[n:]
	}
	return c
}

// fields lists the row's attributes without its key.
func (c *Connection) fields(f *dynamo.Fields) {
	f.Text("state", (*string)(&c.State))
	f.Number("rev", &c.Rev)
	f.Text("write", &c.write)
	f.Text("company_name", &c.CompanyName)
	f.Text("user_name", &c.UserName)
	f.Millis("connected_at_ms", &c.ConnectedAt)
	f.Text("origin", &c.Origin)
	f.Text("reference", &c.Reference)
	f.Seconds("seen_at", &c.SeenAt)
	f.Seconds("paused_until", &c.PausedUntil)
	f.Duration("pause_s", &c.pause)
	f.Text("reason", &c.Reason)
	f.Seconds("reason_at", &c.ReasonAt)
	f.Text("webhooks", (*string)(&c.Webhooks))
	f.Seconds("check_at", &c.CheckAt)
	dynamo.Maps(f, "transitions", &c.Transitions, (*Transition).fields)
}

func (t *Transition) fields(f *dynamo.Fields) {
	f.Text("state", (*string)(&t.State))
	f.Seconds("at", &t.At)
	f.Text("reason", &t.Reason)
}
