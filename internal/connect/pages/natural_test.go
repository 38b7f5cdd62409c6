package pages_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/connect/pages"
)

// Names are sorted as people number them, whatever the order in which Procore lists them.
func TestNaturalOrder(t *testing.T) {
	t.Parallel()
	want := []string{
		"12 Oaks", "100 Oaks", "Cedar", "Cedar Builders", "Cedar Builders 5", "Cedar Builders 05", "Cedar Builders 10", "Cedar Builders 15",
		"Cedar Builders 15 North", "Cedar Builders 99999999999999999999", "Cedar Builders 100000000000000000000", "Cedar Builders A",
		"Phase 2 Lot 9", "Phase 2 Lot 10", "Phase 10 Lot 1", "Zoë 2", "ZOE 10",
	}
	for seed := range uint64(20) {
		list := make([]pages.Company, len(want))
		for i, at := range rand.New(rand.NewPCG(seed, 0)).Perm(len(want)) {
			list[i] = pages.Company{ID: int64(1 + at), Name: want[at]}
		}
		var got []string
		for _, r := range radios(show(t, newPages(), choose(pages.Choice{Companies: list}))) {
			got = append(got, r.Label)
		}
		// "5" and "05" are the same number.
		if diff := cmp.Diff(strings.ReplaceAll(strings.Join(got, "\n"), "Cedar Builders 05\nCedar Builders 5\n", "Cedar Builders 5\nCedar Builders 05\n"), strings.Join(want, "\n")); diff != "" {
			t.Fatalf("seed %d (-got +want):\n%s", seed, diff)
		}
	}
}
