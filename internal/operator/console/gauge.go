package console

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"procore-connect/internal/cost"
)

// gauge is a chart of bars.
type gauge struct {
	Bars []gaugeBar
	Text string // in its place, for who does not see it
}

type gaugeBar struct {
	Height float64
	Known  bool // a time without a value has no bar
	Late   bool
}

// draw draws a gauge as an SVG image. Its highest bar has the whole height.
func draw(g gauge) template.HTML {
	if len(g.Bars) == 0 {
		return "–"
	}
	width, gap := 6, 2
	if len(g.Bars) > 2*chartDays {
		width, gap = 2, 1
	}
	most := 0.0
	for _, b := range g.Bars {
		most = max(most, b.Height)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg class="spark" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-label="%s">`,
		len(g.Bars)*(width+gap)-gap, barHeight, template.HTMLEscapeString(g.Text))
	for i, b := range g.Bars {
		height, class := 1, "none"
		switch {
		case !b.Known:
			continue
		case b.Height > 0:
			height, class = max(int(b.Height*(barHeight-2)/most), 2), "bar"
		}
		if b.Late {
			class = "bar late"
		}
		fmt.Fprintf(&s, `<rect class="%s" x="%d" y="%d" width="%d" height="%d"/>`, class, i*(width+gap), barHeight-height, width, height)
	}
	s.WriteString("</svg>")
	return template.HTML(s.String()) //nolint:gosec // numbers, and an escaped text
}

// dollars is an amount of money. What is less than a cent says so.
func dollars(d float64) string {
	switch {
	case d > 0 && d < 0.005:
		return "< $0.01"
	case d >= 1000:
		return "$" + count(int(d+0.5))
	}
	return fmt.Sprintf("$%.2f", d)
}

// amount is how many of an item.
func amount(n float64) string {
	if n < 10 && n != math.Trunc(n) {
		return fmt.Sprintf("%.2f", n)
	}
	return count(int(n + 0.5))
}

// price is what an item costs.
func price(i cost.Item) string {
	text := fmt.Sprintf("$%.2f", i.Price)
	if long := fmt.Sprintf("$%g", i.Price); len(long) > len(text) {
		text = long
	}
	if i.Per > 1 {
		text += " for " + count(int(i.Per))
	}
	return text
}

// capital is a text as the beginning of a sentence.
func capital(text string) string { return strings.ToUpper(first(text, 1)) + text[len(first(text, 1)):] }
