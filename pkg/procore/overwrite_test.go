package procore

import (
	"testing"
	"time"
)

func TestOverwritten(t *testing.T) {
	t.Parallel()
	day := func(month time.Month, d, hour int) time.Time {
		return time.Date(2026, month, d, hour, 0, 0, 0, time.UTC)
	}
	for _, tt := range []struct {
		since, now time.Time
		want       bool
	}{
		{day(5, 20, 0), day(6, 1, 1), true},
		{day(6, 1, 9), day(6, 2, 9), true}, // it may be overwritten later than the first
		{day(6, 4, 23), day(6, 5, 1), true},
		{day(6, 4, 23), day(6, 25, 0), true}, // not used in between
		{day(5, 28, 0), day(6, 25, 0), true},
		{day(6, 5, 0), day(6, 5, 1), false},
		{day(6, 10, 0), day(6, 25, 0), false},
		{day(6, 10, 0), day(6, 30, 23).In(time.FixedZone("east", 3*3600)), false}, // July there, June at Procore
	} {
		if got := Monthly().Overwritten(tt.since, tt.now); got != tt.want {
			t.Errorf("from %v to %v: got %t, want %t", tt.since, tt.now, got, tt.want)
		}
		if Production().Overwritten(tt.since, tt.now) || Sandbox().Overwritten(tt.since, tt.now) {
			t.Errorf("from %v to %v: production or sandbox are said to be overwritten", tt.since, tt.now)
		}
	}
}
