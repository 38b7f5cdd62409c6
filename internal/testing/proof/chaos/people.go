//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// person is a connection and its user.
type person struct {
	key     tokens.Key
	user    int64 // 0: the service account
	project int64
	backups []backup // used by one goroutine
}

func (p *person) row() string { return rowKey(p.key) }

// rowKey returns a row's key as package invariants writes it.
func rowKey(k tokens.Key) string {
	return strconv.FormatInt(k.CompanyID, 10) + "/" + string(k.Principal)
}

// action is something that a user, an admin or an operator did.
type action struct {
	at      time.Time
	what    string
	company int64
	user    int64
	row     string
	mode    procoretest.SecondAuthorization
	pair    string
}

// The actions.
const (
	authorized   = "the user authorized"
	disconnected = "an admin disconnected the app"
	reconnected  = "an admin connected the app"
	revoked      = "the connection was revoked"
	restored     = "an operator restored the row from a backup"
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
	shared    = 4 // companies whose second user also belongs to another of them
)

// populate creates companies, users and their connections. Half of the companies have
// two users, a few users have two companies, one company has the service account.
func (w *world) populate(ctx context.Context) error {
	users := int64(9_000_000)
	for n := range int64(companies) {
		c := procoretest.NewCompany(7_000_000+n, fmt.Sprintf("Company %d", n))
		c.Installed = true
		c.Projects = []procoretest.Project{{ID: 8_000_000 + n, Name: "Project"}}
		if n == 0 {
			c.ServiceAccount = true
			w.people = append(w.people, &person{key: tokens.Key{CompanyID: c.ID, Principal: tokens.App}, project: 8_000_000})
		}
		for i := range 1 + n%2 {
			user := users + 10*n + i
			if i == 1 && n < 2*shared {
				user = users + 1000 + n/4 // the second user of two companies
			}
			c.Members = append(c.Members, user)
			err := w.provider.fake.AddUser(procoretest.User{ID: user, Login: fmt.Sprint(user), Name: fmt.Sprintf("User %d", user)})
			if err != nil && n >= 2*shared {
				return err
			}
			w.people = append(w.people, &person{key: tokens.Key{CompanyID: c.ID, Principal: tokens.User(user)}, user: user, project: 8_000_000 + n})
		}
		if err := w.provider.fake.AddCompany(c); err != nil {
			return err
		}
	}
	for _, p := range w.people {
		if err := w.authorize(ctx, p, procoretest.Keep); err != nil {
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
		c, err := w.store.Connection(ctx, p.key)
		if err != nil {
			w.violation("the driver cannot read %s: %v", p.key, err)
			continue
		}
		n := w.dice.n(100)
		usable := c.State == tokens.Active || c.State == tokens.Uncertain
		switch {
		case c.State == tokens.Revoking && n < 50:
			w.revoke(ctx, p)
		case c.State != tokens.Revoking && !usable && n < 80, usable && n < 6:
			w.reconnect(ctx, p)
		case usable && n < 8:
			w.disconnect(p)
		case usable && n < 10:
			w.revoke(ctx, p)
		case n < 12:
			w.restore(ctx, p)
		case n < 40:
			w.backUp(ctx, p)
		}
	}
}

// reconnect authorizes a user again, after an admin has connected the app.
func (w *world) reconnect(ctx context.Context, p *person) {
	yes := true
	if err := w.provider.fake.UpdateCompany(p.key.CompanyID, procoretest.CompanyPatch{Connected: &yes, Installed: &yes}); err != nil {
		w.violation("%v", err)
	}
	w.record(action{what: reconnected, company: p.key.CompanyID})
	mode := pick(w.dice, []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Keep, procoretest.Kill, procoretest.Return})
	if err := w.authorize(ctx, p, mode); err != nil {
		w.violation("%v", err)
	}
}

// authorize gets a new pair for a user and stores it in the row. mode is what Procore
// does to the user's earlier pairs.
func (w *world) authorize(ctx context.Context, p *person, mode procoretest.SecondAuthorization) error {
	if p.user == 0 {
		return w.store.AddServiceAccount(ctx, p.key.CompanyID, "Company", tokens.WebhooksOff)
	}
	if err := w.provider.fake.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
		return err
	}
	pair := w.provider.fake.Token(fatal{}, p.user, redirectURI)
	w.provider.recordIssued(p.row(), pair)
	w.record(action{what: authorized, company: p.key.CompanyID, user: p.user, row: p.row(), mode: mode, pair: procoretest.Fingerprint(pair.RefreshToken)})
	a := tokens.Authorization{
		Key:         p.key,
		Environment: "custom",
		RedirectURI: redirectURI, CompanyName: "Company", UserName: "User", Webhooks: tokens.WebhooksOff,
		Pair: procore.Token{
			AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
			Expiry: time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
		},
	}
	if w.dice.oneIn(3) {
		w.wait(w.ctx, w.dice.between(0, 300*time.Millisecond)) // so that it coincides with refreshes
	}
	_, _, err := w.store.Connect(ctx, a)
	return err
}

func (w *world) disconnect(p *person) {
	no := false
	w.record(action{what: disconnected, company: p.key.CompanyID})
	if err := w.provider.fake.UpdateCompany(p.key.CompanyID, procoretest.CompanyPatch{Connected: &no}); err != nil {
		w.violation("%v", err)
	}
}

// revoke ends a connection. It waits for refreshes in flight, in the background.
func (w *world) revoke(ctx context.Context, p *person) {
	w.record(action{what: revoked, company: p.key.CompanyID, user: p.user, row: p.row()})
	w.background.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := w.store.Revoke(ctx, p.key, "chaos test")
		if err != nil && !errors.Is(err, tokens.ErrTryAgain) {
			w.violation("%s is not revoked: %v", p.key, err)
		}
	})
}

// setTokenLifetime changes the lifetime of new access tokens.
func (w *world) setTokenLifetime(d time.Duration) {
	s := int64(d / time.Second)
	if err := w.provider.fake.UpdateOptions(procoretest.OptionsPatch{ExpiresInSeconds: &s}); err != nil {
		w.violation("%v", err)
	}
}

// fatal is the part of a test that the fake needs.
type fatal struct{}

func (fatal) Helper()                           {}
func (fatal) Cleanup(func())                    {}
func (fatal) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
