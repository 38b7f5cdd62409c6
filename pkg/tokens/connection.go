package tokens

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"
)

// Principal is the owner of a connection's authorization: a user, or the app's service
// account.
type Principal string

// App is the principal of the app's service account.
const App Principal = "app"

// User returns the principal of the Procore user with this id.
func User(id int64) Principal { return Principal("user#" + strconv.FormatInt(id, 10)) }

// Key names one connection.
type Key struct {
	CompanyID int64
	Principal Principal
}

// String returns the key as errors write it.
func (k Key) String() string { return fmt.Sprintf("company %d, %s", k.CompanyID, k.Principal) }

// LogValue returns the company and the principal. Log a key as slog.Any("", key):
// without a name both are attributes of the line itself.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("company_id", k.CompanyID), slog.String("principal", string(k.Principal)))
}

// State is the state of a connection.
type State string

// The states. Only an active connection is refreshed. An uncertain one serves its
// access token while that is valid. The last four need a person.
const (
	Active       State = "active"
	Uncertain    State = "uncertain"    // a refresh token was sent and no answer is known
	Reauthorize  State = "reauthorize"  // the refresh token is spent: the user must authorize again
	Disconnected State = "disconnected" // an admin disconnected the app in App Management
	Revoking     State = "revoking"     // being revoked
	Revoked      State = "revoked"
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
const maxTransitions = 20

// Transition is one past change of a connection.
type Transition struct {
	State      State
	Generation int64
	Attempt    string
	At         time.Time // to the second
	Reason     string
}

// Connection is one row of the Connections table. It prints no token: the pair
// in it is sealed.
type Connection struct {
	Key
	State       State
	Generation  int64
	Rev         int64 // counts the writes; every write is conditional on it
	Expiry      time.Time
	Environment string // Procore's, where the pair was issued
	RedirectURI string

	CompanyName string
	UserName    string
	ConnectedAt time.Time // of the last authorization
	RefreshedAt time.Time // when this generation's pair arrived
	LastUsed    time.Time // to the day
	SeenAt      time.Time // when Procore last showed the company to the user
	PausedUntil time.Time // no calls before: Procore rejected valid tokens; see [Transport]

	Reason    string    // why the state is not Active
	ReasonAt  time.Time // since when
	RequestID string    // Procore's, of the answer that caused it

	Webhooks Webhooks
	CheckAt  time.Time // when housekeeping next checks the webhook; zero: never

	Transitions []Transition // oldest first, at most 20

	write        string // names the last write, because rev begins again after a restore
	pair         Sealed
	attempt      string        // the attempt that holds, or last held, the claim
	claimUntil   time.Time     // zero: no claim is open
	lastAttempt  string        // the attempt that stored this generation
	stateAttempt string        // the attempt that caused this state
	pause        time.Duration // how long the last pause was, to the second
}

// Renewed reports whether the connection existed before the last authorization. The
// generation does not show it, because each refresh makes one.
func (c Connection) Renewed() bool {
	for i, t := range slices.Backward(c.Transitions) {
		if t.Reason == granted {
			return i > 0
		}
	}
	return false
}

// claimed reports whether an attempt holds the claim, which may have expired.
func (c Connection) claimed() bool { return !c.claimUntil.IsZero() }

// place returns what the pair's seal is bound to. A pair that was copied from another
// row, or is from another generation, does not open.
func (c Connection) place() Place {
	return Place{Table: "connections", Key: strconv.FormatInt(c.CompanyID, 10) + "/" + string(c.Principal), Generation: c.Generation}
}

// enter returns the connection in the state, with the transition.
func (c Connection) enter(s State, attempt, reason, requestID string, now time.Time) Connection {
	c.State, c.stateAttempt = s, attempt
	c.Reason, c.ReasonAt, c.RequestID = reason, now, requestID
	if s == Active {
		c.Reason, c.ReasonAt, c.RequestID = "", time.Time{}, ""
	}
	c.Transitions = append(slices.Clip(c.Transitions), Transition{s, c.Generation, attempt, now, reason})
	if n := len(c.Transitions) - maxTransitions; n > 0 {
		c.Transitions = c.Transitions[n:]
	}
	return c
}
