package week

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The sizes of a simulation. In the small one so many deliveries are lost, and windows are
// so short, that half a day finds what is wrong.
var (
	small = Config{Seed: 1, Companies: 5, Projects: 7, Time: 12 * time.Hour, Changes: 4000, Lost: 0.3, Outage: 3 * time.Hour, Kills: 30,
		Period: 30 * time.Minute, PerOwner: 60, PerApp: 200}
	days = Config{Seed: 1, Companies: 20, Projects: 50, Time: 36 * time.Hour, Changes: 1500, Lost: 0.03, Outage: 13 * time.Hour, Kills: 50,
		Period: 6 * time.Hour, PerOwner: 60, PerApp: 600}
	whole = Config{Seed: 1, Companies: 100, Projects: 50, Time: 7 * 24 * time.Hour, Changes: 20_000, Lost: 0.03, Outage: 13 * time.Hour, Kills: 200,
		Period: 24 * time.Hour, PerOwner: 60, PerApp: 600}
)

// simulate runs a simulation and returns what the judge found.
func simulate(t *testing.T, c Config) (r result) {
	t.Helper()
	start := time.Now()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, c)
		w.run()
		r = w.judge.verdict()
	})
	t.Logf("%+v in %v:\n%v", c, time.Since(start).Round(time.Second), r)
	return r
}

// Every change has an event in time, at no more events and calls than promised.
// SIMULATE=days and SIMULATE=week make it larger, and SEED another one.
func TestWeek(t *testing.T) {
	t.Parallel()
	all := []Config{small}
	switch os.Getenv("SIMULATE") {
	case "days":
		all = []Config{days}
	case "week":
		often := whole
		often.Period, often.PerOwner, often.PerApp = 6*time.Hour, 120, 2400
		all = []Config{whole, often}
	}
	for _, c := range all {
		if text := os.Getenv("SEED"); text != "" {
			var err error
			if c.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
				t.Fatalf("SEED: %v", err)
			}
		}
		for _, p := range simulate(t, c).problems {
			t.Error(p)
		}
	}
}

// Lists that are limited by time may exclude its ends, may have whole seconds and no order,
// and may move an item between two pages.
func TestCrookedLists(t *testing.T) {
	t.Parallel()
	c := small
	c.Crooked = "range-open,range-seconds,updated-seconds,unsorted,item-moves"
	for _, p := range simulate(t, c).problems {
		t.Error(p)
	}
}

// Without reconciliation the judge misses what was lost.
func TestWithoutReconciliation(t *testing.T) {
	t.Parallel()
	c := small
	c.Period, c.Kills, c.Time, c.Changes = 0, 0, 6*time.Hour, 1000
	r := simulate(t, c)
	if problems := strings.Join(r.problems, "\n"); r.missing < 20 || !strings.Contains(problems, "no event was stored since") {
		t.Errorf("%d of %d items with lost deliveries are missing:\n%s", r.missing, r.items, problems)
	}
}
