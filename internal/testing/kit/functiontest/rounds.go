package functiontest

import (
	"context"
	"sync"
)

// rounds hold API calls until a round is complete.
type rounds struct {
	mu      sync.Mutex
	sizes   []int // of the rounds that are not complete
	arrived int   // calls of the first one
	open    chan struct{}
}

// Rounds makes Procore answer the next API calls in rounds of these sizes: none of a round
// before all of it have arrived. Each is one call time of a slow Procore. A call that does not
// come keeps its round waiting, and a further one of a complete round is counted in the next.
func (w *World) Rounds(sizes ...int) {
	w.rounds.mu.Lock()
	defer w.rounds.mu.Unlock()
	w.rounds.sizes, w.rounds.arrived, w.rounds.open = sizes, 0, make(chan struct{})
}

// WantRounds checks that all rounds are complete, and that no call came after them.
func (w *World) WantRounds() {
	w.t.Helper()
	w.rounds.mu.Lock()
	defer w.rounds.mu.Unlock()
	if r := &w.rounds; len(r.sizes) > 0 || r.arrived > 0 {
		w.t.Errorf("rounds of %v calls are not complete, of which %d came", r.sizes, r.arrived)
	}
}

// hold waits until the call's round is complete.
func (r *rounds) hold(ctx context.Context) {
	r.mu.Lock()
	if r.open == nil {
		r.mu.Unlock()
		return
	}
	open := r.open
	switch r.arrived++; {
	case len(r.sizes) == 0:
		r.mu.Unlock()
		return
	case r.arrived == r.sizes[0]:
		close(open)
		r.sizes, r.arrived, r.open = r.sizes[1:], 0, make(chan struct{})
	}
	r.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
	}
}
