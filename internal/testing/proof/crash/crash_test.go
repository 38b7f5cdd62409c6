package crash

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever the power failed in, nothing is lost that was answered, and no refresh token is sent twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	seeds, points := 20, 50
	if racing || testing.Short() {
		seeds, points = 2, 25
	}
	all, start := &stats{test: t, counts: map[string]int{}}, time.Now()
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(seeds) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { newWorld(t, seed, all).crashes(points) })
			})
		}
	})
	t.Logf("in %v:\n%v", time.Since(start).Round(time.Second/10), all)
	for what, least := range map[string]int{"crashes": seeds * points, "crashes while starting": seeds, "refreshes": points,
		"refreshes without an answer": 1, "events answered 200": points} {
		if got := all.counts[what]; got < least && !t.Failed() {
			t.Errorf("%d %s, want at least %d: the test proves nothing", got, what, least)
		}
	}
}

// String returns a line for each count.
func (s *stats) String() string {
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		lines = append(lines, fmt.Sprintf("%6d %s", s.counts[what], what))
	}
	return strings.Join(lines, "\n")
}
