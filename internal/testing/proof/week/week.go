package week

import (
	"math/rand/v2"
	"sync"
	"time"
)

// run lets the time pass.
func (w *world) run() {
	w.populate()
	rest := w.ends.Add(2*w.Period + 2*time.Hour)
	var all sync.WaitGroup
	all.Go(w.changes)
	all.Go(func() { w.schedule(rest, refresher{w.process()}.run) })
	all.Go(func() {
		w.pause(offset)
		f := &reconciler{w: w, random: rand.New(rand.NewPCG(w.Seed, 1)), until: w.ends, kills: w.Kills}
		w.schedule(rest, f.run)
	})
	all.Wait()
}
