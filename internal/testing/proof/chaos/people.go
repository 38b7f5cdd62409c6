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

// person is a connection and whose it is.
type person struct {
	key     tokens.Key
	user    int64 // 0: the service account
	project int64
	backups []backup // used by one goroutine
}

func (p *person) row() string { return rowKey(p.key) }

// rowKey is a row's key as package invariants writes it.
func rowKey(k tokens.Key) string {
	return strconv.FormatInt(k.CompanyID, 10) + "/" + string(k.Principal)
}

// deed is something that a person or an admin did.
type deed struct {
	at      time.Time
	what    string
	company int64
	user    int64
	row     string
	mode    procoretest.SecondAuthorization
	pair    string
}

// What deeds there are.
const (
	authorized   = "the user authorized"
	disconnected = "an admin disconnected the app"
	reconnected  = "an admin connected the app"
	revoked      = "the connection was revoked"
	restored     = "an operator restored the row from a backup"
)

func (w *world) did(d deed) {
	d.at = time.Now()
	w.deeds.add(d.what)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = append(w.changes, d)
}

const (
	companies = 30
	shared    = 4 // companies whose second user is in another one of them too
)

// populate makes companies, users and their connections: half of the companies
// have two users, a few users have two companies, one has the service account.
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

// live lets people do what they do.
func (w *world) live(ctx context.Context) {
	for w.ctx.Err() == nil {
		w.wait(w.ctx, w.dice.between(30*time.Millisecond, 250*time.Millisecond))
		p := pick(w.dice, w.people)
		c, err := w.store.Connection(ctx, p.key)
		if err != nil {
			w.fault("the driver cannot read %s: %v", p.key, err)
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

// reconnect is a user who authorizes again, after an admin has let the app in.
func (w *world) reconnect(ctx context.Context, p *person) {
	yes := true
	if err := w.provider.fake.UpdateCompany(p.key.CompanyID, procoretest.CompanyPatch{Connected: &yes, Installed: &yes}); err != nil {
		w.fault("%v", err)
	}
	w.did(deed{what: reconnected, company: p.key.CompanyID})
	mode := pick(w.dice, []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Keep, procoretest.Kill, procoretest.Return})
	if err := w.authorize(ctx, p, mode); err != nil {
		w.fault("%v", err)
	}
}

// authorize gives a person a pair, and the row the pair. mode is what Procore
// does to the user's earlier pairs.
func (w *world) authorize(ctx context.Context, p *person, mode procoretest.SecondAuthorization) error {
	if p.user == 0 {
		return w.store.AddServiceAccount(ctx, p.key.CompanyID, "Company", tokens.WebhooksOff)
	}
	if err := w.provider.fake.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
		return err
	}
	pair := w.provider.fake.Token(fatal{}, p.user, redirectURI)
	w.provider.issued(p.row(), pair)
	w.did(deed{what: authorized, company: p.key.CompanyID, user: p.user, row: p.row(), mode: mode, pair: procoretest.Fingerprint(pair.RefreshToken)})
	a := tokens.Authorization{
		Key:         p.key,
		RedirectURI: redirectURI, CompanyName: "Company", UserName: "User", Webhooks: tokens.WebhooksOff,
		Pair: procore.Token{
			AccessToken: pair.AccessToken, RefreshToken: pair.RefreshToken,
			Expiry: time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
		},
	}
	if w.dice.one(3) {
		w.wait(w.ctx, w.dice.between(0, 300*time.Millisecond)) // so that it meets refreshes
	}
	_, _, err := w.store.Connect(ctx, a)
	return err
}

func (w *world) disconnect(p *person) {
	no := false
	w.did(deed{what: disconnected, company: p.key.CompanyID})
	if err := w.provider.fake.UpdateCompany(p.key.CompanyID, procoretest.CompanyPatch{Connected: &no}); err != nil {
		w.fault("%v", err)
	}
}

// revoke ends a connection. It waits for refreshes in flight, in the background.
func (w *world) revoke(ctx context.Context, p *person) {
	w.did(deed{what: revoked, company: p.key.CompanyID, user: p.user, row: p.row()})
	w.background.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := w.store.Revoke(ctx, p.key, "chaos wants it")
		if err != nil && !errors.Is(err, tokens.ErrTryAgain) {
			w.fault("%s is not revoked: %v", p.key, err)
		}
	})
}

// lifetime changes how long new access tokens live.
func (w *world) lifetime(d time.Duration) {
	s := int64(d / time.Second)
	if err := w.provider.fake.UpdateOptions(procoretest.OptionsPatch{ExpiresInSeconds: &s}); err != nil {
		w.fault("%v", err)
	}
}

// fatal is what the fake wants of a test.
type fatal struct{}

func (fatal) Helper()                           {}
func (fatal) Cleanup(func())                    {}
func (fatal) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
