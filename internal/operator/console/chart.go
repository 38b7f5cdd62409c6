package console

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"procore-connect/internal/webhook/inbox"
)

// The sparkline of a company: a bar for each of the last days.
const (
	sparkDays   = 7
	sparkPeriod = 24 * time.Hour

	barWidth, barGap, barHeight = 10, 2, 24
)

// sparkFrom returns when the first day of a sparkline began. Days are UTC's.
func sparkFrom(now time.Time) time.Time {
	return now.UTC().Truncate(sparkPeriod).Add(-(sparkDays - 1) * sparkPeriod)
}

// spark draws the activity of a company as an SVG image with a text in its place.
func spark(a inbox.Activity) template.HTML {
	if len(a.Counts) == 0 {
		return "–"
	}
	most, sum, more := 1, 0, ""
	for i, n := range a.Counts {
		most, sum = max(most, n), sum+n
		if a.Cut[i] {
			more = "at least "
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-label="%s%s in %d days">`,
		len(a.Counts)*(barWidth+barGap)-barGap, barHeight, more, plural(sum, "event"), len(a.Counts))
	for i, n := range a.Counts {
		height := max(n*(barHeight-2)/most, 1)
		class := "bar"
		switch {
		case n == 0:
			class = "none"
		case a.Cut[i]:
			class = "bar cut"
		}
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d"/>`, class, i*(barWidth+barGap), barHeight-height, barWidth, height)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers
}
