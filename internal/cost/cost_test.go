package cost

import (
	"math"
	"testing"
)

// A month of the smaller load of docs/DEPLOY.md costs what its table has, without reconciliation: $15.40. The test of that
// document compares the items.
func TestEstimate(t *testing.T) {
	t.Parallel()
	lines, got := Estimate(Usage{Refreshes: 34 * RefreshesAMonth, Events: 10_000, Companies: 100, Ran: Month})
	if math.Abs(got-15.40) > 0.02 || len(lines) != len(Items()) {
		t.Errorf("got $%.3f of %d lines", got, len(lines))
	}
	if _, none := Estimate(Usage{}); none != 0 {
		t.Errorf("a stack that was not there costs $%.2f", none)
	}
	if _, half := Estimate(Usage{Ran: Month / 2}); math.Abs(2*half-fixed()) > 1e-9 {
		t.Errorf("half a month costs $%.2f, want half of $%.2f", half, fixed())
	}
}

func fixed() (dollars float64) {
	for _, i := range Items() {
		dollars += i.Besides / i.Per * i.Price
	}
	return dollars
}
