package tokens

import (
	"context"
	"slices"
	"sync"
	"time"

	"procore-connect/pkg/procore"
)

// recheck is how long a fresh token is returned from memory before its grant is read
// again.
const recheck = 5 * time.Minute

// maxKnown bounds the grants in memory: at 2 KB a token, about 2 MB.
const maxKnown = 1000

// Access is an access token to send, and the generation it belongs to.
type Access struct {
	token      procore.Secret
	Expiry     time.Time
	Generation int64
	IssuedAt   time.Time // when its pair arrived
	LastUsed   time.Time // of the grant, to the day

	holders []string
}

// Bearer is the token's value, for an Authorization header and nothing else.
func (a Access) Bearer() procore.Secret { return a.token }

// Holders returns the holders of the grant when it was read.
func (a Access) Holders() []string { return slices.Clone(a.holders) }

// HeldBy reports whether the holder needed the grant when it was read.
func (a Access) HeldBy(holder string) bool { return slices.Contains(a.holders, holder) }

// access returns the grant's access token.
func (g Grant) access(pair procore.Token) Access {
	return Access{pair.AccessToken, pair.Expiry, g.Generation, g.RefreshedAt, g.LastUsed, g.Holders}
}

// memory is what this process knows of grants.
type memory struct {
	mu    sync.Mutex
	known map[Principal]known
}

type known struct {
	access   Access
	early    time.Duration // before its end the token is no longer fresh
	readAt   time.Time
	rejected int64 // the generation whose token met a 401; 0: none
}

// answers reports whether the token is fresh, not rejected, and its grant was read a
// moment ago. It was not if the clock was set back since.
func (k known) answers(now time.Time) bool {
	age := now.Sub(k.readAt)
	return now.Add(k.early).Before(k.access.Expiry) && k.access.Generation != k.rejected && 0 <= age && age < recheck
}

func (m *memory) get(p Principal) known {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[p]
}

// change replaces what is known of p, at the cost of any other one when the memory is full.
func (m *memory) change(p Principal, change func(known) known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.known[p]
	if m.known == nil {
		m.known = map[Principal]known{}
	}
	for other := range m.known {
		if ok || len(m.known) < maxKnown {
			break
		}
		delete(m.known, other)
	}
	m.known[p] = change(k)
}

func (m *memory) forget(p Principal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, p)
}

// backoff waits longer each time, with jitter.
type backoff struct {
	store *Store
	n     int
}

func (s *Store) backoff() backoff { return backoff{store: s} }

// wait returns an error when the context ends first.
func (b *backoff) wait(ctx context.Context) error {
	d := min(20*time.Millisecond<<min(b.n, 6), time.Second)
	b.n++
	return b.store.Clock.Sleep(ctx, d/2+b.store.Random.Jitter(d))
}
