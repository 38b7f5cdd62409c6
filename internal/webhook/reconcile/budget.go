package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

const (
	chunk = 20    // calls that a run reserves at once, so that not each is a write
	ofApp = "app" // the account of all calls
)

// An account is what was reserved of the calls of one owner in an hour of the clock, by all
// runs.
type account struct {
	owner string
	hour  time.Time
	used  int
	// limit is the hourly limit that Procore last reported; 0: none.
	limit   int
	blocked time.Time // the owner makes no calls before: Procore's limit was hit

	rev   int64
	write string
}

// allowance returns the calls of an hour: those configured, but no more than a tenth of
// what Procore allows to all that the owner does.
func allowance(configured, limit int) int {
	if limit > 0 {
		return min(configured, max(limit/10, 1))
	}
	return configured
}

// reserve takes up to n calls of the hour, and returns how many.
func (a account) reserve(n, configured int, now time.Time) (account, int) {
	if hour := now.Truncate(time.Hour); !a.hour.Equal(hour) {
		a.hour, a.used = hour, 0
	}
	if now.Before(a.blocked) {
		return a, 0
	}
	n = min(n, max(allowance(configured, a.limit)-a.used, 0))
	a.used += n
	return a, n
}

// settle returns what a run reserved in the hour and did not use, and notes what it
// learned.
func (a account) settle(unused, limit int, hour, blocked time.Time) account {
	if a.hour.Equal(hour) {
		a.used = max(a.used-unused, 0)
	}
	if limit > 0 {
		a.limit = limit
	}
	if a.blocked.Before(blocked) {
		a.blocked = blocked
	}
	return a
}

// ownerOf returns whose calls Procore counts: a user's in all companies, or those of the
// service account in one.
func ownerOf(k connections.Key) string {
	if k.Principal == tokens.App {
		return fmt.Sprintf("company#%d", k.CompanyID)
	}
	return string(k.Principal)
}

// budget is what one run may call.
type budget struct {
	*Reconciler
	// busy has one place: the goroutine that fills it has what follows, also while storage answers. A
	// mutex would do, but a test's bubble takes its waiters for work that goes on.
	busy    chan struct{}
	share   map[string]*share // by owner
	limited map[string]bool   // owners whom Procore limited since the last success
}

// inVain is how many owners Procore limits in a row before all calls stop: then the app is
// limited, or a token that they share.
const inVain = 3

// A share is what a run holds of an account.
type share struct {
	hour    time.Time
	left    int
	limit   int // reported by an answer
	blocked time.Time
	empty   bool // the account has no more in this hour
}

func newBudget(r *Reconciler) *budget {
	return &budget{Reconciler: r, busy: make(chan struct{}, 1), share: map[string]*share{}, limited: map[string]bool{}}
}

// lock waits for the budget, and returns what releases it.
func (b *budget) lock(ctx context.Context) (unlock func()) {
	select {
	case b.busy <- struct{}{}:
	default:
		b.busy <- struct{}{}
		b.Store.Tokens.Clock.Woken(ctx)
	}
	return func() { <-b.busy }
}

func (b *budget) accounts(owner string) (dynamo.Rows[account], dynamo.Item) {
	key := b.Store.Row("budget", owner)
	return dynamo.Rows[account]{
		DB: b.Store.DB, Table: b.Store.Table, Random: b.Store.Tokens.Random,
		Decode: func(a *account, item dynamo.Item) error {
			a.owner = owner
			return dynamo.Decode(item, a.fields)
		},
		Encode:   func(a account) (dynamo.Item, dynamo.Item) { return key, dynamo.Encode(a.fields) },
		Revision: func(a *account) (*int64, *string) { return &a.rev, &a.write },
	}, key
}

// change makes a step of an account.
func (b *budget) change(ctx context.Context, owner string, step func(account) account) error {
	rows, key := b.accounts(owner)
	a, err := rows.Get(ctx, key)
	if err == nil {
		_, err = rows.Apply(ctx, a, func(a account) (account, bool) { return step(a), true })
	}
	if err != nil {
		return fmt.Errorf("reconcile: budget of %s: %w", owner, err)
	}
	return nil
}

// spend counts one call of the owner, before it is made. It reports false if there is none
// left in this hour.
func (b *budget) spend(ctx context.Context, owner string) (bool, error) {
	defer b.lock(ctx)()
	of, all := b.of(owner), b.of(ofApp)
	for _, one := range []struct {
		s          *share
		owner      string
		configured int
	}{{of, owner, b.Want.perOwner()}, {all, ofApp, b.Want.perApp()}} {
		if b.now().Before(one.s.blocked) {
			return false, nil
		}
		if err := b.fill(ctx, one.s, one.owner, one.configured); err != nil || one.s.left == 0 {
			return false, err
		}
	}
	of.left--
	all.left--
	return true, nil
}

func (b *budget) of(owner string) *share {
	if b.share[owner] == nil {
		b.share[owner] = &share{}
	}
	return b.share[owner]
}

// fill reserves more calls for a share that has none.
func (b *budget) fill(ctx context.Context, s *share, owner string, configured int) error {
	now := b.now()
	if hour := now.Truncate(time.Hour); !s.hour.Equal(hour) {
		s.hour, s.left, s.empty = hour, 0, false
	}
	if s.left > 0 || s.empty {
		return nil
	}
	got := 0
	err := b.change(ctx, owner, func(a account) account {
		a, got = a.settle(0, s.limit, s.hour, s.blocked).reserve(chunk, configured, now)
		return a
	})
	if err == nil {
		s.left, s.empty = got, got == 0
	}
	return err
}

// spent reports whether the app has no calls left in this hour, or waits.
func (b *budget) spent(ctx context.Context) bool {
	defer b.lock(ctx)()
	s := b.of(ofApp)
	return s.empty && s.hour.Equal(b.now().Truncate(time.Hour)) || b.now().Before(s.blocked)
}

// learn notes the hourly limit of an owner.
func (b *budget) learn(ctx context.Context, owner string, limit int) {
	defer b.lock(ctx)()
	b.of(owner).limit = limit
}

// block stops the calls of an owner, whom Procore asked to wait, and those of all if it
// asked others too.
func (b *budget) block(ctx context.Context, owner string, until time.Time) {
	defer b.lock(ctx)()
	b.of(owner).blocked = until
	if b.limited[owner] = true; len(b.limited) >= inVain {
		b.of(ofApp).blocked = until
	}
}

// admitted notes that Procore made a call.
func (b *budget) admitted(ctx context.Context) {
	defer b.lock(ctx)()
	clear(b.limited)
}

// settle returns what is left, and stores what was learned. What a killed run had reserved
// is lost for the hour.
func (b *budget) settle(ctx context.Context) (errs []error) {
	defer b.lock(ctx)()
	for _, owner := range slices.Sorted(maps.Keys(b.share)) {
		s := b.share[owner]
		unused, limit, blocked := s.left, s.limit, s.blocked
		if unused > 0 || limit > 0 || !blocked.IsZero() {
			errs = append(errs, b.change(ctx, owner, func(a account) account { return a.settle(unused, limit, s.hour, blocked) }))
		}
	}
	return errs
}

func (a *account) fields(f *dynamo.Fields) {
	f.Seconds("hour", &a.hour)
	f.Int("used", &a.used)
	f.Int("limit", &a.limit)
	f.Millis("blocked_until_ms", &a.blocked)
	f.Number("rev", &a.rev)
	f.Text("write", &a.write)
}
