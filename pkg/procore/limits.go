package procore

import (
	"sync"
	"time"
)

// Limits are Procore's rate limits as a process knows them. Procore counts the
// calls of each user (of each company, for a service account) in an hourly and a
// 10-second window, and says in each answer's header how many are left of
// whichever will be used up first. Clients that share Limits and an owner share
// that knowledge, and slow down before Procore refuses:
//
//   - The first call of a window goes alone, for its answer says what is left.
//   - At most a quarter of what is left is in flight.
//   - The last quarter of a window is spread evenly over its time.
//   - When nothing is left, calls wait for the next window, in the order they came;
//     but one that was slowed down for long enough before goes first.
//
// Other processes that call for the same owner show in what is left: of that, a
// process takes only the share that it has had so far. A refusal (429) remains
// possible, and is repeated after its wait as [WithAttempts] says.
//
// The zero Limits are ready. Goroutines may share them; do not copy them.
//
// https://procore.github.io/documentation/rate-limiting
type Limits struct {
	mu     sync.Mutex
	owners map[string]*limit
}

// WithLimits makes the client share what is known of the rate limit with all
// clients of the same environment, Limits and owner. The owner is whom Procore
// counts: the token's user, whatever the company, or the company of a service
// account. Without this option a client shares with nobody but its goroutines.
func WithLimits(l *Limits, owner string) Option {
	return func(a *api) { a.limit = l.of(a.base+"#"+owner, a.clock.Now()) }
}

// WithPatience sets how long one call waits for the rate limit's next window, or
// for what Procore asks before a repetition; the default is a minute. A call that
// would have to wait longer, or beyond its context, fails at once with a
// [*RateLimitError] and is not sent, so that the caller can plan. Behind others a call
// may see several windows begin, each of them near enough.
//
// While calls are left, one is slowed down for the patience at most, and for half of
// what is left of its context, and then sent; and at once if its turn would come
// after its context ends.
func WithPatience(d time.Duration) Option { return func(a *api) { a.patience = max(d, 0) } }

// WithClock sets the time by which a client waits and knows that a window is over;
// the default is the machine's.
func WithClock(c Clock) Option { return func(a *api) { a.clock = c } }

// WithRandom sets where the jitter of a client's repetitions comes from; the
// default is crypto/rand.
func WithRandom(r Random) Option { return func(a *api) { a.random = r } }

// maxOwners is how many owners are remembered whose windows may be over.
const maxOwners = 10_000

func (l *Limits) of(owner string, now time.Time) *limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.owners[owner]; x != nil {
		return x
	}
	if l.owners == nil {
		l.owners = map[string]*limit{}
	}
	if len(l.owners) >= maxOwners {
		for name, x := range l.owners {
			if x.idle(now) {
				delete(l.owners, name)
			}
		}
	}
	x := newLimit()
	l.owners[owner] = x
	return x
}
