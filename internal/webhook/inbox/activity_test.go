package inbox

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"
)

// Activity counts each delivery in its period. If there are more than it reads, it says in which.
func TestActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := w.now
	arrive := func(company int64, n int, at time.Time) {
		t.Helper()
		w.now = at
		for range n {
			e := decode(t, payload)
			e.ID, e.CompanyID = rand.Text(), company
			if _, err := w.Add(t.Context(), e, []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
	}
	arrive(5678, 1, from.Add(-time.Millisecond))
	arrive(5678, 2, from)
	arrive(5678, 3, from.Add(2*time.Hour-time.Millisecond))
	last := w.now
	arrive(5679, maxCounted+1, from.Add(time.Hour))
	arrive(5679, 3, from.Add(2*time.Hour))
	wants := func(company int64, counts []int, cut []bool, want time.Time) {
		t.Helper()
		a, err := w.Activity(t.Context(), company, from, time.Hour, 3)
		if err != nil || !slices.Equal(a.Counts, counts) || !slices.Equal(a.Cut, cut) || !a.Last.Equal(want) {
			t.Errorf("company %d: got %v, %v, last %v, %v, want %v, %v, last %v", company, a.Counts, a.Cut, a.Last, err, counts, cut, want)
		}
	}
	wants(5678, []int{2, 3, 0}, []bool{false, false, false}, last)
	wants(5679, []int{0, maxCounted, 3}, []bool{false, true, false}, w.now)
	wants(5680, []int{0, 0, 0}, []bool{false, false, false}, time.Time{})
	w.now = w.now.Add(time.Minute)
	if _, err := w.quarantine(t, 5678, "x"); err != nil {
		t.Fatal(err)
	}
	wants(5678, []int{2, 3, 1}, []bool{false, false, false}, last) // it was stored, and is no event
}
