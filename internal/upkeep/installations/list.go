package installations

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// maxHeaders is how many companies' headers a run tries.
const maxHeaders = 3

// errNoHeader means that Procore lists companies only to a call that names one of them.
var errNoHeader = errors.New("a company that has the app must be named, and none is known; " +
	"set ALLOWED_COMPANIES to the company ids, or to one of them until it is connected")

// list returns the companies that Procore lists for the app, also beside an error.
//
// Procore's documents disagree on whether this one call of a service account needs the
// company header. So it goes without one first. If Procore misses it, the call names a
// company that is known to have the app, for as long as the process runs.
func (w *Watch) list(ctx context.Context, known map[int64]connections.State) (listed []procore.Company, err error) {
	env, hc, opts := w.Store.Tokens.Environment, w.client(), w.options()
	if !w.needsHeader.Load() {
		listed, err = procore.Collect(procore.NewUserClient(env, hc, opts...).Companies(ctx))
		if !errors.Is(err, procore.ErrMissingCompanyHeader) {
			return listed, err
		}
		w.needsHeader.Store(true)
	}
	err = errNoHeader
	for _, id := range w.headers(known) {
		listed, err = procore.Collect(procore.NewCompanyClient(env, hc, id, opts...).Companies(ctx))
		if !refuses(err) {
			break
		}
	}
	return listed, err
}

// headers returns the companies to name: those that are connected, else those that are
// allowed to be.
func (w *Watch) headers(known map[int64]connections.State) (ids []int64) {
	for id, state := range known {
		if state == connections.Connected {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Concat(ids[:min(len(ids), maxHeaders)], w.Allowed.IDs)
	return ids[:min(len(ids), 2*maxHeaders)]
}

// client returns the client of the app's token, which it refreshes once if Procore no
// longer accepts it.
func (w *Watch) client() *http.Client {
	t := w.Store.Tokens.Transport(tokens.App)
	t.Background = true
	return &http.Client{Transport: t}
}

// options are those of calls that name no company's connection.
func (w *Watch) options() []procore.Option { return w.Store.Tokens.Options(string(tokens.App)) }

// refuses reports whether an answer says that the app has no place in the company. The
// token is good: it is the one that lists companies. So that Procore does not accept it
// for a company means that the app is not installed there.
func refuses(err error) bool {
	return errors.Is(err, procore.ErrForbidden) || errors.Is(err, procore.ErrNotFound) || errors.Is(err, procore.ErrUnauthorized)
}
