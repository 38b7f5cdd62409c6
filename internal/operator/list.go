package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// MaxLastEvents is how many companies List returns with their last event, which costs a read each.
const MaxLastEvents = 200

// atOnce is how many of these reads run at once.
const atOnce = 16

// Filter chooses connections. The zero value chooses all.
type Filter struct {
	State       State // empty: any
	NeedsPerson bool
	Reference   string // empty: any, and none
}

// chooses reports whether the filter chooses a connection.
func (f Filter) chooses(c Connection) bool {
	return (f.State == "" || f.State == c.State) && (!f.NeedsPerson || c.NeedsPerson) && (f.Reference == "" || f.Reference == c.Reference)
}

// List returns the connections that the filter chooses, those that need a person first, and then by company.
//
// Where a person may have to act is in two sparse indexes, which cost a write only when that begins or ends. Any other
// list reads two tables from beginning to end, at the same time: an index of all that is connected would cost another write
// with each connection, and save nothing, because all is what such a list shows. Ten thousand connections are about ten
// pages of each table. An error beside a list is about rows that could not be read.
func (o *Operator) List(ctx context.Context, f Filter) ([]Connection, error) {
	if f.indexed() {
		if found, ok, err := o.byIndex(ctx, f); ok {
			return found, errors.Join(err, o.lastEvents(ctx, found))
		}
	}
	return o.byScan(ctx, f)
}

// byScan returns the connections that the filter chooses, by all rows of two tables.
func (o *Operator) byScan(ctx context.Context, f Filter) ([]Connection, error) {
	var rows []connections.Connection
	var grants map[tokens.Principal]tokens.Grant
	var unread, unreadGrants error
	g, scan := errgroup.WithContext(ctx)
	g.Go(func() error {
		rows, unread = all(scan, o.Connections.All(scan))
		return scan.Err()
	})
	g.Go(func() error {
		var list []tokens.Grant
		list, unreadGrants = all(scan, o.Connections.Tokens.Upkeep().All(scan))
		grants = make(map[tokens.Principal]tokens.Grant, len(list))
		for _, g := range list {
			grants[g.Principal] = g
		}
		return scan.Err()
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	rows, unreadGrants = known(rows, grants, unreadGrants)
	found := o.judge(rows, grants, f)
	return found, errors.Join(unread, unreadGrants, o.lastEvents(ctx, found))
}

// known returns the connections whose grants are known. What is not is not judged: if some grants could not be read, one that
// is missing may be gone, or only unread.
func known(rows []connections.Connection, grants map[tokens.Principal]tokens.Grant, unread error) ([]connections.Connection, error) {
	if unread == nil {
		return rows, nil
	}
	judged := slices.DeleteFunc(slices.Clone(rows), func(c connections.Connection) bool {
		_, read := grants[c.Principal]
		return c.Principal != tokens.App && !read
	})
	return judged, fmt.Errorf("%w; %d connections, whose grants were not read, are not in the list", unread, len(rows)-len(judged))
}

// maxErrors is how many errors of rows are reported.
const maxErrors = 10

// all collects what can be read, and the errors of the rest.
func all[T any](ctx context.Context, from func(func(T, error) bool)) (list []T, failed error) {
	var errs []error
	unread := 0
	for one, err := range from {
		if err != nil {
			if unread++; unread <= maxErrors {
				errs = append(errs, err)
			}
		} else {
			list = append(list, one)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if unread > maxErrors {
		errs = append(errs, fmt.Errorf("%d more rows could not be read", unread-maxErrors))
	}
	return list, errors.Join(errs...)
}

// judge returns the connections that the filter chooses.
func (o *Operator) judge(rows []connections.Connection, grants map[tokens.Principal]tokens.Grant, f Filter) (found []Connection) {
	for _, c := range ordered(o.byCompany(rows, grants)) {
		if f.chooses(c) {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b Connection) int {
		return cmp.Compare(boolRank(a.NeedsPerson), boolRank(b.NeedsPerson))
	})
	return found
}

// byCompany judges the connections by their grants.
func (o *Operator) byCompany(rows []connections.Connection, grants map[tokens.Principal]tokens.Grant) map[int64][]Connection {
	companies := make(map[int64][]Connection)
	for _, c := range rows {
		var grant *tokens.Grant
		if g, ok := grants[c.Principal]; ok {
			grant = &g
		}
		companies[c.CompanyID] = append(companies[c.CompanyID], o.status(c, grant))
	}
	return companies
}

// ordered returns the connections of all companies, by company, and of each the one that serves it first.
func ordered(companies map[int64][]Connection) (list []Connection) {
	for _, id := range slices.Sorted(maps.Keys(companies)) {
		order(companies[id])
		list = append(list, companies[id]...)
	}
	return list
}

// lastEvents adds when the last event of each company arrived, unless there are too many companies.
func (o *Operator) lastEvents(ctx context.Context, found []Connection) error {
	companies := make(map[int64]time.Time)
	for _, c := range found {
		companies[c.CompanyID] = time.Time{}
	}
	if len(companies) > MaxLastEvents {
		return nil
	}
	ids := slices.Sorted(maps.Keys(companies))
	last := make([]time.Time, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, id := range ids {
		g.Go(func() (err error) {
			last[i], err = o.Inbox.Last(ctx, id)
			return err
		})
	}
	err := g.Wait()
	for i, id := range ids {
		companies[id] = last[i]
	}
	for i, c := range found {
		found[i].LastEvent = companies[c.CompanyID]
	}
	return err
}
