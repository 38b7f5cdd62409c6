package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// Revocation is the end of a company's connections: what is to be done, or was.
type Revocation struct {
	CompanyID int64        `json:"company_id"`
	Company   string       `json:"company"`
	Ended     []Ending     `json:"connections"`
	Hook      string       `json:"hook_id,omitempty"` // that is to be deleted, or could not be
	Keeps     []Connection `json:"keeps"`             // the connections that are not ended
}

// Ending is one connection that is to end, or has.
type Ending struct {
	Principal string   `json:"principal"`
	By        string   `json:"connected_by"`
	Others    []string `json:"other_companies"` // that need the same grant, which remains for them
	Before    bool     `json:"ended_before"`    // it had ended already; a revocation that failed is repeated
	Remains   string   `json:"remains,omitempty"`

	key connections.Key
}

// PlanRevocation returns what [Operator.Revoke] would do. user chooses that user's connection; 0: all. The error matches
// ErrNotConnected if there is no such connection.
func (o *Operator) PlanRevocation(ctx context.Context, companyID, user int64) (*Revocation, error) {
	c, err := o.connected(ctx, companyID)
	if err != nil {
		return nil, err // what is not known is not ended
	}
	row, err := o.Hooks.Row(ctx, companyID)
	if err != nil {
		return nil, err
	}
	r := &Revocation{CompanyID: companyID, Company: c.Name, Ended: []Ending{}, Keeps: []Connection{}}
	for _, one := range c.Connections {
		if user != 0 && one.Principal != string(tokens.User(user)) {
			r.Keeps = append(r.Keeps, one)
			continue
		}
		r.Ended = append(r.Ended, Ending{
			Principal: one.Principal, By: one.ConnectedBy, Others: one.otherCompanies(), Before: one.State == Ended,
			key: connections.Key{CompanyID: companyID, Principal: tokens.Principal(one.Principal)},
		})
	}
	if len(r.Ended) == 0 {
		return nil, fmt.Errorf("company %d by %s: %w", companyID, tokens.User(user), ErrNotConnected)
	}
	if !slices.ContainsFunc(r.Keeps, Connection.serves) {
		r.Hook = string(row.HookID)
	}
	slices.Reverse(r.Ended) // that which serves the company, and may delete its hook, is the last
	return r, nil
}

// Revoke ends the connections of a plan: the hook is deleted with the last one that works, and a grant that no other company
// needs is revoked at Procore. It goes on after a connection that could not be ended. The error is what remains; calling it
// again with a new plan continues.
func (o *Operator) Revoke(ctx context.Context, r *Revocation, by string) error {
	var errs []error
	for i, one := range r.Ended {
		err := o.Hooks.End(ctx, one.key, By("revoked", by))
		if err != nil && !errors.Is(err, connections.ErrNotFound) {
			r.Ended[i].Remains = err.Error()
			errs = append(errs, err)
		}
	}
	row, err := o.Hooks.Row(ctx, r.CompanyID)
	if r.Hook != "" && err == nil {
		r.Hook = string(row.HookID)
	}
	return errors.Join(append(errs, err)...)
}
