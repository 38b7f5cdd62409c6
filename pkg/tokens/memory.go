package tokens

import (
	"context"
	"sync"
	"time"

	"procore-connect/pkg/procore"
)

// recheck is how long a fresh token is given out from memory before its
// connection's state is read again.
const recheck = 5 * time.Minute

// maxKnown bounds the connections in memory: at 2 KB a token, about 2 MB.
const maxKnown = 1000

// Access is an access token to send, and the generation it belongs to.
type Access struct {
	token      procore.Secret
	Expiry     time.Time
	Generation int64
	IssuedAt   time.Time // when its pair arrived
}

// Bearer is the token's value, for an Authorization header and nothing else.
func (a Access) Bearer() procore.Secret { return a.token }

// memory is what this process knows of connections.
type memory struct {
	mu    sync.Mutex
	known map[Key]known
}

type known struct {
	access   Access
	early    time.Duration // before its end the token is no longer fresh
	readAt   time.Time
	rejected int64 // the generation whose token met a 401; 0: none
}

// answers says that the token is fresh and its connection was read lately; not
// if the clock was set back since.
func (k known) answers(now time.Time) bool {
	age := now.Sub(k.readAt)
	return now.Add(k.early).Before(k.access.Expiry) && 0 <= age && age < recheck
}

func (m *memory) get(key Key) known {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[key]
}

func (m *memory) put(key Key, a Access, early time.Duration, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room(key)
	m.known[key] = known{access: a, early: early, readAt: now, rejected: m.known[key].rejected}
}

// room makes place for the key, at the cost of any other one when full.
func (m *memory) room(key Key) {
	if m.known == nil {
		m.known = map[Key]known{}
	}
	if _, ok := m.known[key]; ok || len(m.known) < maxKnown {
		return
	}
	for other := range m.known {
		delete(m.known, other)
		return
	}
}

// reject remembers that the generation's token met a 401.
func (m *memory) reject(key Key, generation int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room(key)
	m.known[key] = known{rejected: max(generation, m.known[key].rejected)}
}

func (m *memory) forget(key Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, key)
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

// flights makes the callers of one process that want the same connection share
// one piece of work. The work goes on when a caller leaves.
type flights struct {
	mu   sync.Mutex
	open map[Key]*flight
}

type flight struct {
	done   chan struct{}
	access Access
	err    error
}

// do joins the key's flight, or starts it with work.
func (f *flights) do(ctx context.Context, key Key, work func(context.Context) (Access, error)) (Access, error) {
	f.mu.Lock()
	if f.open == nil {
		f.open = map[Key]*flight{}
	}
	fl, ok := f.open[key]
	if !ok {
		fl = &flight{done: make(chan struct{})}
		f.open[key] = fl
		go f.run(context.WithoutCancel(ctx), key, fl, work)
	}
	f.mu.Unlock()
	select {
	case <-fl.done:
		return fl.access, fl.err
	case <-ctx.Done():
		return Access{}, later(key, "the caller's time ended while the token was fetched", ctx.Err())
	}
}

func (f *flights) run(ctx context.Context, key Key, fl *flight, work func(context.Context) (Access, error)) {
	fl.err = later(key, "the refresh ended without a result", nil)
	defer func() {
		f.mu.Lock()
		delete(f.open, key)
		f.mu.Unlock()
		close(fl.done)
	}()
	fl.access, fl.err = work(ctx)
}

// wait returns when no flight is open.
func (f *flights) wait() {
	for {
		f.mu.Lock()
		var any *flight
		for _, fl := range f.open {
			any = fl
			break
		}
		f.mu.Unlock()
		if any == nil {
			return
		}
		<-any.done
	}
}
