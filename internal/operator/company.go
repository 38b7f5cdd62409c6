package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// maxTransitions is how many of a company's transitions are shown.
const maxTransitions = 20

// Company is everything that is known of a company, but tokens.
type Company struct {
	ID          int64        `json:"company_id"`
	Name        string       `json:"company"`
	Link        string       `json:"link"`
	Connections []Connection `json:"connections"` // the one that serves the company first
	Grants      []Grant      `json:"grants"`
	Hook        Hook         `json:"hook,omitzero"`
	LastEvent   time.Time    `json:"last_event,omitzero"`
	Transitions []Transition `json:"transitions"` // the last one first
	Breaker     Breaker      `json:"breaker"`

	now time.Time
}

// Grant is a user's grant, without its pair.
type Grant struct {
	Principal   string    `json:"principal"`
	State       string    `json:"state"`
	Generation  int64     `json:"generation"`
	Companies   []string  `json:"companies"`
	Expires     time.Time `json:"token_expires,omitzero"`
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	LastUsed    time.Time `json:"last_used,omitzero"` // to the day
	Claim       time.Time `json:"claim_until,omitzero"`
	SealKey     string    `json:"seal_key"`
}

// Hook is what is known of the company's webhook.
type Hook struct {
	ID        string    `json:"hook_id"`
	Creator   string    `json:"creator"`
	Version   string    `json:"payload_version"`
	Since     time.Time `json:"since,omitzero"`
	Recovered int64     `json:"recovered"` // events that Procore discarded, ever
}

// Transition is a past change of a connection or of a grant.
type Transition struct {
	At     time.Time `json:"at"`
	Of     string    `json:"of"`
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
}

// Company reads a company by its keys. If it is not connected, the error matches ErrNotConnected. An error beside a company
// is about rows that could not be read.
func (o *Operator) Company(ctx context.Context, id int64) (*Company, error) {
	c, err := o.connected(ctx, id)
	if c == nil {
		return nil, err
	}
	return c, errors.Join(err, o.around(ctx, c))
}

// connected reads the connections of a company and their grants.
func (o *Operator) connected(ctx context.Context, id int64) (*Company, error) {
	rows, unread := all(ctx, o.Connections.Company(ctx, id))
	if len(rows) == 0 {
		if unread == nil {
			unread = ErrNotConnected
		}
		return nil, fmt.Errorf("company %d: %w", id, unread)
	}
	c := &Company{ID: id, Link: o.Link(), now: o.clock.Now()}
	errs := []error{unread}
	for _, row := range rows {
		errs = append(errs, o.add(ctx, c, row))
	}
	if len(c.Connections) == 0 {
		return nil, fmt.Errorf("company %d: %w", id, errors.Join(errs...))
	}
	order(c.Connections)
	c.Name = c.Connections[0].Company
	slices.SortStableFunc(c.Transitions, func(a, b Transition) int { return b.At.Compare(a.At) })
	c.Transitions = c.Transitions[:min(len(c.Transitions), maxTransitions)]
	return c, errors.Join(errs...)
}

// add adds a connection and its grant.
func (o *Operator) add(ctx context.Context, c *Company, row connections.Connection) error {
	for _, t := range slices.Backward(row.Transitions) {
		c.Transitions = append(c.Transitions, Transition{t.At, "connection of " + string(row.Principal), string(t.State), t.Reason})
	}
	var grant *tokens.Grant
	if row.Principal != tokens.App {
		g, err := o.Connections.Tokens.Grant(ctx, row.Principal)
		switch {
		case err == nil:
			grant = &g
			c.Grants = append(c.Grants, Grant{
				Principal: string(g.Principal), State: string(g.State), Generation: g.Generation, Companies: g.Holders, Expires: g.Expiry,
				RefreshedAt: g.RefreshedAt, LastUsed: g.LastUsed, Claim: g.Claim(), SealKey: g.SealKey(),
			})
			for _, t := range slices.Backward(g.Transitions) {
				c.Transitions = append(c.Transitions, Transition{t.At, "grant of " + string(g.Principal), string(t.State), t.Reason})
			}
		case !errors.Is(err, tokens.ErrNotFound):
			return err // what is not known is not judged
		}
	}
	c.Connections = append(c.Connections, o.status(row, grant))
	return nil
}

// around adds what is beside the connections.
func (o *Operator) around(ctx context.Context, c *Company) error {
	row, err := o.Hooks.Row(ctx, c.ID)
	c.Hook = Hook{ID: string(row.HookID), Creator: string(row.Creator), Version: row.Version, Since: row.Since, Recovered: row.Recovered}
	last, lastErr := o.Inbox.Last(ctx, c.ID)
	c.LastEvent = last
	for i := range c.Connections {
		c.Connections[i].LastEvent = last
	}
	var breakerErr error
	c.Breaker, breakerErr = o.Breaker(ctx)
	return errors.Join(err, lastErr, breakerErr)
}

// NeedsPerson reports whether a person has to act.
func (c *Company) NeedsPerson() bool {
	return slices.ContainsFunc(c.Connections, func(one Connection) bool { return one.NeedsPerson })
}

// Breaker is whether refreshes run.
type Breaker struct {
	Open    bool      `json:"open"`
	Suspect bool      `json:"suspect"` // something failed since the last success
	Reason  string    `json:"reason,omitempty"`
	Since   time.Time `json:"since,omitzero"`

	ProbedAt time.Time `json:"probed_at,omitzero"` // when the token endpoint was last asked
	Probe    string    `json:"probe,omitempty"`    // what was wrong then
}

// Breaker reads the breaker of all refreshes.
func (o *Operator) Breaker(ctx context.Context) (Breaker, error) {
	b, err := o.Connections.Tokens.Upkeep().Breaker(ctx)
	return Breaker{Open: b.Open, Suspect: !b.Open && !b.AtRest(), Reason: b.Reason, Since: b.Since, ProbedAt: b.ProbedAt, Probe: b.Probe}, err
}
