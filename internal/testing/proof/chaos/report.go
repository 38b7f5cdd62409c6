//go:build unix

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/kit/invarianttest"
)

const (
	maxLines     = 150 // of a timeline, or of violations
	maxTimelines = 5
)

// compareTransitions checks the seen transitions against the model's.
func (v *verdict) compareTransitions() {
	var forbidden []string
	forbidden, v.unseen = invarianttest.Compare(v.seen)
	for _, t := range forbidden {
		v.add("", "the model does not have the transition %s", t)
	}
}

// report prints the numbers and the timelines, and returns the number of violations.
func (v *verdict) report(out io.Writer, verbose bool) int {
	w := v.w
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	writes := 0
	for _, all := range v.rows {
		writes += len(all)
	}
	line("calls", "%s, of %d processes", &w.calls, len(w.processes))
	line("refreshes", "%d, %d writes of %d grants", v.refreshes, writes, len(w.people))
	line("killed", "%s", &w.kills)
	line("stopped", "%s", &w.stops)
	line("network", "%s", &w.network)
	line("Procore", "injected: %s", &w.injected)
	line("", "failed: %s", &w.failed)
	line("people", "%s", &w.actionCount)
	line("operator", "%s", &w.typedCount)
	line("new pairs", "%s", &v.fates)
	line("lost", "%s", &v.lost)
	line("in the logs", "token refreshed %d, refresh failed %d, refresh superseded %d, new pair queued for rescue %d, new pair lost %d, breaker opened %d, breaker closed %d",
		w.logs.get("token refreshed"), w.logs.get("refresh failed"), w.logs.get("refresh superseded"), w.logs.get("new pair queued for rescue"),
		w.logs.get("new pair lost"), w.logs.get("breaker opened"), w.logs.get("breaker closed"))
	line("expired claims", "%d of a process that was stopped then; %d pairs were stored after their claim had expired", v.outlived, v.storedLate)
	line("sent late", "%d, by processes that were stopped between the check of the clock and the first byte", v.sentLate)
	line("settled", "after %.0f s, the breaker after %.0f s", v.settled.Seconds(), v.breakerAfter.Seconds())
	line("at the end", "%s", &v.finals)
	line("connections", "%s", &v.connections)
	line("transitions", "%d seen; %d of the model not seen: %v", len(v.seen), len(v.unseen), v.unseen)
	v.timelines(out, verbose)
	if len(v.violations) == 0 {
		fmt.Fprintln(out, "chaos: all rules held")
	} else {
		fmt.Fprintf(out, "chaos: %d violations\n", len(v.violations))
	}
	return len(v.violations)
}

// timelines prints the violations and what led to them.
func (v *verdict) timelines(out io.Writer, verbose bool) {
	shown := map[string]bool{"": true}
	for _, one := range v.violations {
		fmt.Fprintf(out, "VIOLATION %s %s\n", one.row, one.text)
	}
	for _, one := range v.violations {
		if !shown[one.row] && len(shown) <= maxTimelines {
			shown[one.row] = true
			v.timeline(out, one.row)
		}
	}
	if !verbose {
		return
	}
	for _, p := range v.w.people {
		if !shown[p.row()] {
			v.timeline(out, p.row())
		}
	}
}

// event is a line of a timeline.
type event struct {
	at   time.Time
	text string
}

// timeline prints what happened to a grant, in order of time.
func (v *verdict) timeline(out io.Writer, row string) {
	var all []event
	add := func(at time.Time, format string, args ...any) {
		all = append(all, event{at, fmt.Sprintf(format, args...)})
	}
	who := map[*process]bool{}
	before := invariants.Row{}
	for _, w := range v.rows[row] {
		c := invariants.Change{Old: before, New: w.row}
		pair := v.pairs[w]
		add(w.at, "write   %-18s rev %d gen %d %-40s pair %s attempt %.6s %s", nameOf(w.p), w.row.Rev, w.row.Generation, c.Transition(), fingerprint(pair), w.row.Attempt, w.row.Reason)
		if w.restored {
			add(w.at, "write   restored from a backup")
		}
		who[w.p], before = true, w.row
	}
	for _, c := range v.w.provider.calls {
		if !slices.Contains(v.w.provider.owners[cmp.Or(c.token, c.pair)], row) {
			continue
		}
		kind := "refresh"
		if c.revoke {
			kind = "revoke"
		}
		add(c.at, "%-7s %-18s token %s: status %d %s, pair %s, %s after %v, clean %t", kind, nameOf(c.p), c.token, c.status, c.code, c.pair, c.answer, c.done.Sub(c.at).Round(time.Millisecond), c.clean())
		who[c.p] = true
	}
	for _, d := range v.w.actions {
		if d.row == row || d.row == "" && v.w.of(row).has(d.company) {
			add(d.at, "people  %s %d %s %s", d.what, d.company, d.mode, d.pair)
		}
	}
	for _, r := range v.w.rescues {
		if r.Environment+"#"+string(r.Principal) == row {
			add(r.at, "rescue  %-18s of generation %d, attempt %.6s", r.p.name, r.Generation, r.Attempt)
		}
	}
	for _, e := range v.w.entries {
		if environment+"#"+e.Principal == row {
			add(e.at, "log     %-18s %s %s %v", e.p.name, e.Message, e.Outcome, e.Error)
		}
	}
	for p := range who {
		if p != nil {
			p.timeline(add)
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.at.Compare(b.at) })
	fmt.Fprintf(out, "\nthe timeline of %s, its last %d lines; seconds since the start\n", row, min(len(all), maxLines))
	for _, e := range all[max(0, len(all)-maxLines):] {
		fmt.Fprintf(out, "%s  %s\n", v.w.since(e.at), e.text)
	}
}

func nameOf(p *process) string {
	if p == nil {
		return "driver"
	}
	return p.name
}

// timeline adds what happened to the process.
func (p *process) timeline(add func(time.Time, string, ...any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.killedAt.IsZero() {
		add(p.killedAt, "process %-18s killed", p.name)
	}
	for _, s := range p.stops {
		add(s.from, "process %-18s stopped", p.name)
		add(s.to, "process %-18s continued", p.name)
	}
	for _, s := range p.cutDynamo {
		add(s.from, "process %-18s cut off from the table for %v", p.name, s.to.Sub(s.from).Round(time.Second))
	}
	for _, s := range p.cutQueue {
		add(s.from, "process %-18s cut off from the rescue queue for %v", p.name, s.to.Sub(s.from).Round(time.Second))
	}
}
