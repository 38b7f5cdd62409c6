package operator

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// State is what a connection and its grant amount to.
type State string

// The states, the best first.
const (
	Connected    State = "connected"
	Uncertain    State = "uncertain"    // a refresh had no answer; the access token serves while it is valid
	Paused       State = "paused"       // Procore answers 401 for this company to a good token
	Reauthorize  State = "reauthorize"  // the user's grant has ended
	Disconnected State = "disconnected" // an administrator disconnected the app
	Ended        State = "ended"        // on purpose
)

// States are all of them, the best first.
func States() []State { return []State{Connected, Uncertain, Paused, Reauthorize, Disconnected, Ended} }

// Connection is one company's connection by one principal, with what it needs.
type Connection struct {
	CompanyID    int64     `json:"company_id"`
	Company      string    `json:"company"`
	Principal    string    `json:"principal"`
	ConnectedBy  string    `json:"connected_by"`
	Reference    string    `json:"reference,omitempty"` // a host application's id of its tenant; of an ended one, the last
	State        State     `json:"state"`
	Since        time.Time `json:"since,omitzero"`
	Reason       string    `json:"reason,omitempty"`
	NeedsPerson  bool      `json:"needs_person"`
	TokenExpires time.Time `json:"token_expires,omitzero"` // of a user's access token
	PausedUntil  time.Time `json:"paused_until,omitzero"`
	Webhook      string    `json:"webhook"`
	LastEvent    time.Time `json:"last_event,omitzero"` // of the company

	connectedAt time.Time
	holds       []string // the companies of the same grant
}

// ServiceAccount is who connected a company that no user did.
const ServiceAccount = "service account"

// status judges a connection. A user's connection has a grant; nil: it is gone.
func (o *Operator) status(c connections.Connection, g *tokens.Grant) Connection {
	s := Connection{
		CompanyID: c.CompanyID, Company: c.CompanyName, Principal: string(c.Principal), ConnectedBy: c.UserName, Reference: c.Reference,
		State: Connected, Since: c.ConnectedAt, Webhook: string(c.Webhooks), connectedAt: c.ConnectedAt,
	}
	if c.Principal == tokens.App {
		s.ConnectedBy = ServiceAccount
	}
	if g != nil {
		s.TokenExpires, s.holds = g.Expiry, g.Holders
	}
	err := o.Connections.WorksBy(c, g)
	switch {
	case errors.Is(err, connections.ErrDisconnected):
		s.State, s.Since = Disconnected, c.ReasonAt
	case errors.Is(err, connections.ErrEnded):
		s.State, s.Since = Ended, c.ReasonAt
	case errors.Is(err, connections.ErrPaused):
		s.State, s.Since, s.PausedUntil = Paused, time.Time{}, c.PausedUntil
	case err != nil:
		s.State, s.Since = Reauthorize, time.Time{}
		if g != nil {
			s.Since = g.ReasonAt
		}
	case g != nil && g.State == tokens.Uncertain:
		s.State, s.Since = Uncertain, g.ReasonAt
	}
	s.Reason = reason(s.State, c, g, err)
	if s.State == Disconnected || s.State == Ended {
		s.Webhook = ""
	}
	return s
}

// reason is why the state is not Connected.
func reason(s State, c connections.Connection, g *tokens.Grant, err error) string {
	one, _ := errors.AsType[*connections.Error](err)
	switch {
	case s == Connected, s == Paused:
		return ""
	case s == Disconnected, s == Ended:
		return c.Reason
	case g != nil && g.Reason != "":
		return g.Reason
	case one != nil:
		return one.Reason
	}
	return ""
}

// serves reports whether the connection makes calls for its company.
func (c Connection) serves() bool { return c.State == Connected || c.State == Uncertain }

// order sorts the connections of one company, that which serves it first, and marks those that need a person: none while
// another one serves the company, unless its hook needs one.
func order(all []Connection) {
	slices.SortFunc(all, func(a, b Connection) int {
		return cmp.Or(
			cmp.Compare(slices.Index(States(), a.State), slices.Index(States(), b.State)),
			cmp.Compare(boolRank(a.Principal == string(tokens.App)), boolRank(b.Principal == string(tokens.App))),
			b.connectedAt.Compare(a.connectedAt),
			cmp.Compare(a.Principal, b.Principal),
		)
	})
	served := slices.ContainsFunc(all, Connection.serves)
	hooked := slices.ContainsFunc(all, func(c Connection) bool { return c.serves() && c.Webhook == string(connections.WebhooksActive) })
	for i, c := range all {
		switch {
		case c.serves():
			all[i].NeedsPerson = c.Webhook == string(connections.WebhooksNeedsAdmin) && !hooked
		case c.State != Ended:
			all[i].NeedsPerson = !served
		}
	}
}

func boolRank(first bool) int {
	if first {
		return 0
	}
	return 1
}
