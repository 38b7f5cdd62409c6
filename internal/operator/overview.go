package operator

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// Overview returns all connections that have not ended, by company, the one that serves it first. It reads indexes alone:
// that of what a list shows, and that of grants that have ended. So a grant counts as good unless its user has to
// authorize again, and nothing is known here of an uncertain one, of the expiry of tokens, or of a grant that is gone as
// after the restore of one table. [Operator.Judged] knows that of some companies. An error beside connections is about
// rows that could not be read.
func (o *Operator) Overview(ctx context.Context) ([]Connection, error) {
	ended := make(map[tokens.Principal]bool)
	var rows []connections.Connection
	var mu sync.Mutex
	var errs []error
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		list, err := all(ctx, o.Connections.Tokens.Upkeep().Ended(ctx))
		for _, p := range list {
			ended[p] = true
		}
		return err // without it every connection would seem good
	})
	for shard := range connections.Shards {
		g.Go(func() error {
			list, err := all(ctx, o.Connections.Listed(ctx, shard))
			mu.Lock()
			defer mu.Unlock()
			rows, errs = append(rows, list...), append(errs, err)
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	companies := make(map[int64][]Connection)
	for _, c := range rows {
		grant := tokens.Grant{Principal: c.Principal, State: tokens.Active, Holders: []string{strconv.FormatInt(c.CompanyID, 10)}}
		if ended[c.Principal] {
			grant.State = tokens.Reauthorize
		}
		companies[c.CompanyID] = append(companies[c.CompanyID], o.status(c, &grant))
	}
	return ordered(companies), errors.Join(errs...)
}

// Judged returns the connections of some companies with what their grants amount to, those of a company together, the one
// that serves it first. An error beside them is about rows that could not be read.
func (o *Operator) Judged(ctx context.Context, ids []int64) ([]Connection, error) {
	rows, unread := o.connectionsOf(ctx, ids)
	var of []tokens.Principal
	for _, c := range rows {
		if c.Principal != tokens.App {
			of = append(of, c.Principal)
		}
	}
	slices.Sort(of)
	grants := make(map[tokens.Principal]tokens.Grant)
	unreadGrants := o.grants(ctx, slices.Compact(of), grants)
	rows, unreadGrants = known(rows, grants, unreadGrants)
	return ordered(o.byCompany(rows, grants)), errors.Join(unread, unreadGrants)
}

// Activity counts the deliveries of some companies in n periods from a time on; see [inbox.Store.Activity].
func (o *Operator) Activity(ctx context.Context, ids []int64, from time.Time, period time.Duration, n int) (map[int64]inbox.Activity, error) {
	of := make(map[int64]inbox.Activity, len(ids))
	var mu sync.Mutex
	var errs []error
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, id := range ids {
		g.Go(func() error {
			a, err := o.Inbox.Activity(ctx, id, from, period, n)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				of[id] = a
			case len(errs) < maxErrors:
				errs = append(errs, err)
			}
			return nil
		})
	}
	_ = g.Wait() // errors are in errs
	return of, errors.Join(errs...)
}
