package system

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// settle is how long all goes well before the judge looks: longer than any backoff, and
// two periods of reconciliation.
const settle = 14 * time.Hour

// small is the size of runs that are made twice.
var small = Config{Companies: 3, Time: 12 * time.Hour, Settle: settle, Events: usualEvents}

// seeded is the configuration with a seed.
func (c Config) seeded(seed uint64) Config {
	c.Seed = seed
	return c
}

// runs makes runs, as many at once as there are processors, and returns all of them.
func runs(t *testing.T, all []Config) (results []*Result) {
	t.Helper()
	var mu sync.Mutex
	shards := runtime.GOMAXPROCS(0)
	t.Run("runs", func(t *testing.T) {
		for shard := range shards {
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				for i := shard; i < len(all); i += shards {
					r := alone(t, all[i])
					mu.Lock()
					results = append(results, r)
					mu.Unlock()
					if len(r.Problems) > 0 {
						report(t, r)
					}
				}
			})
		}
	})
	return results
}

// The rules hold in each run, and together the runs reach every rare state. The seeds are always the same, so a busy
// machine makes it slower and nothing else.
func TestSystem(t *testing.T) {
	t.Parallel()
	const seeds = 16
	if racing {
		t.Skip("one goroutine after the other: the race detector makes it ten times slower, and finds less than in the other tests")
	}
	var all []Config
	for seed := range uint64(seeds) {
		all = append(all, usual.seeded(seed+1))
	}
	began, sum := time.Now(), newTally()
	for _, r := range runs(t, all) {
		sum.add(r)
	}
	t.Log(sum.line(time.Since(began)))
	if names := missed(sum.reached); len(names) > 0 {
		t.Errorf("no seed reached these states:\n%s\nthe logs have:\n%s", strings.Join(names, "\n"), sum.logs())
	}
}

// The same seed makes the same run, byte for byte, also while another run is made.
func TestSystemRepeats(t *testing.T) {
	t.Parallel()
	seeds := uint64(4)
	if racing {
		seeds = 1
	}
	for seed := range seeds {
		c := small.seeded(seed + 101)
		c.Companies, c.Time = 2, 8*time.Hour
		first, one := traced(t, c)
		again, two := traced(t, c)
		switch {
		case !slices.Equal(first, again):
			t.Errorf("seed %d made another run:\n%s", c.Seed, difference(first, again))
		case one.Sum != two.Sum:
			t.Errorf("seed %d has the sums %s and %s, and one trace", c.Seed, one.Sum, two.Sum)
		case !maps.Equal(one.Messages, two.Messages):
			t.Errorf("seed %d logs other messages the second time", c.Seed)
		case len(first) < 1000 || one.Faults+len(one.Events) == 0:
			t.Errorf("seed %d does nothing: %d lines", c.Seed, len(first))
		}
	}
}

// traced makes a run and returns its trace.
func traced(t *testing.T, c Config) (lines []string, r *Result) {
	t.Helper()
	c.Trace = func(line string) { lines = append(lines, line) }
	r = Run(t, c)
	return lines, r
}

// difference is the first difference of two traces, with what comes before it.
func difference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return strings.Join(a[max(0, i-20):i], "\n") + "\n< " + a[i] + "\n> " + b[i]
		}
	}
	return strconv.Itoa(len(a)) + " and " + strconv.Itoa(len(b)) + " lines"
}

// What runs have found before is not found any more. Each line of the corpus is the command
// that repeats such a run, after # what it had found.
func TestCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "corpus", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no corpus: %v", err)
	}
	var all []Config
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			c, err := parse(fields(line))
			if err != nil {
				t.Fatalf("%s: %q: %v", f, line, err)
			}
			all = append(all, c)
		}
	}
	if racing {
		all = all[:min(1, len(all))]
	}
	runs(t, all)
}
