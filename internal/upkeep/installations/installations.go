// Package installations connects the companies whose administrators installed the app, and
// ends the connections of those that uninstalled it. It is for an app that works with its
// service account. Procore sends no event of an installation: the app's token lists the
// companies.
//
// https://developers.procore.com/documentation/oauth-client-credentials
package installations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// maxWrites is how many companies are connected at once.
	maxWrites = 16
	// spare is the time that a run leaves to its caller.
	spare = time.Second
)

// Watch compares the service account's connections with Procore's list. All fields must be
// set but Webhooks. Goroutines may share it; do not copy it.
type Watch struct {
	Store      *connections.Store
	Departures *departures.Watch // ends connections, within the limit of its brake
	Allowed    config.Companies
	Webhooks   connections.Webhooks // of a new connection; empty: off
	Log        *slog.Logger

	needsHeader atomic.Bool // Procore lists companies only to a call that names one
}

// Reconcile lists the companies that have installed the app, connects those that are new
// and admitted, and ends the connections of those that vanished: see end. Companies that
// were listed before an error are connected, and none is ended then.
//
// It writes only what changed: when nothing did, it reads an index and the list.
func (w *Watch) Reconcile(ctx context.Context) error {
	known, err := w.known(ctx)
	if err != nil {
		return err
	}
	listed, unlisted := w.list(ctx, known)
	connected, err := w.connect(ctx, known, listed)
	vanished := without(known, listed)
	w.Log.DebugContext(ctx, "installations compared", slog.Int("listed", len(listed)), slog.Int("connected", connected),
		slog.Int("vanished", len(vanished)))
	if unlisted != nil {
		return errors.Join(err, fmt.Errorf("installations: the app's companies could not be listed: %w", unlisted))
	}
	return errors.Join(err, w.end(ctx, vanished))
}

// known returns the companies of the service account, and whether they are connected or
// disconnected.
func (w *Watch) known(ctx context.Context) (map[int64]connections.State, error) {
	known := map[int64]connections.State{}
	for _, state := range []connections.State{connections.Connected, connections.Disconnected} {
		for key, err := range w.Store.Installed(ctx, state) {
			if err != nil {
				return nil, err
			}
			known[key.CompanyID] = state
		}
	}
	return known, nil
}

// without returns the companies that the list lacks, in order.
func without(known map[int64]connections.State, listed []procore.Company) (vanished []int64) {
	ids := make(map[int64]bool, len(listed))
	for _, c := range listed {
		ids[c.ID] = true
	}
	for id := range known {
		if !ids[id] {
			vanished = append(vanished, id)
		}
	}
	slices.Sort(vanished)
	return vanished
}

// connect connects the companies that are listed and not connected yet, and returns how
// many.
func (w *Watch) connect(ctx context.Context, known map[int64]connections.State, listed []procore.Company) (int, error) {
	var connected atomic.Int64
	var writes errgroup.Group
	writes.SetLimit(maxWrites)
	for _, c := range listed {
		if known[c.ID] == connections.Connected || c.Inactive() || !w.Allowed.Admits(c.ID) {
			continue
		}
		if outOfTime(ctx) { // the next run lists it again
			break
		}
		writes.Go(func() error {
			done, err := w.add(ctx, c)
			if done {
				connected.Add(1)
				w.Log.InfoContext(ctx, "company connected by its installation", slog.Int64("company_id", c.ID))
			}
			return err
		})
	}
	err := writes.Wait()
	return int(connected.Load()), err
}

// add connects a company, and reports whether it did. One that was connected before, and
// did not end by vanishing from the list, has to answer first: else Procore lists what it
// refuses.
func (w *Watch) add(ctx context.Context, c procore.Company) (bool, error) {
	was, err := w.Store.Connection(ctx, key(c.ID))
	switch {
	case errors.Is(err, connections.ErrNotFound), was.State == connections.Ended && was.Reason == departures.Uninstalled:
	case err != nil:
		return false, err
	case was.State == connections.Connected, w.now().Before(was.PausedUntil): // the index is behind, or it was asked
		return false, nil
	default:
		refused, err := w.refused(ctx, c.ID)
		if err != nil {
			return false, err
		}
		if refused {
			return false, w.Store.AskLater(ctx, was)
		}
	}
	err = w.Store.AddServiceAccount(ctx, c.ID, c.Name, w.Webhooks)
	return err == nil, err
}

func key(companyID int64) connections.Key {
	return connections.Key{CompanyID: companyID, Principal: tokens.App}
}

func (w *Watch) now() time.Time { return w.Store.Tokens.Clock.Now() }

// outOfTime reports whether the rest is for the next run.
func outOfTime(ctx context.Context) bool {
	left, ok := procore.TimeLeft(ctx)
	return ctx.Err() != nil || ok && left < spare
}
