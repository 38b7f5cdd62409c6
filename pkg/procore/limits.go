package procore

import (
	"sync"
	"time"
)

// Limits is what a process knows of Procore's rate limits. Procore counts the calls of
// each user, or of each company for a service account, in an hourly and a 10-second
// window. The header of each answer reports how many calls are left of the window that
// will be used up first. Clients that share Limits and an owner share that knowledge
// and slow down before Procore refuses a call:
//
//   - The first call of a window is sent alone, because its answer reports what is left.
//   - At most a quarter of what is left is in flight.
//   - The last quarter of a window is spread evenly over its time.
//   - When nothing is left, calls wait for the next window in the order of their arrival.
//     A call that was slowed down for long enough before goes first.
//
// Calls of other processes for the same owner show only in what is left. Of that, a
// process uses the share that it has had so far. Procore may still refuse a call (429),
// which is then repeated after its wait, as often as [WithAttempts] allows.
//
// The zero Limits is ready to use. Goroutines may share it; do not copy it.
//
// https://procore.github.io/documentation/rate-limiting
type Limits struct {
	mu     sync.Mutex
	owners map[string]*pacer
}

// WithLimits makes the client share its knowledge of the rate limit with all clients of
// the same environment, Limits and owner. Procore counts the calls of an owner: the
// token's user in all companies, or the company of a service account. Without this
// option only the goroutines of a client share it.
func WithLimits(l *Limits, owner string) Option {
	return func(a *api) { a.pacer = l.pacer(a.base+"#"+owner, a.clock.Now()) }
}

// WithMaxWait sets how long one call waits for the rate limit's next window, or for a
// repetition as Procore asks; the default is a minute. A call that would have to wait
// longer, or beyond its context, is not sent and fails at once with a
// [*RateLimitError], so that the caller can plan. Behind other calls it may wait for
// several windows, each no longer than that.
//
// While calls are left, a call is slowed down by at most that time, and by at most half
// of the time left in its context. It is sent at once if its turn would come after the
// end of its context.
func WithMaxWait(d time.Duration) Option { return func(a *api) { a.maxWait = max(d, 0) } }

// WithClock sets the clock by which a client waits and by which a window ends; the
// default is the machine's.
func WithClock(c Clock) Option { return func(a *api) { a.clock = c } }

// WithRandom sets the source of the jitter of a client's repetitions; the default is
// crypto/rand.
func WithRandom(r Random) Option { return func(a *api) { a.random = r } }

// maxOwners is how many owners are remembered before those without a current window
// are forgotten.
const maxOwners = 10_000

func (l *Limits) pacer(owner string, now time.Time) *pacer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.owners[owner]; x != nil {
		return x
	}
	if l.owners == nil {
		l.owners = map[string]*pacer{}
	}
	if len(l.owners) >= maxOwners {
		for name, x := range l.owners {
			if x.idle(now) {
				delete(l.owners, name)
			}
		}
	}
	x := newPacer()
	l.owners[owner] = x
	return x
}
