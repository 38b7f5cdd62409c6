package tokens

import (
	"sync"
	"time"
)

const (
	minUnreachable = time.Second
	maxUnreachable = 30 * time.Second
)

// reach is what this process knows of the way to the token endpoint. After a
// connection that failed, refreshes fail at once for a while, longer each time:
// each would wait for the same DNS, proxy or TLS failure.
type reach struct {
	mu    sync.Mutex
	err   error // of the last attempt; nil: it succeeded
	pause time.Duration
	until time.Time
}

// wait returns the last attempt's error while no other attempt should be made. A
// clock that was set back ends the pause.
func (r *reach) wait(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := r.until.Sub(now); r.err != nil && 0 < left && left <= r.pause {
		return r.err
	}
	return nil
}

func (r *reach) learn(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	if err == nil {
		r.pause = 0
		return
	}
	r.pause = min(max(2*r.pause, minUnreachable), maxUnreachable)
	r.until = now.Add(r.pause)
}
