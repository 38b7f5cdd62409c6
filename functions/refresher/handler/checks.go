package handler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"procore-connect/pkg/connections"
)

const (
	// defaultPasses is how many companies a run checks at once. It is more than the processor
	// of 256 MB keeps up with; see docs/DEPLOY.md, Load.
	defaultPasses = 16
	// relistEvery is how often a run asks who connected since it began.
	relistEvery = 15 * time.Second
	// maxInVain is how many passes in a row a run makes that Procore limits or does not
	// answer. Then no single company is the reason, and the rest is for the next run.
	maxInVain = 100
	// maxErrors is how many of a run's errors are reported one by one.
	maxErrors = 10
)

// checkRun is one run over the companies whose check is due.
type checkRun struct {
	*handler
	share  share
	passes chan struct{} // has an element for each pass that is under way, or not allowed yet
	ended  chan struct{} // has one after a pass has ended
	all    sync.WaitGroup
	late   []connections.Key // whose owner was busy

	mu      sync.Mutex
	seen    map[int64]bool       // companies that had their turn
	busy    map[string]bool      // owners of connections whose company is being checked
	limited map[string]time.Time // until when Procore accepts no calls of an owner
	held    int                  // passes at once that are not allowed yet
	made    int                  // passes
	waiting int                  // companies that wait for a rate limit
	inVain  int                  // passes in a row
	failed  int
	errs    []error
}

// checks handles the connections of a share whose check is due: their company's hook, once for all
// connections of the company, or the end of a connection that is disconnected. What a
// person waits for is first. Several companies are checked at once, but only one of a
// user, so that no company waits for the rate limit of another one's user.
func (h *handler) checks(ctx context.Context, s share) error {
	r := h.newCheckRun(s)
	for key, err := range r.due(ctx) {
		if r.over(ctx) {
			break
		}
		if err != nil {
			r.fail(err)
			continue
		}
		r.begin(ctx, key)
	}
	for len(r.late) > 0 && !r.over(ctx) {
		late, begun := r.late, false
		r.late = nil
		for _, key := range late {
			begun = r.begin(ctx, key) || begun
		}
		if !begun && len(r.late) > 0 {
			<-r.ended
		}
	}
	r.all.Wait()
	return r.finished(ctx)
}

// newCheckRun returns a run that makes one pass at a time at first. It starts slowly,
// because the passes of idle companies refresh grants: an outage that begins now costs few
// of them.
func (h *handler) newCheckRun(s share) *checkRun {
	r := &checkRun{
		handler: h, share: s, passes: make(chan struct{}, cmp.Or(h.passes, defaultPasses)), ended: make(chan struct{}, 1),
		seen: map[int64]bool{}, busy: map[string]bool{}, limited: map[string]time.Time{},
	}
	for r.held < cap(r.passes)-1 {
		r.passes <- struct{}{}
		r.held++
	}
	return r
}

// turns lists the connections of a share that are due before the given time, one turn
// after the other.
func (h *handler) turns(ctx context.Context, s share, before time.Time, turns ...connections.Turn) iter.Seq2[connections.Key, error] {
	return func(yield func(connections.Key, error) bool) {
		for _, t := range turns {
			for key, err := range shards(s, h.now(), connections.Shards, func(shard int) iter.Seq2[connections.Key, error] {
				return h.store.Checks(ctx, t, shard, before)
			}) {
				if !yield(key, err) {
					return
				}
			}
		}
	}
}

// due lists the connections that are due: those with the first turn, which it lists again
// while the run is under way, and the others.
func (r *checkRun) due(ctx context.Context) iter.Seq2[connections.Key, error] {
	soon := func() time.Time { return r.now().Add(time.Second) }
	return func(yield func(connections.Key, error) bool) {
		listed := r.now()
		for key, err := range r.turns(ctx, r.share, soon(), connections.First, connections.Routine) {
			if r.now().Sub(listed) >= relistEvery {
				listed = r.now()
				for key, err := range r.turns(ctx, r.share, soon(), connections.First) {
					if !yield(key, err) {
						return
					}
				}
			}
			if !yield(key, err) {
				return
			}
		}
	}
}

// begin checks a connection's company once there is room for another pass. It reports
// whether it did, and not only put the company off to the end.
func (r *checkRun) begin(ctx context.Context, key connections.Key) bool {
	r.passes <- struct{}{}
	if r.over(ctx) || !r.take(key) {
		<-r.passes
		return false
	}
	r.all.Go(func() {
		defer r.release(key)
		defer func() {
			if p := recover(); p != nil {
				r.fail(panicked(key.CompanyID, p))
			}
		}()
		if err := r.check(ctx, key.CompanyID); err != nil {
			r.fail(err)
		}
	})
	return true
}

// panicked returns the error of a check that panicked, which is its company's failure
// alone. Only the value of a runtime error is certain to hold no secret.
func panicked(companyID int64, p any) error {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	return fmt.Errorf("the check of company %d panicked: %s\n%s", companyID, what, debug.Stack())
}

// over reports whether the rest is for the next run.
func (r *checkRun) over(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inVain >= maxInVain || outOfTime(ctx)
}

// take reports whether it is the company's turn, which it has once in a run.
func (r *checkRun) take(key connections.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch owner := key.Owner(); {
	case r.seen[key.CompanyID]:
		return false
	case r.busy[owner]:
		r.late = append(r.late, key)
		return false
	default:
		r.seen[key.CompanyID], r.busy[owner] = true, true
		return true
	}
}

func (r *checkRun) release(key connections.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, key.Owner())
	<-r.passes
	select {
	case r.ended <- struct{}{}:
	default:
	}
}

// fail notes an error, which does not stop the run.
func (r *checkRun) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed++; r.failed <= maxErrors {
		r.errs = append(r.errs, err)
	}
}

// finished logs what the run did, and returns its errors.
func (r *checkRun) finished(ctx context.Context) error {
	if r.made+r.waiting+r.failed > 0 {
		r.log.InfoContext(ctx, "companies checked", slog.Int("reconciled", r.made), slog.Int("rate_limited", r.waiting), slog.Int("failed", r.failed))
	}
	if more := r.failed - len(r.errs); more > 0 {
		r.errs = append(r.errs, fmt.Errorf("%d more companies were not checked", more))
	}
	return errors.Join(r.errs...)
}
