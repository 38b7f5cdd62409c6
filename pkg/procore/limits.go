package procore

import (
	"maps"
	"sync"
	"time"
)

// Limits is what a process knows of Procore's rate limits. Procore counts the calls of
// each user, or of each company for a service account, in an hourly and a 10-second
// window. The header of each answer reports how many calls are left of the window that
// will be used up first. Clients that share Limits and an owner share that knowledge:
//
//   - While more calls are left than are in flight, a call is sent at once.
//   - When none is left, calls wait for the next window, in order of arrival.
//   - The first call of a window is sent alone, because its answer reports what is left.
//     Another call waits for that answer, but no longer than a second.
//
// So Procore does not refuse a burst of one process. It may refuse a call (429) when
// other processes call for the same owner. Then all calls wait for the next window, and
// the refused one is repeated as often as [WithAttempts] allows. For a minute, at most a
// quarter of what is left is in flight.
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

// maxOwners is how many owners are remembered before those without a current window
// are forgotten.
const maxOwners = 10_000

func (l *Limits) pacer(owner string, now time.Time) *pacer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owners == nil {
		l.owners = map[string]*pacer{}
	}
	if l.owners[owner] == nil && len(l.owners) >= maxOwners {
		maps.DeleteFunc(l.owners, func(_ string, p *pacer) bool { return p.idle(now) })
	}
	if l.owners[owner] == nil {
		l.owners[owner] = new(pacer)
	}
	return l.owners[owner]
}
