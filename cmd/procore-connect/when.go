package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// when reads a time as a person types it: how long ago it is (90m, 24h, 3d), or a time in UTC (2026-03-02,
// 2026-03-02T08:00 or "2026-03-02 08:00", or with seconds; a zone is one of RFC 3339).
func when(now time.Time, flag, text string) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 10_000 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("--%s: %.40q is not a time: write how long ago (90m, 24h, 3d), or 2026-03-02T08:00 in UTC", flag, text)}
}
