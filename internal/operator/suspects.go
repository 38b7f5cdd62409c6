package operator

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// maxSuspects is how many companies are read one by one. Of more, as after an outage, two scans cost less.
const maxSuspects = 500

// indexed reports whether all that the filter chooses is among the suspects of two indexes. A grant that is gone, or that
// lacks the company, as after the restore of one table, is in neither index: the whole list shows it, and doctor.
func (f Filter) indexed() bool {
	return f.NeedsPerson || slices.Contains([]State{Reauthorize, Disconnected, Paused}, f.State)
}

// byIndex returns the connections that the filter chooses, which must be indexed. ok is false if there are so many suspects
// that it did not read them. An error beside a list is about rows that could not be read.
func (o *Operator) byIndex(ctx context.Context, f Filter) (found []Connection, ok bool, err error) {
	var ids []int64
	for key, err := range o.Connections.Suspects(ctx) {
		if err != nil {
			return nil, true, err
		}
		ids = append(ids, key.CompanyID)
	}
	var ended []tokens.Principal
	for p, err := range o.Connections.Tokens.Upkeep().Ended(ctx) {
		if err != nil {
			return nil, true, err
		}
		ended = append(ended, p)
	}
	if max(len(ids), len(ended)) > maxSuspects {
		return nil, false, nil
	}
	grants := make(map[tokens.Principal]tokens.Grant)
	unreadEnded := o.grants(ctx, ended, grants)
	for _, g := range grants {
		for _, holder := range g.Holders {
			if id, err := strconv.ParseInt(holder, 10, 64); err == nil {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) > maxSuspects {
		return nil, false, nil
	}
	rows, unread := o.connectionsOf(ctx, ids)
	var others []tokens.Principal
	for _, c := range rows {
		if _, read := grants[c.Principal]; !read && c.Principal != tokens.App {
			others = append(others, c.Principal)
		}
	}
	slices.Sort(others)
	unreadOthers := o.grants(ctx, slices.Compact(others), grants)
	rows, unreadGrants := known(rows, grants, errors.Join(unreadEnded, unreadOthers))
	return o.judge(rows, grants, f), true, errors.Join(unread, unreadGrants)
}

// grants reads grants by their keys into the map. One that is gone is not there.
func (o *Operator) grants(ctx context.Context, of []tokens.Principal, into map[tokens.Principal]tokens.Grant) error {
	var mu sync.Mutex
	var errs []error
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, p := range of {
		g.Go(func() error {
			grant, err := o.Connections.Tokens.Grant(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				into[p] = grant
			case !errors.Is(err, tokens.ErrNotFound) && len(errs) < maxErrors:
				errs = append(errs, err)
			}
			return nil
		})
	}
	_ = g.Wait() // errors are in errs
	return errors.Join(errs...)
}

// connectionsOf reads all connections of these companies.
func (o *Operator) connectionsOf(ctx context.Context, ids []int64) ([]connections.Connection, error) {
	rows, errs := make([][]connections.Connection, len(ids)), make([]error, len(ids))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, id := range ids {
		g.Go(func() error {
			rows[i], errs[i] = all(ctx, o.Connections.Company(ctx, id))
			return nil
		})
	}
	_ = g.Wait() // errors are in errs
	return slices.Concat(rows...), errors.Join(errs...)
}
