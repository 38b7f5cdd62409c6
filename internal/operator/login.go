package operator

import (
	"context"
	"errors"
	"fmt"

	"procore-connect/internal/connect/choice"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Login is the authorization of a user who sits at this machine. Procore shows the code on a page, and the user types it.
//
// No state comes back this way, so that none is checked. A foreign code is of no use all the same: Procore exchanges one
// only for the verifier of its own authorization (RFC 7636), and the user is named before anything is connected.
type Login struct {
	// URL is where the user signs in and allows the app.
	URL string

	oauth    *procore.OAuth
	verifier procore.Secret
}

// User is who signed in.
type User struct {
	Principal tokens.Principal
	Name      string
	Companies choice.List
}

// ErrNoUsers means that the stack works with the app's service account alone.
var ErrNoUsers = errors.New("this stack works with the app's service account alone (parameter ProcorePrincipal): administrators install the app, and no user signs in")

// Login begins an authorization.
func (o *Operator) Login(ctx context.Context) (*Login, error) {
	if !o.Principals.Users {
		return nil, ErrNoUsers
	}
	oauth, err := o.Connections.Tokens.OAuth.Get(ctx)
	if err != nil {
		return nil, err
	}
	random := o.Connections.Tokens.Random
	l := &Login{oauth: oauth, verifier: procore.NewSecret(random.Text() + random.Text())}
	l.URL = oauth.AuthCodeURL(procore.NewSecret(random.Text()), l.verifier, procore.OutOfBand)
	return l, nil
}

// SignIn exchanges the code, stores the pair as that of the user whom Procore names for it, and lists the user's companies.
// Refreshes repeat the redirect URI of a page with a code, because the grant has it. After an error the user signs in again.
func (o *Operator) SignIn(ctx context.Context, l *Login, code procore.Secret) (User, error) {
	pair, err := l.oauth.Exchange(ctx, code, l.verifier, procore.OutOfBand)
	if e, ok := errors.AsType[*procore.TokenError](err); ok && e.Outcome == procore.Refused {
		return User{}, fmt.Errorf("the code is not accepted: it is good once, for 10 minutes, and for the last address that was shown; type procore-connect login again: %w", err)
	}
	if err != nil {
		return User{}, fmt.Errorf("the code was not exchanged: %w", err)
	}
	store := o.Connections.Tokens
	me, err := procore.NewUserClient(store.Environment, store.Bearer(pair.AccessToken), store.Options("")...).Me(ctx)
	if err != nil {
		return User{}, fmt.Errorf("nothing was stored, because Procore did not say who signed in; type procore-connect login again: %w", err)
	}
	u := User{Principal: tokens.User(me.ID), Name: me.Name}
	_, err = store.Authorize(ctx, tokens.Authorization{Principal: u.Principal, Pair: pair, RedirectURI: procore.OutOfBand})
	if errors.Is(err, tokens.ErrStale) {
		return u, fmt.Errorf("the pair that Procore issued was used before; type procore-connect login again: %w", errors.Join(err, store.Discard(ctx, pair)))
	}
	if err != nil {
		return u, err
	}
	u.Companies, err = o.chooser().Companies(ctx, u.Principal)
	return u, err
}

func (o *Operator) chooser() choice.Chooser {
	return choice.Chooser{Tokens: o.Connections.Tokens, Connections: o.Connections}
}

// Admitted returns the companies that the user may connect.
func (o *Operator) Admitted(u User) (list []procore.Company) {
	for _, c := range u.Companies.Companies {
		if !c.Inactive() && o.Allowed.Admits(c.ID) {
			list = append(list, c)
		}
	}
	return list
}

// Choose makes the first call into the company that the user chose, which installs the app there, and connects it.
func (o *Operator) Choose(ctx context.Context, u User, companyID int64) (connections.Connection, error) {
	c, listed := u.Companies.Company(companyID)
	switch {
	case !listed && u.Companies.Cut != nil:
		return connections.Connection{}, u.Companies.Cut
	case !listed:
		return connections.Connection{}, fmt.Errorf("company %d is not among those that Procore lists for %s", companyID, u.Name)
	case c.Inactive():
		return connections.Connection{}, fmt.Errorf("company %d is not active at Procore", companyID)
	case !o.Allowed.Admits(companyID):
		return connections.Connection{}, fmt.Errorf("company %d is not among the stack's parameter AllowedCompanies", companyID)
	}
	key := connections.Key{CompanyID: companyID, Principal: u.Principal}
	if err := o.chooser().Enter(ctx, key); err != nil {
		return connections.Connection{}, fmt.Errorf("the app may not work in company %d yet: %w", companyID, err)
	}
	return o.Connections.Connect(ctx, connections.New{Key: key, CompanyName: c.Name, UserName: u.Name, Webhooks: o.Hooks.Want.Initial()})
}
