package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	turnCalls = 20 // of one company before the next has its turn
	maxHands  = 5  // connections that are tried in one turn
	// retry is when a company has its next turn that could do nothing in this one.
	retry = 10 * time.Minute
)

// Why a turn ends before its work is done.
var (
	errTurn   = errors.New("the turn's calls are used up")    // more can be done at once
	errWait   = errors.New("no calls are left for now")       // a later run continues
	errNobody = errors.New("no connection can read")          // in a period, or when a user connects again
	errDenied = errors.New("the tool may not be read")        // of one project
	errSkip   = errors.New("this resource failed in the run") // a later run continues
)

// A hand is a connection that reads.
type hand struct {
	connections.Key
	client *procore.CompanyClient
}

// A turn is a few calls for one company.
type turn struct {
	*run
	w       row
	hook    provision.Row
	hands   []hand // the first one reads
	allowed int    // calls that are left of the turn
	date    time.Time
	denied  map[string]*refusals // by resource
	found   int                  // events that were stored, those of backfill aside
}

// turn gives a company a few calls. It reports whether more can be done at once.
func (p *run) turn(ctx context.Context, companyID int64) bool {
	end := turnFor
	if left, ok := procore.TimeLeft(ctx); ok {
		end = min(end, left-closing)
	}
	ctx, cancel := context.WithTimeout(ctx, end)
	defer cancel()
	w, err := p.take(ctx, companyID, p.asked)
	if errors.Is(err, errBusy) {
		return false
	}
	if err != nil {
		p.fail(err)
		return false
	}
	t := &turn{run: p, w: w, allowed: turnCalls, denied: map[string]*refusals{}}
	err = t.work(ctx)
	p.count(func(*Report) { p.ended = err })
	more := errors.Is(err, errTurn)
	if err == nil || len(t.w.cursors) > 0 { // else nothing is known, and the company stays due
		t.w.plan(p.Want.Period, p.now())
	}
	switch {
	case errors.Is(err, errNobody):
		t.w.due = p.now().Add(p.Want.Period)
	case err != nil && !more && !errors.Is(err, errWait) && ctx.Err() == nil:
		p.fail(fmt.Errorf("reconcile: company %d: %w", companyID, err))
	}
	if t.found > 0 {
		p.log().WarnContext(ctx, "changes reconciled", slog.Int64("company_id", companyID), slog.Int("found", t.found))
	}
	if err := p.release(ctx, t.w); err != nil {
		p.fail(err)
		return false
	}
	p.count(func(r *Report) { r.Companies++ })
	return more && ctx.Err() == nil
}

// work does what the company's turn is for.
func (t *turn) work(ctx context.Context) (err error) {
	if t.hook, err = t.Hooks.Row(ctx, t.w.companyID); err != nil {
		return err
	}
	if t.hook.Since.IsZero() { // no hook yet, or a pass is about to create its triggers
		return errNobody
	}
	if err := t.connect(ctx); err != nil {
		return err
	}
	begin := t.hook.Since
	if skew := t.skewed(); skew != unknown {
		begin = begin.Add(skew)
	}
	t.w.adopt(t.subjects, begin.Add(-narrow).Truncate(narrow), t.procoreNow().Truncate(narrow))
	if err := t.neverDelivered(ctx); err != nil {
		return err
	}
	waits := t.open(ctx)
	for i := range t.w.cursors {
		if err := t.read(ctx, &t.w.cursors[i]); err != nil {
			return err
		}
	}
	return waits
}

// connect chooses the connections that read: the service account's, the hook's creator's,
// and then the latest.
func (t *turn) connect(ctx context.Context) error {
	all, err := procore.Collect(t.Store.Company(ctx, t.w.companyID))
	if err != nil {
		return err
	}
	for _, c := range readers(all, t.hook.Creator, t.now()) {
		owner := ownerOf(c.Key)
		note := procore.WithAnswers(func(a procore.Answer) {
			t.date = a.Date
			t.answered(ctx, owner, a)
		})
		t.hands = append(t.hands, hand{c.Key, t.Store.BackgroundClient(c.Key, procore.WithAttempts(1), procore.WithMaxWait(0), note)})
	}
	if len(t.hands) == 0 {
		return errNobody
	}
	return nil
}

// readers returns the connections that may read, in order.
func readers(all []connections.Connection, creator tokens.Principal, now time.Time) []connections.Connection {
	all = slices.DeleteFunc(slices.Clone(all), func(c connections.Connection) bool {
		return c.State != connections.Connected || now.Before(c.PausedUntil)
	})
	rank := func(c connections.Connection) int {
		switch c.Principal {
		case tokens.App:
			return 0
		case creator:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(all, func(a, b connections.Connection) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), b.ConnectedAt.Compare(a.ConnectedAt))
	})
	return all[:min(len(all), maxHands)]
}

// call makes one call by the given connection if it is there, else by the first. One that
// can make no calls is left out of the turn, and the next one makes the call.
func (t *turn) call(ctx context.Context, as tokens.Principal, do func(*procore.CompanyClient) error) error {
	for len(t.hands) > 0 {
		i := max(slices.IndexFunc(t.hands, func(h hand) bool { return h.Principal == as }), 0)
		h := t.hands[i]
		if t.allowed--; t.allowed < 0 {
			return errTurn
		}
		owner := ownerOf(h.Key)
		if ok, err := t.budget.spend(ctx, owner); err != nil || !ok {
			return cmp.Or(err, errWait)
		}
		t.count(func(r *Report) { r.Calls++ })
		err := do(h.client)
		limit, limited := errors.AsType[*procore.RateLimitError](err)
		switch {
		case limited:
			t.budget.block(ctx, owner, t.now().Add(min(max(limit.Answer.RetryAfter, time.Second), time.Hour)))
			return errWait
		case err == nil:
			t.budget.admitted(ctx)
		case unusable(err):
			t.hands = slices.Delete(t.hands, i, i+1)
			continue
		case errors.Is(err, procore.ErrForbidden), errors.Is(err, procore.ErrNotFound), errors.Is(err, procore.ErrInvalid):
			return fmt.Errorf("%w: %w", errDenied, err)
		}
		return err
	}
	return errNobody
}

// unusable reports whether the error is that of the connection, and not of what was called.
func unusable(err error) bool {
	for _, of := range []error{
		procore.ErrUnauthorized, procore.ErrNotConnected, procore.ErrUserInstallsOff, connections.ErrPaused, connections.ErrDisconnected,
		connections.ErrEnded, connections.ErrNotFound, tokens.ErrRejected, tokens.ErrReauthorize, tokens.ErrRevoked, tokens.ErrNotFound,
	} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}
