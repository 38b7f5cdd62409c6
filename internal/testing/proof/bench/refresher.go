package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const (
	dueGrants   = 300 // of one refresher
	atOnce      = 10  // REFRESHES_AT_ONCE, the template's default
	shares      = 4   // of the refreshers side by side
	cycle       = 300 // seconds in which each share has its turn
	tenCalls    = "10 calls at a time"
	redirectURI = "http://127.0.0.1/callback"
)

// refreshes measures one refresher with the template's memory, one with a whole core, and several of them side by side.
func (b *bench) refreshes(ctx context.Context) error {
	p, err := b.newProcore(procoretest.Options{})
	if err != nil {
		return err
	}
	defer p.close()
	store, err := b.grants(p)
	if err != nil {
		return err
	}
	b.seen.add(refreshRate, tenCalls, atOnce/call.Seconds())
	for _, r := range []struct {
		name         string
		n, megabytes int
	}{
		{refresher, 1, b.settings.megabytes(refresher)},
		{wholeRefresher, 1, wholeCoreMB},
		{fourRefreshers, shares, wholeCoreMB},
	} {
		if r.megabytes < wholeCoreMB && !b.slow {
			continue
		}
		rate, cpu, err := b.refreshed(ctx, p, store, r.n, r.megabytes)
		if err != nil {
			return err
		}
		b.seen.add(refreshRate, r.name, rate)
		b.seen.add(refreshCPU, r.name, cpu)
	}
	return nil
}

// grants returns the store that the refreshers use.
func (b *bench) grants(p *slowProcore) (*connections.Store, error) {
	env, err := procore.ParseEnvironment("custom", p.front.url, p.front.url)
	if err != nil {
		return nil, err
	}
	ring, err := keys.Parse(b.ring)
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	oauth := &procore.OAuth{Environment: env, ClientID: clientID, ClientSecret: procore.NewSecret(clientSecret)}
	return &connections.Store{DB: b.db, Table: b.names.Connections, Log: quiet, Tokens: &tokens.Store{
		DB: b.db, Grants: b.names.Grants, Spends: b.names.Spends, Environment: env, Log: quiet,
		Keys: secrettest.Constant(ring), OAuth: secrettest.Constant(oauth),
	}}, nil
}

// refreshed returns how many grants n refreshers refresh a second, each its share, and the CPU seconds of a grant.
func (b *bench) refreshed(
	ctx context.Context, p *slowProcore, store *connections.Store, n, megabytes int,
) (rate, cpu float64, err error) {
	if err := b.authorize(ctx, p, store, n*dueGrants); err != nil {
		return 0, 0, err
	}
	all, err := b.refreshers(ctx, p, n, megabytes)
	defer func() {
		for _, s := range all {
			err = errors.Join(err, s.close())
		}
	}()
	if err != nil {
		return 0, 0, err
	}
	before, began := spends(p), time.Now()
	spent, err := refreshAll(ctx, all)
	took := time.Since(began)
	if did := spends(p) - before; err == nil && did != n*dueGrants {
		err = fmt.Errorf("%d refreshers refreshed %d grants, want %d: %s", n, did, n*dueGrants, &all[0].out)
	}
	return float64(n*dueGrants) / took.Seconds(), spent.Seconds() / float64(n*dueGrants), err
}

// refreshers returns n that have started. After an error the caller closes them too.
func (b *bench) refreshers(ctx context.Context, p *slowProcore, n, megabytes int) (all []*sandbox, err error) {
	env := p.env()
	env["REFRESHER_SHARES"], env["REFRESHES_AT_ONCE"] = strconv.Itoa(n), strconv.Itoa(atOnce)
	h := how{env: env, timeout: 4 * time.Minute}
	if b.slow {
		h.megabytes = megabytes
	}
	for range n {
		s, err := b.sandbox(b.subject(refresher), h)
		if err != nil {
			return all, err
		}
		all = append(all, s)
		if err := s.Warm(ctx); err != nil {
			return all, err
		}
	}
	return all, nil
}

// refreshAll runs the task in all refreshers at once, each at the turn of its share. It returns the CPU time of all.
func refreshAll(ctx context.Context, all []*sandbox) (cpu time.Duration, err error) {
	var runs errgroup.Group
	spent := make([]time.Duration, len(all))
	for i, s := range all {
		at := time.Unix(int64(i*cycle/len(all)), 0).UTC().Format(time.RFC3339)
		runs.Go(func() (err error) {
			_, spent[i], err = s.spent(func() error {
				_, err := s.Invoke(ctx, fmt.Appendf(nil, `{"task":"refresh","scheduled_at":%q}`, at))
				return err
			})
			return err
		})
	}
	err = runs.Wait()
	for _, d := range spent {
		cpu += d
	}
	return cpu, err
}

// spends counts the refresh tokens that were exchanged.
func spends(p *slowProcore) (n int) {
	for _, r := range p.State().RefreshTokens {
		if r.State == procoretest.Spent {
			n++
		}
	}
	return n
}

// authorize makes n grants that are due, each of a new user with one connection.
func (b *bench) authorize(ctx context.Context, p *slowProcore, store *connections.Store, n int) error {
	var all errgroup.Group
	all.SetLimit(8)
	for range n {
		all.Go(func() error {
			pair, user := p.Token(must{}, procoretest.Joe, redirectURI), tokens.User(b.last.Add(1))
			_, err := store.Tokens.Authorize(ctx, tokens.Authorization{
				Principal: user, RedirectURI: redirectURI,
				Pair: procore.Token{
					AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
					Expiry: time.Now().Add(time.Minute),
				},
			})
			if err == nil {
				k := connections.Key{CompanyID: procoretest.MyConstruction, Principal: user}
				_, err = store.Connect(ctx, connections.New{Key: k})
			}
			return err
		})
	}
	return all.Wait()
}
