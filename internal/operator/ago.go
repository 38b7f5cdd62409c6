package operator

import (
	"fmt"
	"time"
)

// Ago is how long ago a time is, "just now" within a minute.
func Ago(now, t time.Time) string {
	if d := now.Sub(t); d >= time.Minute {
		return Length(d) + " ago"
	}
	return "just now"
}

// Length is a duration in its largest unit.
func Length(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return "< 1 min"
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/day)
}
