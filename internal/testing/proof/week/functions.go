package week

import (
	"context"
	"math/rand/v2"
	"time"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/reconcile"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

const (
	every  = 5 * time.Minute // between two runs of a function
	runs   = 4 * time.Minute // a run's longest time
	offset = time.Minute     // between the runs of the two functions
)

func (p *process) inbox() *inbox.Store {
	return &inbox.Store{DB: p.store.DB, Table: p.w.names.Inbox}
}

func (p *process) recovery() *recovery.Recoverer {
	return &recovery.Recoverer{Inbox: p.inbox(), Log: p.w.log}
}

// schedule calls run at once, and then regularly until the given time.
func (w *world) schedule(until time.Time, run func()) {
	for next := time.Now(); next.Before(until); next = next.Add(every) {
		w.until(next)
		run()
	}
}

// refresher is the function of that name, as far as it matters here: it refreshes what is
// due and checks the companies' hooks.
type refresher struct{ p *process }

func (f refresher) run() {
	ctx, cancel := context.WithTimeout(f.p.ctx, runs)
	defer cancel()
	w, store := f.p.w, f.p.store
	for shard := range tokens.Shards {
		for principal, err := range store.Tokens.Upkeep().Due(ctx, shard, tokens.Ahead) {
			if err == nil {
				_, err = store.Tokens.Upkeep().Refresh(ctx, principal, tokens.Ahead)
			}
			w.judge.failed("refresh", err)
		}
	}
	done, hooks := map[int64]bool{}, f.p.hooks()
	hooks.MaxWait = 12 * time.Second
	for i := range 2 * connections.Shards {
		turn := []connections.Turn{connections.First, connections.Routine}[i/connections.Shards]
		for key, err := range store.Checks(ctx, turn, i%connections.Shards, time.Now().Add(time.Second)) {
			if err == nil && !done[key.CompanyID] {
				_, err = hooks.Reconcile(ctx, key.CompanyID)
			}
			done[key.CompanyID] = true
			w.judge.failed("housekeeping", err)
		}
	}
}

// reconciler is the function of that name. Its process is killed at random.
type reconciler struct {
	w      *world
	p      *process // nil: the next run starts one
	random *rand.Rand
	until  time.Time // no run is later
	kills  int
	usual  int // operations of the last run that had work
}

func (f *reconciler) run() {
	if f.p == nil {
		f.p = f.w.process()
		f.p.counts = true
	}
	p := f.p
	p.mu.Lock()
	p.steps, p.dies = 0, f.dies()
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(p.ctx, runs)
	defer cancel()
	r := &reconcile.Reconciler{
		Store: p.store, Inbox: p.inbox(), Hooks: p.hooks(), Log: f.w.log,
		Want: reconcile.Config{Triggers: triggers(), Period: f.w.Period, PerOwner: f.w.PerOwner, PerApp: f.w.PerApp},
	}
	report, err := r.Run(ctx)
	f.w.judge.read()
	if p.isDead() {
		f.w.judge.killed++
		f.kills--
		f.p = nil
		return
	}
	if p.steps > idle {
		f.usual = p.steps
	}
	f.w.judge.ran(report, err)
}

// idle is how many operations a run has without work.
const idle = 2 * connections.Shards

// dies chooses the operation at which the next run dies, 0 for none, so that all kills
// happen in the time that is left.
func (f *reconciler) dies() int {
	left := max(int(time.Until(f.until)/every), 1)
	if f.kills == 0 || f.random.IntN(left) >= f.kills {
		return 0
	}
	return 1 + f.random.IntN(max(f.usual, idle/2))
}
