package system

import (
	"maps"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
)

// late judges what becomes of pairs that arrive when their grant has ended: R8. None of them revives it, and none lives on
// at Procore after a revocation.
type late struct {
	court
	after  func(d time.Duration, name string, do func())
	waits  func(pair *simulation.Pair) bool // it is in the rescue queue
	begins time.Time                        // of all that it knows

	rows    map[string]invariants.Row // of grants
	rescued map[*simulation.Pair]bool
	marked  map[string]bool // grants that were ended as those of a copied table
}

func newLate(c court, rows map[string]invariants.Row, after func(time.Duration, string, func()), waits func(*simulation.Pair) bool) *late {
	return &late{court: c, after: after, waits: waits, rows: rows, rescued: map[*simulation.Pair]bool{}, marked: map[string]bool{}}
}

// rechecks is how often a pair is looked for after a revocation: while Procore still ends it.
const (
	rechecks = 16
	recheck  = 5 * time.Minute
)

// restored learns that rows are not what they were. A rescued pair that does not wait any more may be lost with its row.
func (l *late) restored() {
	l.begins = l.now()
	clear(l.marked)
	maps.DeleteFunc(l.rescued, func(pair *simulation.Pair, _ bool) bool { return !l.waits(pair) })
}

// wrote checks a write of a grant. spent is the pair that it had last, and pair the one that it has; nil: none.
func (l *late) wrote(by string, c invariants.Change, spent, pair *simulation.Pair) {
	key := c.New.Key()
	if c.New.State == "active" && c.Old.State != "active" {
		if pair != nil && pair.Ended == procoretest.ByEndpoint {
			l.problem("R8: %s makes %s active with a pair that was revoked", by, key)
		}
		if l.marked[key] && pair != nil && pair.Authorizations == 0 {
			l.problem("R8: %s makes %s active by a pair that no one authorized, though its table was a copy", by, key)
		}
		delete(l.marked, key)
	}
	if c.New.State == "revoked" && c.Old.State != "revoked" && spent != nil {
		l.outlives(key, c.New.ReasonAt, spent, 1)
	}
}

// outlives checks now and then that the pair that the last one of a revoked grant was spent for has ended at Procore, if
// it was rescued and is not in the queue any more.
func (l *late) outlives(key string, at int64, spent *simulation.Pair, times int) {
	from := l.now()
	l.after(recheck, "R8 of "+key, func() {
		row, next := l.rows[key], spent.Next
		if row.State != "revoked" || row.ReasonAt != at || l.begins.After(from) || next == nil {
			return
		}
		if next.Live() && l.rescued[next] && next.Authorizations == 0 && l.now().Before(next.Expires) && !l.waits(next) {
			l.problem("R8: a late pair of %s lives on at Procore, after its revocation", key)
			return
		}
		if times < rechecks {
			l.outlives(key, at, spent, times+1)
		}
	})
}

// revoked checks that the pair of a grant is revoked by the holder of its claim alone.
func (l *late) revoked(by, key string, pair, held *simulation.Pair) {
	row := l.rows[key]
	if row.State == "active" && !row.Revoking() && held == pair && l.now().Sub(l.begins) > lateStore {
		l.problem("R8: %s revokes the pair of %s, which is active", by, key)
	}
}

// usable is a grant that may be used, and its pair.
type usable struct {
	pair           *simulation.Pair
	authorizations int
}

// usables returns the grants that may be used. held are their pairs.
func (l *late) usables(held map[string]*simulation.Pair) map[string]usable {
	all := map[string]usable{}
	for key, row := range l.rows {
		if pair := held[key]; row.Usable() && pair != nil {
			all[key] = usable{pair, pair.Authorizations}
		}
	}
	return all
}

// marks learns that a person has ended all grants as those of a copied table. None of them has the pair of before, unless
// Procore issued it once more, or a revocation holds it.
func (l *late) marks(before map[string]usable, held map[string]*simulation.Pair) {
	each(before, func(key string, was usable) {
		row := l.rows[key]
		switch {
		case row.State == "reauthorize":
			l.marked[key] = true
		case row.Usable() && row.Attempt == "" && held[key] == was.pair && was.pair.Authorizations == was.authorizations:
			l.problem("R1: %s is used, though its table was marked as a copy", key)
		}
	})
}
