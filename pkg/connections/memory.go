package connections

import (
	"sync"
	"time"
)

const (
	// recheck is how long calls are made before their connection is read again.
	recheck = 5 * time.Minute
	// maxKnown bounds the connections in memory.
	maxKnown = 1000
)

// memory is what this process knows of connections that allow calls.
type memory struct {
	mu     sync.Mutex
	known  map[Key]known
	writes int // of any connection, by this process
}

type known struct {
	c      Connection
	readAt time.Time
}

// get returns a connection that was read lately; not if the clock was set back since.
// Without one it returns what put needs of the time before a reading.
func (m *memory) get(k Key, now time.Time) (c Connection, ok bool, before int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.known[k]
	age := now.Sub(known.readAt)
	return known.c, ok && 0 <= age && age < recheck, m.writes
}

// put remembers a connection that was read, unless this process wrote one in the
// meantime: the reading may be older.
func (m *memory) put(c Connection, now time.Time, before int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes != before {
		return
	}
	if m.known == nil {
		m.known = map[Key]known{}
	}
	for other := range m.known { // room, at the cost of any other one
		if len(m.known) < maxKnown {
			break
		}
		delete(m.known, other)
	}
	m.known[c.Key] = known{c, now}
}

// forget forgets a connection, after a write of it.
func (m *memory) forget(k Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	delete(m.known, k)
}
