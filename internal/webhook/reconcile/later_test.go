package reconcile

import (
	"testing"
	"time"

	"procore-connect/internal/webhook/inbox"
)

// Never delivered is a change whose own event has not come. Neither one that moved nor one of backfill says that a
// delivery was lost.
func TestUndelivered(t *testing.T) {
	t.Parallel()
	changed := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	found := changed.Add(3 * time.Hour)
	ours := inbox.Trace{HappenedAt: changed, ReceivedAt: found, Reconciled: true}
	event := func(happened, received time.Duration) inbox.Trace {
		return inbox.Trace{HappenedAt: changed.Add(happened), ReceivedAt: changed.Add(received)}
	}
	old := ours
	old.HappenedAt = found.Add(-remembered - time.Second)
	for name, tt := range map[string]struct {
		events []inbox.Trace
		want   bool
	}{
		"alone":                     {[]inbox.Trace{ours}, true},
		"an event long before":      {[]inbox.Trace{ours, event(-time.Hour, -time.Hour)}, true},
		"its own, late":             {[]inbox.Trace{ours, event(0, 5*time.Hour)}, false},
		"a later change's":          {[]inbox.Trace{ours, event(time.Minute, time.Minute)}, false},
		"it moved":                  {[]inbox.Trace{ours, event(-4*time.Minute, -4*time.Minute)}, false},
		"an event six minutes ago":  {[]inbox.Trace{ours, event(-6*time.Minute, -6*time.Minute)}, true},
		"backfill":                  {[]inbox.Trace{old}, false},
		"no longer there":           {nil, false},
		"another one was found too": {[]inbox.Trace{ours, {HappenedAt: changed.Add(time.Hour), ReceivedAt: found.Add(time.Hour), Reconciled: true}}, true},
	} {
		if got := undelivered(inbox.Arrival{Reconciled: true, At: found}, tt.events); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
