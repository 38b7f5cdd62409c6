package inbox

import (
	"strings"
	"testing"
	"time"
)

// Last passes over the events of other companies, and over a bounded number of deliveries that are in quarantine.
func TestLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wants := func(company int64, want time.Time) {
		t.Helper()
		if got, err := w.Last(t.Context(), company); err != nil || !got.Equal(want) {
			t.Errorf("company %d: Last = %v, %v, want %v", company, got, err, want)
		}
	}
	wants(5678, time.Time{})
	var last time.Time
	for i, id := range []string{"01JA8Z7Q4M6X2V9T3C5B1N0KDF", "01JA8Z7Q4M6X2V9T3C5B1N0KDE"} { // the ids are not in the order of arrival
		e := decode(t, payload)
		e.ID, e.CompanyID, e.ResourceID = id, 5678, "1"
		w.now = w.now.Add(time.Duration(i+1) * time.Minute)
		last = w.now
		if _, err := w.Add(t.Context(), e, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range lastLimit {
		wants(5678, last)
		w.now = w.now.Add(time.Minute)
		if _, err := w.quarantine(t, 5678, strings.Repeat("x", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	wants(5678, time.Time{})
	wants(5679, time.Time{})
}
