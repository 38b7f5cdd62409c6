//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// person is a user with the companies that they connect, or the service account.
type person struct {
	user      int64 // 0: the service account
	companies []company
	backups   []backup // used by one goroutine
}

type company struct{ id, project int64 }

const environment = "custom"

func (p *person) principal() tokens.Principal {
	if p.user == 0 {
		return tokens.App
	}
	return tokens.User(p.user)
}

// row returns the key of the person's grant.
func (p *person) row() string { return environment + "#" + string(p.principal()) }

func (p *person) key(c company) connections.Key {
	return connections.Key{CompanyID: c.id, Principal: p.principal()}
}

// action is something that a user, an admin or an operator did.
type action struct {
	at      time.Time
	what    string
	company int64
	row     string // of a grant; "" concerns all of the company
	mode    procoretest.SecondAuthorization
	pair    string
}

// The actions.
const (
	authorized   = "the user authorized"
	disconnected = "an admin disconnected the app"
	reconnected  = "an admin connected the app"
	ended        = "the connection was ended"
	revoked      = "the grant was revoked"
	restored     = "an operator restored the row from a backup"
	marked       = "an operator marked all grants as restored"
)

func (w *world) record(d action) {
	d.at = time.Now()
	w.actionCount.add(d.what)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.actions = append(w.actions, d)
}

const (
	companies = 30
	users     = 90
)

// populate creates companies, users and their connections: a third of the users has one
// company, a third two and a third three. One company has the service account.
func (w *world) populate(ctx context.Context) error {
	all := make([]company, companies)
	members := make([][]int64, companies)
	w.people = append(w.people, &person{companies: []company{{7_000_000, 8_000_000}}})
	for n := range all {
		all[n] = company{7_000_000 + int64(n), 8_000_000 + int64(n)}
	}
	for n := range users {
		p := &person{user: 9_000_000 + int64(n)}
		for i := range 1 + n%3 {
			at := (n + 7*i) % companies // a company has up to six users
			p.companies = append(p.companies, all[at])
			members[at] = append(members[at], p.user)
		}
		w.people = append(w.people, p)
		if err := w.provider.fake.AddUser(procoretest.User{ID: p.user, Login: fmt.Sprint(p.user), Name: fmt.Sprintf("User %d", p.user)}); err != nil {
			return err
		}
	}
	for n, one := range all {
		c := procoretest.NewCompany(one.id, fmt.Sprintf("Company %d", n), members[n]...)
		c.Installed, c.ServiceAccount = true, n == 0
		c.Projects = []procoretest.Project{{ID: one.project, Name: "Project"}}
		if err := w.provider.fake.AddCompany(c); err != nil {
			return err
		}
	}
	for _, p := range w.people {
		if err := w.connect(ctx, p, procoretest.Keep, p.companies); err != nil {
			return err
		}
	}
	return nil
}

// act does what users, admins and operators do.
func (w *world) act(ctx context.Context) {
	for w.ctx.Err() == nil {
		w.wait(w.ctx, w.dice.between(30*time.Millisecond, 250*time.Millisecond))
		p := pick(w.dice, w.people)
		g, err := w.store.Tokens.Grant(ctx, p.principal())
		if err != nil && !(p.user == 0 && errors.Is(err, tokens.ErrNotFound)) {
			w.violation("the driver cannot read %s: %v", p.row(), err)
			continue
		}
		n := w.dice.n(100)
		dead := g.State == tokens.Reauthorize || g.State == tokens.Revoked
		switch {
		case dead && n < 80, n < 6, g.State == tokens.Uncertain && n < 25:
			w.background.Go(func() { w.reconnect(ctx, p) })
		case n < 9:
			w.disconnect(pick(w.dice, p.companies))
		case n < 14 && p.user != 0:
			w.background.Go(func() { w.end(ctx, p, pick(w.dice, p.companies)) })
		case n < 16:
			w.restore(ctx, p)
		case n < 44:
			w.backUp(ctx, p)
		}
	}
}

// reconnect connects some of a person's companies again, after their admins have
// connected the app.
func (w *world) reconnect(ctx context.Context, p *person) {
	some := p.companies[:1+w.dice.n(len(p.companies))]
	yes := true
	for _, c := range some {
		if err := w.provider.fake.UpdateCompany(c.id, procoretest.CompanyPatch{Connected: &yes, Installed: &yes}); err != nil {
			w.violation("%v", err)
		}
		w.record(action{what: reconnected, company: c.id})
	}
	mode := pick(w.dice, []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return})
	err := w.connect(ctx, p, mode, some)
	for _, expected := range []error{tokens.ErrTryAgain, tokens.ErrReauthorize, tokens.ErrRevoked} {
		if errors.Is(err, expected) { // another browser, a refresh or a revocation came in between
			w.actionCount.add("the user was asked to try again")
			return
		}
	}
	if err != nil {
		w.violation("%v", err)
	}
}

// maxLogins is how often a user is sent through an authorization. The second pair is a
// new one, because the first was revoked.
const maxLogins = 3

// connect authorizes a user, and connects companies. mode is what Procore does to the
// user's earlier pairs.
func (w *world) connect(ctx context.Context, p *person, mode procoretest.SecondAuthorization, some []company) error {
	if p.user == 0 {
		return w.store.AddServiceAccount(ctx, p.companies[0].id, "Company", connections.WebhooksOff)
	}
	var err error = tokens.ErrStale
	for n := 0; errors.Is(err, tokens.ErrStale); n++ {
		if n == maxLogins {
			return fmt.Errorf("%s was sent through the authorization %d times", p.row(), n)
		}
		var a tokens.Authorization
		if a, err = w.authorize(p, mode); err != nil {
			return err
		}
		if w.dice.oneIn(3) {
			w.wait(w.ctx, w.dice.between(0, 300*time.Millisecond)) // so that it coincides with refreshes
		}
		_, err = w.store.Tokens.Authorize(ctx, a)
		if errors.Is(err, tokens.ErrStale) {
			if err := w.store.Tokens.Discard(ctx, a.Pair); err != nil {
				return fmt.Errorf("%w: a pair was not discarded: %w", tokens.ErrTryAgain, err)
			}
		}
	}
	for _, c := range some {
		if err == nil {
			_, err = w.store.Connect(ctx, connections.New{Key: p.key(c), CompanyName: "Company", UserName: "User", Webhooks: connections.WebhooksOff})
		}
	}
	return err
}

// authorize gets a new pair for a user.
func (w *world) authorize(p *person, mode procoretest.SecondAuthorization) (tokens.Authorization, error) {
	w.authorizing.Lock()
	defer w.authorizing.Unlock()
	if err := w.provider.fake.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
		return tokens.Authorization{}, err
	}
	pair := w.provider.fake.Token(fatal{}, p.user, redirectURI)
	w.provider.recordIssued(p.row(), pair)
	w.record(action{what: authorized, row: p.row(), mode: mode, pair: procoretest.Fingerprint(pair.RefreshToken)})
	return tokens.Authorization{Principal: p.principal(), RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		IssuedAt: time.Unix(pair.CreatedAt, 0), Expiry: time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
	}}, nil
}

func (w *world) disconnect(c company) {
	no := false
	w.record(action{what: disconnected, company: c.id})
	if err := w.provider.fake.UpdateCompany(c.id, procoretest.CompanyPatch{Connected: &no}); err != nil {
		w.violation("%v", err)
	}
}

// end ends a connection as a person saw it on its page, and with the last one the grant.
func (w *world) end(ctx context.Context, p *person, c company) {
	w.record(action{what: ended, company: c.id, row: p.row()})
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	seen, err := w.store.Connection(ctx, p.key(c))
	if err == nil {
		err = w.store.EndSeen(ctx, seen, "chaos test")
	}
	if err != nil && !errors.Is(err, tokens.ErrTryAgain) && !errors.Is(err, connections.ErrNotFound) {
		w.violation("%s is not ended: %v", p.key(c), err)
	}
}

// setTokenLifetime changes the lifetime of new access tokens.
func (w *world) setTokenLifetime(d time.Duration) {
	s := int64(d / time.Second)
	if err := w.provider.fake.UpdateOptions(procoretest.OptionsPatch{ExpiresInSeconds: &s}); err != nil {
		w.violation("%v", err)
	}
}

// of returns the person whose grant has this key.
func (w *world) of(row string) *person {
	i := slices.IndexFunc(w.people, func(p *person) bool { return p.row() == row })
	if i < 0 {
		return nil
	}
	return w.people[i]
}

// fatal is the part of a test that the fake needs.
type fatal struct{}

func (fatal) Helper()                           {}
func (fatal) Cleanup(func())                    {}
func (fatal) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
