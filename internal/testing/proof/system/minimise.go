package system

import (
	"slices"
	"strings"
	"time"
)

// minimise makes a run that failed smaller, as long as the time allows and its first
// problem remains: fewer days, fewer companies, fewer kinds of faults and features, and
// fewer faults. It returns the smallest run. Whether the problem remains is all that it can
// ask, because a run without one fault is another run from there on.
func minimise(r *Result, most time.Duration, run func(c Config) *Result, logf func(format string, args ...any)) *Result {
	m := &minimiser{best: r, problem: words(r.Problems[0]), until: time.Now().Add(most), run: run, logf: logf}
	for again := true; again && !m.late(); {
		again = m.days()
		again = m.companies() || again
		again = m.features() || again
		logf("%d faults, %s", m.best.Faults, m.best.Replay())
	}
	m.faults()
	return m.best
}

// minimiser has the smallest run so far.
type minimiser struct {
	best    *Result
	problem string
	until   time.Time
	run     func(c Config) *Result
	logf    func(format string, args ...any) // reports each try: one may take minutes
}

// words are the first words of a problem, without what differs from run to run.
func words(problem string) string {
	all := strings.Fields(problem)
	all = slices.DeleteFunc(all, func(w string) bool { return strings.ContainsAny(w, "0123456789") && !strings.HasPrefix(w, "R") })
	return strings.Join(all[:min(len(all), 5)], " ")
}

func (m *minimiser) late() bool { return time.Now().After(m.until) }

// try makes a run, and keeps it if it has the problem.
func (m *minimiser) try(c Config) bool {
	if m.late() {
		return false
	}
	r := m.run(c)
	found := slices.ContainsFunc(r.Problems, func(p string) bool { return words(p) == m.problem })
	m.logf("%t: %d companies, %v, %d faults, without %d", found, c.Companies, c.Time, r.Faults, len(c.Without))
	if found {
		m.best = r
	}
	return found
}

// days lets the run end after its problem, and halves the time. Until the problem, a run
// that ends after it is the same one.
func (m *minimiser) days() (any bool) {
	if c := m.best.Config; m.best.Found < c.Time {
		c.Time = m.best.Found.Truncate(time.Minute) + time.Minute
		any = c.Time < m.best.Config.Time && m.try(c)
	}
	for {
		c := m.best.Config
		if c.Time = (c.Time / 2).Round(time.Minute); c.Time < time.Hour || !m.try(c) {
			return any
		}
		any = true
	}
}

// companies halves their number, then takes one away at a time.
func (m *minimiser) companies() (any bool) {
	for _, fewer := range []func(n int) int{func(n int) int { return n / 2 }, func(n int) int { return n - 1 }} {
		for {
			c := m.best.Config
			if c.Companies = fewer(c.Companies); c.Companies < 1 || !m.try(c) {
				break
			}
			any = true
		}
	}
	return any
}

// features takes away kinds of faults and features, many at once first.
func (m *minimiser) features() bool {
	return m.halve(func(r *Result) []string { return r.Features }, func(without []string, c *Config) {
		c.Without = append(slices.Clone(c.Without), without...)
	})
}

// faults takes away faults, many at once first.
func (m *minimiser) faults() {
	happened := func(r *Result) []string { return r.Happened }
	m.halve(happened, func(without []string, c *Config) {
		c.Faults = slices.DeleteFunc(slices.Clone(happened(m.best)), func(f string) bool { return slices.Contains(without, f) })
	})
}

// halve takes parts of what a run has away, from its half down to one at a time.
func (m *minimiser) halve(of func(r *Result) []string, without func(part []string, c *Config)) (any bool) {
	all := of(m.best)
	for size := (len(all) + 1) / 2; size > 0 && !m.late(); size /= 2 {
		for part := range slices.Chunk(all, size) {
			left := slices.DeleteFunc(slices.Clone(part), func(one string) bool { return !slices.Contains(of(m.best), one) })
			if len(left) == 0 {
				continue
			}
			c := m.best.Config
			without(left, &c)
			any = m.try(c) || any
		}
	}
	return any
}
