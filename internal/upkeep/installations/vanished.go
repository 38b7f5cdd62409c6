package installations

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"procore-connect/internal/upkeep/departures"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
)

const (
	// maxRead and maxAsked bound the companies that one run reads and asks because the
	// list lacks them.
	maxRead, maxAsked = 100, 20
	// askedEvery is how long a company that the list lacks, but that answers, is not asked
	// again.
	askedEvery = time.Hour
)

// end ends the connections of companies that the list lacks and that refuse a call. As
// long as one that the list lacks answers, the list is wrong: then none ends in this run.
// The brake of departures bounds the rest, ten in a day, and while it is engaged no
// company is asked.
func (w *Watch) end(ctx context.Context, vanished []int64) error {
	if len(vanished) == 0 {
		return nil
	}
	b, err := w.Departures.Brake(ctx)
	if err != nil || b.Engaged() {
		return err
	}
	gone, answered, err := w.ask(ctx, vanished)
	if answered > 0 {
		w.Log.WarnContext(ctx, "list of installations lacks companies that answer", slog.Int("answered", answered), slog.Int("vanished", len(vanished)))
		return err
	}
	for _, id := range gone {
		failed := w.Departures.EndInstalled(ctx, id)
		if errors.Is(failed, departures.ErrWithheld) {
			break
		}
		err = errors.Join(err, failed)
	}
	return err
}

// ask asks some of the companies, and returns those that refuse the call, and how many
// answer it. Each run begins elsewhere, so that no company hides the others.
func (w *Watch) ask(ctx context.Context, vanished []int64) (gone []int64, answered int, err error) {
	first := int(w.now().Unix()/60) % len(vanished)
	vanished = slices.Concat(vanished[first:], vanished[:first])
	asked := 0
	for _, id := range vanished[:min(len(vanished), maxRead)] {
		if asked == maxAsked || outOfTime(ctx) {
			break
		}
		c, unread := w.Store.Connection(ctx, key(id))
		if unread != nil {
			err = errors.Join(err, unread)
			continue
		}
		if w.asked(c) {
			continue
		}
		asked++
		refused, failed := w.refused(ctx, id)
		switch {
		case errors.Is(failed, procore.ErrRateLimited):
			return gone, answered, errors.Join(err, failed)
		case failed != nil:
			err = errors.Join(err, failed)
		case refused:
			gone = append(gone, id)
		default:
			answered++
			err = errors.Join(err, w.answered(ctx, c))
		}
	}
	return gone, answered, err
}

// asked reports whether the company answered lately although the list lacked it.
func (w *Watch) asked(c connections.Connection) bool {
	return w.now().Before(c.PausedUntil) && c.State != connections.Connected ||
		c.SeenAt.After(c.ConnectedAt) && w.now().Before(c.SeenAt.Add(askedEvery))
}

// answered records that the company answered although the list lacked it.
func (w *Watch) answered(ctx context.Context, c connections.Connection) error {
	if c.State != connections.Connected {
		return w.Store.AskLater(ctx, c)
	}
	return w.Store.Saw(ctx, c.Key, w.now())
}

// refused reports whether Procore refuses the app a call into the company that it allows
// where the app is installed. The call does not refresh the token, is not repeated, and
// counts among the company's own.
func (w *Watch) refused(ctx context.Context, id int64) (bool, error) {
	access, err := w.Store.Tokens.Upkeep().Token(ctx, key(id).Principal)
	if err != nil {
		return false, err
	}
	opts := w.Store.Options(key(id), procore.WithAttempts(1))
	client := procore.NewCompanyClient(w.Store.Tokens.Environment, w.Store.Tokens.Bearer(access.Bearer()), id, opts...)
	for _, failed := range client.Projects(ctx) {
		err = failed
		break
	}
	if refuses(err) {
		return true, nil
	}
	return false, err
}
