package handler

import (
	"iter"
	"time"
)

const (
	// cycle is how often each share has its turn. The schedule of several shares runs
	// more often, at a share's turn each time.
	cycle = 5 * time.Minute
	// maxShares is how many turns a cycle has: a schedule runs once a minute at most.
	maxShares = int(cycle / time.Minute)
)

// share is the part of all grants and companies that a run works on: some shards of their
// indexes. So several runs at once never have a grant or a company in common.
type share struct{ index, of int }

// whole is the only share of most deployments, and that of a run by hand.
var whole = share{0, 1}

// turn returns the share whose turn the schedule's time is. Without a time, as in a run by
// hand, it is the whole: a run too many does no harm, and a share without one would.
//
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
func turn(scheduledAt string, of int) share {
	scheduled, err := time.Parse(time.RFC3339, scheduledAt)
	if of <= 1 || err != nil {
		return whole
	}
	each := int64(cycle/time.Second) / int64(of)
	return share{int(scheduled.Unix() / each % int64(of)), of}
}

// first reports whether the run also does what is done once for all shares.
func (s share) first() bool { return s.index == 0 }

// has reports whether a shard is in the share.
func (s share) has(shard int) bool { return shard%s.of == s.index }

// shards lists what there is to do in the share's shards, of n. Each run begins at another
// one, so that a run that does not reach the end never leaves out the same rows for long.
func shards[T any](s share, now time.Time, n int, list func(shard int) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		first := int(now.Unix()/60) % n
		for i := range n {
			shard := (first + i) % n
			if !s.has(shard) {
				continue
			}
			for one, err := range list(shard) {
				if !yield(one, err) {
					return
				}
			}
		}
	}
}
