package tokens

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/proof/invariants"
)

// The exploration of the real code: see run. Each failure prints a line to
// repeat it by, such as
//
//	EXPLORE_SCHEDULE='two:4=3,9=1' go test -run TestExploreReplay -v ./pkg/tokens
//
// EXPLORE_TIME=10m goes on with further seeds for that time, from
// EXPLORE_SEED on, or from where the clock says.

const (
	// guessed is how many seeds are tried without EXPLORE_TIME, in all, and
	// patience for how long a test goes on at most: a busy machine or the race
	// detector makes the schedules fewer, never others.
	guessed  = 60_000
	patience = 35 * time.Second
	// repeated is how many seeds are run again, also on dynamotest.
	repeated = 600
	// shards run at once.
	shards = 2
	// enough failures to look at.
	enough = 3
)

// tally is what an exploration found, of all shards.
type tally struct {
	mu          sync.Mutex
	seen        map[uint64]struct{}
	runs        int
	start       time.Time // of the first run
	patience    time.Duration
	failures    int
	transitions invariants.Transitions
	events      map[string]int // and in how many schedules
}

func newTally(d time.Duration) *tally {
	return &tally{
		seen: map[uint64]struct{}{}, events: map[string]int{}, transitions: invariants.Transitions{},
		patience: d,
	}
}

// late says that the time for further seeds is over. It begins with the first
// schedule.
func (y *tally) late() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return time.Since(y.start) > y.patience
}

// add takes a run in, and says whether there are failures enough.
func (y *tally) add(scenario string, d decisions, x *run) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.runs++; y.runs == 1 {
		y.start = time.Now()
	}
	y.seen[d.hash(scenario)] = struct{}{}
	for _, c := range x.writes.Changes {
		if x.events["backup"] > 0 {
			break // the model has no operator who puts a row back in the middle, and no second sending
		}
		if line := c.Transition(); line != "" && strings.HasPrefix(c.New.Principal, "user#") {
			y.transitions[line] = true
		}
	}
	for name, n := range x.events {
		if n > 0 {
			y.events[name]++
		}
	}
	if len(x.problems) > 0 {
		y.failures++
	}
	return y.failures >= enough
}

// try runs one schedule and reports what is wrong with it.
func (e *exploration) try(t *testing.T, y *tally, s scenario, c chooser) (x *run, goOn bool) {
	t.Helper()
	x = e.schedule(t, s, c)
	d := made(c)
	over := y.add(s.name, d, x)
	if len(x.problems) > 0 {
		e.report(t, s, d, x.problems)
	}
	return x, !over
}

func made(c chooser) decisions {
	switch c := c.(type) {
	case *deviating:
		return c.made
	case *guessing:
		return c.made
	}
	return nil
}

// report shortens a schedule that fails, and prints it.
func (e *exploration) report(t *testing.T, s scenario, d decisions, problems []string) {
	t.Helper()
	from, err := parseDecisions(d.String())
	if err != nil {
		t.Fatal(err)
	}
	for again := true; again; {
		again = false
		for _, place := range slices.Backward(places(from)) {
			fewer := without(from, place)
			if x := e.schedule(t, s, &deviating{from: fewer}); len(x.problems) > 0 {
				from, problems, again = fewer, x.problems, true
			}
		}
	}
	traced := *e
	traced.tracing = true
	c := &deviating{from: from}
	x := traced.schedule(t, s, c)
	t.Errorf("%s\nEXPLORE_SCHEDULE='%s:%s'\n%s", strings.Join(problems, "\n"), s.name, c.made, strings.Join(x.trace, "\n"))
}

func TestExplore(t *testing.T) {
	t.Parallel()
	enoughTime := patience
	if racing {
		enoughTime /= 4
	}
	y := newTally(cmp.Or(explorationTime(t), enoughTime))
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // little lives longer than a schedule
	t.Run("schedules", func(t *testing.T) {
		for shard := range shards {
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				e := newExploration(true)
				_ = e.systematic(t, y, shard) && e.random(t, y, shard)
			})
		}
	})
	t.Logf("%d schedules, %d of them distinct, in %v", y.runs, len(y.seen), time.Since(y.start).Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(y.events)) {
		t.Logf("%7d with %s", y.events[name], name)
	}
	y.compare(t)
}

// systematic tries each scenario without a fault, with every single deviation
// from that, and the smallest with every two.
func (e *exploration) systematic(t *testing.T, y *tally, shard int) bool {
	t.Helper()
	for i, s := range scenarios() {
		if i%shards != shard {
			continue
		}
		depth := 1
		if s.name == "one" && !racing {
			depth = 2
		}
		if !e.deviate(t, y, s, map[int]int{}, 0, depth) {
			return false
		}
	}
	return true
}

// deviate tries the schedule with the deviations given, and with up to depth
// more of them, from the place on.
func (e *exploration) deviate(t *testing.T, y *tally, s scenario, from map[int]int, place, depth int) bool {
	t.Helper()
	c := &deviating{from: from}
	if _, goOn := e.try(t, y, s, c); !goOn {
		return false
	}
	for ; depth > 0 && place < len(c.open); place++ {
		for _, n := range c.open[place] {
			further := without(from, -1)
			further[place] = n
			if !e.deviate(t, y, s, further, place+1, depth-1) {
				return false
			}
		}
	}
	return true
}

// random tries seeds.
func (e *exploration) random(t *testing.T, y *tally, shard int) bool {
	t.Helper()
	first, all := uint64(0), uint64(guessed)
	if explorationTime(t) > 0 {
		first, all = uint64(time.Now().UnixNano()), math.MaxUint64
	}
	if text := os.Getenv("EXPLORE_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("EXPLORE_SEED: %v", err)
		}
		first = n
	}
	for n := uint64(shard); n < all && !y.late(); n += shards {
		if !e.seed(t, y, first+n) {
			t.Logf("found at seed %d", first+n)
			return false
		}
	}
	return true
}

// explorationTime is EXPLORE_TIME, or 0.
func explorationTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("EXPLORE_TIME")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("EXPLORE_TIME: %v", err)
	}
	return d
}

// seed tries one seed: half of them a scenario as it is, half anything.
func (e *exploration) seed(t *testing.T, y *tally, seed uint64) bool {
	t.Helper()
	all := scenarios()
	s := all[len(all)-1]
	if seed%2 == 0 {
		s = all[seed/2%uint64(len(all))]
	}
	_, goOn := e.try(t, y, s, guess(seed))
	return goOn
}

// compare holds the transitions that were seen against those that the model
// allows.
func (y *tally) compare(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../../spec/transitions.txt")
	if err != nil {
		var lines []string
		for line := range y.transitions {
			lines = append(lines, line)
		}
		slices.Sort(lines)
		t.Logf("there is no spec/transitions.txt; seen:\n%s", strings.Join(lines, "\n"))
		return
	}
	allowed, err := invariants.ParseTransitions(string(text))
	if err != nil {
		t.Fatal(err)
	}
	forbidden, unseen := allowed.Compare(y.transitions)
	for _, line := range forbidden {
		t.Errorf("the model does not know the transition %s", line)
	}
	t.Logf("transitions of the model that no schedule showed:\n%s", strings.Join(unseen, "\n"))
}

// TestExploreReplay repeats the schedule of EXPLORE_SCHEDULE and prints it.
func TestExploreReplay(t *testing.T) {
	t.Parallel()
	name, text, _ := strings.Cut(cmp.Or(os.Getenv("EXPLORE_SCHEDULE"), "two:4=2"), ":")
	from, err := parseDecisions(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(scenarios(), breakers()...) {
		if s.name != name {
			continue
		}
		e := newExploration(false)
		e.tracing = true
		x := e.schedule(t, s, &deviating{from: from})
		t.Logf("%s", strings.Join(x.trace, "\n"))
		for _, p := range x.problems {
			t.Error(p)
		}
		return
	}
	t.Fatalf("there is no scenario %q", name)
}

// The same seed gives the same schedule, to the letter; and so do its
// decisions, and so do the quick tables and dynamotest.
func TestExploreRepeats(t *testing.T) {
	t.Parallel()
	e, slow := newExploration(true), newExploration(false)
	e.tracing, slow.tracing = true, true
	all := scenarios()
	until := time.Now().Add(patience / 4)
	for seed := range uint64(repeated) {
		if time.Now().After(until) {
			t.Logf("%d seeds; the time is over", seed)
			break
		}
		s := all[seed%uint64(len(all))]
		c := guess(seed)
		first := strings.Join(e.schedule(t, s, c).trace, "\n")
		again := strings.Join(e.schedule(t, s, guess(seed)).trace, "\n")
		from, err := parseDecisions(c.made.String())
		if err != nil {
			t.Fatal(err)
		}
		replayed := strings.Join(e.schedule(t, s, &deviating{from: from}).trace, "\n")
		dynamo := strings.Join(slow.schedule(t, s, guess(seed)).trace, "\n")
		for what, got := range map[string]string{"seed on dynamotest": dynamo, "seed": again, "decisions": replayed} {
			if got != first {
				t.Fatalf("%s, seed %d: the same %s gave another schedule:\n%s", s.name, seed, what, difference(first, got))
			}
		}
	}
}

func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d:\n%s\n%s\nafter\n%s", i, x[i], y[i], strings.Join(x[max(0, i-20):i], "\n"))
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}
