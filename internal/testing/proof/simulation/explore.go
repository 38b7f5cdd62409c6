package simulation

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Exploration tries schedules of scenarios.
type Exploration struct {
	Scenarios []Scenario
	Tables    []*dynamodb.CreateTableInput // that each world has
	Command   string                       // repeats a schedule that is in EXPLORE_SCHEDULE

	// Seeds are tried after the systematic search, from First on; 0: without end.
	Seeds, First uint64
	// MaxTime is after how much time no further seed is tried. A busy machine makes the
	// schedules fewer, never others.
	MaxTime time.Duration
	// Shards run at once; 0: 1.
	Shards int

	// Done is called after each schedule, one at a time. nil: it is not called.
	Done func(s Scenario, w *World)

	mu       sync.Mutex // guards all below
	seen     map[uint64]struct{}
	runs     int
	start    time.Time // of the first schedule
	failures int
	events   map[string]int // in how many schedules each event happened
}

// enough failures to read.
const enough = 3

// Environment overrides what the variables define: EXPLORE_TIME=10m how long further
// seeds are tried, EXPLORE_SEED the first one, or else the clock does, EXPLORE_SEEDS how
// many, and EXPLORE_SCENARIO the only scenario.
func (e *Exploration) Environment(t *testing.T) {
	t.Helper()
	number := func(name string) (n uint64, ok bool) {
		text := os.Getenv(name)
		if text == "" {
			return 0, false
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n, true
	}
	if text := os.Getenv("EXPLORE_TIME"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("EXPLORE_TIME: %v", err)
		}
		e.MaxTime, e.Seeds, e.First = d, 0, uint64(time.Now().UnixNano())
	}
	if name := os.Getenv("EXPLORE_SCENARIO"); name != "" {
		e.Scenarios = slices.DeleteFunc(e.Scenarios, func(s Scenario) bool { return s.Name != name })
	}
	if n, ok := number("EXPLORE_SEEDS"); ok {
		e.Seeds = n
	}
	if n, ok := number("EXPLORE_SEED"); ok {
		e.First = n
	}
}

// schedule runs one schedule of a scenario.
func (e *Exploration) schedule(t *testing.T, on *dynamodb.Client, s Scenario, c chooser, tracing bool) (w *World) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w = &World{chooser: c, events: map[string]int{}, tracing: tracing}
		w.Tables = newTables(w, on, e.Tables)
		w.Services = newServices(w)
		s.Setup(w)
		w.play()
	})
	return w
}

// Run makes the systematic search and tries seeds.
func (e *Exploration) Run(t *testing.T) {
	t.Helper()
	e.seen, e.events = map[uint64]struct{}{}, map[string]int{}
	t.Run("schedules", func(t *testing.T) {
		for shard := range max(e.Shards, 1) {
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				on := quickClient()
				_ = e.systematic(t, on, shard) && e.random(t, on, shard)
			})
		}
	})
	took := time.Since(e.start)
	t.Logf("%d schedules, %d of them distinct, in %v: %.0f a second",
		e.runs, len(e.seen), took.Round(time.Second), float64(e.runs)/took.Seconds())
	for _, name := range slices.Sorted(maps.Keys(e.events)) {
		t.Logf("%7d with %s", e.events[name], name)
	}
}

// systematic tries each scenario without a fault, and with every combination of up to
// Depth deviations from that.
func (e *Exploration) systematic(t *testing.T, on *dynamodb.Client, shard int) bool {
	t.Helper()
	for i, s := range e.Scenarios {
		if i%max(e.Shards, 1) == shard && !e.deviate(t, on, s, deviations{}, 0, cmp.Or(s.Depth, 1)) {
			return false
		}
	}
	return true
}

// deviate tries the schedule with these deviations, and with up to depth more of them
// from the place on.
func (e *Exploration) deviate(t *testing.T, on *dynamodb.Client, s Scenario, from deviations, place, depth int) bool {
	t.Helper()
	c := &deviating{from: from}
	if !e.try(t, on, s, c) {
		return false
	}
	for ; depth > 0 && place < len(c.open); place++ {
		for _, n := range c.open[place] {
			further := maps.Clone(from)
			further[place] = n
			if !e.deviate(t, on, s, further, place+1, depth-1) {
				return false
			}
		}
	}
	return true
}

// random tries seeds.
func (e *Exploration) random(t *testing.T, on *dynamodb.Client, shard int) bool {
	t.Helper()
	shards, all := uint64(max(e.Shards, 1)), cmp.Or(e.Seeds, math.MaxUint64)
	for n := uint64(shard); n < all && !e.late(); n += shards {
		if !e.try(t, on, e.drawn(e.First+n), guess(e.First+n)) {
			t.Logf("found at seed %d", e.First+n)
			return false
		}
	}
	return true
}

// drawn returns the scenario of a seed.
func (e *Exploration) drawn(seed uint64) Scenario {
	total := 0
	for _, s := range e.Scenarios {
		total += max(s.Weight, 1)
	}
	h := fnv.New64a()
	fmt.Fprint(h, seed)
	n := int(h.Sum64() >> 16 % uint64(total))
	for _, s := range e.Scenarios {
		if n -= max(s.Weight, 1); n < 0 {
			return s
		}
	}
	panic("no scenario")
}

// late reports whether the time for further seeds is over. It begins with the first
// schedule.
func (e *Exploration) late() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Since(e.start) > e.MaxTime
}

// try runs one schedule and reports what is wrong with it. It returns false when there
// are failures enough.
func (e *Exploration) try(t *testing.T, on *dynamodb.Client, s Scenario, c chooser) bool {
	t.Helper()
	w := e.schedule(t, on, s, c, false)
	goesOn := e.add(s, c, w)
	if len(w.problems) > 0 {
		e.report(t, on, s, c.decisions(), w.problems)
	}
	return goesOn
}

func (e *Exploration) add(s Scenario, c chooser, w *World) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runs++; e.runs == 1 {
		e.start = time.Now()
	}
	e.seen[c.decisions().hash(s.Name)] = struct{}{}
	for name, n := range w.events {
		if n > 0 {
			e.events[name]++
		}
	}
	if len(w.problems) > 0 {
		e.failures++
	}
	if e.Done != nil {
		e.Done(s, w)
	}
	return e.failures < enough
}

// report shortens a schedule that fails, and prints it.
func (e *Exploration) report(t *testing.T, on *dynamodb.Client, s Scenario, d decisions, problems []string) {
	t.Helper()
	from, err := parseDeviations(d.String())
	if err != nil {
		t.Fatal(err)
	}
	for again := true; again; {
		again = false
		for _, place := range slices.Backward(from.places()) {
			fewer := from.without(place)
			if w := e.schedule(t, on, s, &deviating{from: fewer}, false); len(w.problems) > 0 {
				from, problems, again = fewer, w.problems, true
			}
		}
	}
	c := &deviating{from: from}
	w := e.schedule(t, on, s, c, true)
	e.mu.Lock()
	runs := e.runs
	e.mu.Unlock()
	t.Errorf("%s\nafter %d schedules:\nEXPLORE_SCHEDULE='%s:%s' %s\n%s",
		strings.Join(problems, "\n"), runs, s.Name, c.made, e.Command, w.Trace())
}

// Replay repeats a schedule, as a failure prints it, and prints its trace.
func (e *Exploration) Replay(t *testing.T, schedule string) {
	t.Helper()
	name, text, _ := strings.Cut(schedule, ":")
	from, err := parseDeviations(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range e.Scenarios {
		if s.Name != name {
			continue
		}
		w := e.schedule(t, wireClient(), s, &deviating{from: from}, true)
		t.Logf("%s", w.Trace())
		for _, p := range w.problems {
			t.Error(p)
		}
		return
	}
	t.Fatalf("there is no scenario %q", name)
}

// Repeats checks that a seed always leads to the same schedule, to the letter. So do its
// decisions, and the quick tables and dynamotest.
func (e *Exploration) Repeats(t *testing.T) {
	t.Helper()
	quick, slow := quickClient(), wireClient()
	until := time.Now().Add(e.MaxTime)
	for seed := range e.Seeds {
		if time.Now().After(until) {
			t.Logf("%d seeds; the time is over", seed)
			return
		}
		s := e.Scenarios[seed%uint64(len(e.Scenarios))]
		c := guess(seed)
		first := e.schedule(t, quick, s, c, true).Trace()
		from, err := parseDeviations(c.made.String())
		if err != nil {
			t.Fatal(err)
		}
		for what, got := range map[string]*World{
			"seed":                e.schedule(t, quick, s, guess(seed), true),
			"decisions":           e.schedule(t, quick, s, &deviating{from: from}, true),
			"seed on dynamotest,": e.schedule(t, slow, s, guess(seed), true),
		} {
			if got := got.Trace(); got != first {
				t.Fatalf("%s, seed %d: the same %s led to another schedule:\n%s", s.Name, seed, what, difference(first, got))
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
