package week

import (
	"fmt"
	"slices"
	"time"
)

// allowed returns how long the event of a change may take, if it came at the given time.
// What counts is the longest lag that a run reported since then, and how long none did,
// because it was killed.
func (j *judge) allowed(at, found time.Time) time.Duration {
	longest, silent, last := time.Duration(0), time.Duration(0), at
	for _, l := range j.lags {
		if l.at.After(at) && l.at.Before(found.Add(every)) {
			longest, silent, last = max(longest, l.d), max(silent, l.at.Sub(last)), l.at
		}
	}
	return j.w.Period + longest + max(silent, found.Sub(last)) + runs
}

// result is what the judge found.
type result struct {
	changes, items     int
	lost               int // deliveries
	stored, reconciled int // events
	needless           int // of those that were reconciled: their own event came too
	missing, late      int
	slowest            time.Duration // from a change to its event
	calm, outage       float64       // events for a change, outside the outage and in it
	calls              int           // of the reconciler
	perOwner, perApp   int           // of them, most in an hour
	lag                time.Duration // the longest that was reported
	limited            int           // calls that were answered 429
	killed             int
	errors             map[string]int
	problems           []string
}

// String returns the numbers.
func (r result) String() string {
	return fmt.Sprintf("%d changes of %d items; %d deliveries lost; %d events, %d of them reconciled, %d needlessly\n"+
		"%d items missing, %d events late, the slowest after %v; longest lag %v\n"+
		"%.3f events a change, %.3f in the outage\n"+
		"%d calls, in an hour at most %d of an owner and %d of all; %d rate limited; %d processes killed; errors of runs: %v",
		r.changes, r.items, r.lost, r.stored, r.reconciled, r.needless, r.missing, r.late, r.slowest.Round(time.Minute), r.lag.Round(time.Minute),
		r.calm, r.outage, r.calls, r.perOwner, r.perApp, r.limited, r.killed, r.errors)
}

// verdict judges all.
func (j *judge) verdict() (r result) {
	j.read()
	j.mu.Lock()
	defer j.mu.Unlock()
	var happened, of [2]float64 // in calm, and in the outage
	for i, changes := range j.changes {
		r.items++
		events := j.events[i]
		for _, e := range events {
			r.stored++
			if e.reconciled {
				r.reconciled++
			}
			happened[j.outage(e.happened)]++
			if e.reconciled && slices.ContainsFunc(events, func(own stored) bool { return !own.reconciled && own.happened.Equal(e.happened) }) {
				r.needless++
			}
		}
		for _, at := range changes {
			r.changes++
			of[j.outage(at)]++
		}
		j.item(&r, i, changes, events)
	}
	r.calm, r.outage = happened[0]/max(of[0], 1), happened[1]/max(of[1], 1)
	for h, n := range j.calls {
		if h.company == 0 {
			r.perApp = max(r.perApp, n)
			r.calls += n
		} else {
			r.perOwner = max(r.perOwner, n)
		}
	}
	r.lost, r.limited, r.killed, r.errors = len(j.w.fake.State().Lost), j.limited, j.killed, j.errors
	for _, l := range j.lags {
		r.lag = max(r.lag, l.d)
	}
	r.problems = append(r.problems, j.problems...)
	j.sums(&r)
	return r
}

// maxRatio is how many events a change may have.
const maxRatio = 1.02

// sums judges what is counted.
func (j *judge) sums(r *result) {
	if r.calm > maxRatio || r.outage > maxRatio {
		r.report("%.3f events for each change, and %.3f in the outage, not %v", r.calm, r.outage, maxRatio)
	}
	if float64(r.needless) > (maxRatio-1)*float64(r.changes) {
		r.report("%d changes were reconciled although their own event came", r.needless)
	}
	if r.perOwner > j.w.PerOwner || r.perApp > j.w.PerApp {
		r.report("%d calls of an owner and %d of the app in an hour, not %d and %d", r.perOwner, r.perApp, j.w.PerOwner, j.w.PerApp)
	}
	if r.killed != j.w.Kills {
		r.report("the reconciler was killed %d times, not %d", r.killed, j.w.Kills)
	}
	if j.last != nil {
		r.report("the reconciler's last error: %v", j.last)
	}
	if j.w.Lost > 0 && r.lost == 0 {
		r.report("no delivery was lost")
	}
}

// item judges the changes of an item: an event is stored after the last one, and each event
// came in time for the last change before it. What a later change replaced before that is
// no state that anybody could still read.
func (j *judge) item(r *result, i item, changes []time.Time, events []stored) {
	for _, e := range events {
		n := 0
		for n < len(changes) && !changes[n].After(e.at) {
			n++
		}
		if n == 0 {
			continue
		}
		at := changes[n-1]
		changes = changes[n:]
		took := e.at.Sub(at)
		r.slowest = max(r.slowest, took)
		if most := j.allowed(at, e.at); took > most {
			r.late++
			r.report("%v changed at %v, and its event came after %v, not %v", i, j.since(at), took, most)
		}
	}
	if len(changes) > 0 {
		r.missing++
		r.report("%v changed at %v, and no event was stored since", i, j.since(changes[len(changes)-1]))
	}
}

// report adds a problem, of which a few are enough to read.
func (r *result) report(format string, args ...any) {
	if len(r.problems) < 20 {
		r.problems = append(r.problems, fmt.Sprintf(format, args...))
	}
}

// outage returns 1 for what happened in the outage.
func (j *judge) outage(at time.Time) int {
	if !at.Before(j.w.outage) && at.Before(j.w.over) {
		return 1
	}
	return 0
}

func (j *judge) since(at time.Time) time.Duration { return at.Sub(j.w.began) }
