// Package clocktest has the clock of tests.
package clocktest

import (
	"sync"
	"time"

	"procore-connect/pkg/procore"
)

// Clock is a time that moves only when told to. What waits for it waits in real
// time.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// New returns a clock at the machine's time, to the second.
func New() *Clock { return &Clock{now: time.Now().Truncate(time.Second)} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward, or back for a negative d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set sets the clock.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Seam returns the clock as a component takes it.
func (c *Clock) Seam() procore.Clock { return procore.Clock{Time: c.Now} }
