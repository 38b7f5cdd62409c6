package console

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/operator"
)

// The lanes of the drawing, in pixels. What is across is in percent, so that it fits each width without a script or a style.
const (
	laneHead   = 18 // its name
	laneHeight = 20
	barsHeight = 64
	axisHeight = 22
	leastPart  = 3 // the height of a part of a bar that has one event
)

// drawing draws a timeline as SVG.
type drawing struct {
	span
	now      time.Time
	base     string
	unread   time.Time // until when lines are missing; zero: none
	stored   stored
	entries  []operator.Entry
	troubles []trouble
	targets  map[string]string // of entries

	strings.Builder
}

// trouble is a time in which a company did not work.
type trouble struct{ from, to time.Time }

// troubles are the times in which a grant, or the connection, of a company was in a state that needs a person.
func troubles(transitions []operator.Transition, now time.Time) (all []trouble) {
	began := map[string]time.Time{}
	for _, t := range slices.Backward(transitions) { // the first one first
		since, open := began[t.Of]
		switch bad := t.State == string(operator.Reauthorize) || t.State == string(operator.Disconnected); {
		case bad && !open:
			began[t.Of] = t.At
		case !bad && open:
			all = append(all, trouble{since, t.At})
			delete(began, t.Of)
		}
	}
	for _, since := range began {
		all = append(all, trouble{since, now})
	}
	return all
}

// draw returns the drawing.
func (d *drawing) draw() template.HTML {
	tops, height := [operator.Lanes]int{}, 0
	for lane := range tops {
		tops[lane] = height
		height += laneHead + laneHeight
		if operator.Lane(lane) == operator.LaneEvents {
			height += barsHeight - laneHeight
		}
	}
	d.printf(`<svg class="timeline" width="100%%" height="%d" role="group" aria-label="%s. The list has the same.">`, height+axisHeight, d.text())
	d.axis(height)
	for lane, top := range tops {
		d.printf(`<text class="lane" x="0" y="%d">%s</text>`, top+13, operator.Lane(lane))
		d.printf(`<line class="base" x1="0" x2="100%%" y1="%d" y2="%[1]d"/>`, d.bottom(tops, operator.Lane(lane)))
	}
	d.lengths(tops)
	d.bars(d.bottom(tops, operator.LaneEvents), d.bottom(tops, operator.LaneReconciled))
	d.columns(height)
	d.marks(tops)
	if d.has(d.now) {
		d.printf(`<line class="now" x1="%s" x2="%[1]s" y1="0" y2="%d"/><text class="now" x="%[1]s" y="11" text-anchor="end" dx="-4">now</text>`, d.x(d.now), height)
	}
	d.WriteString("</svg>")
	return template.HTML(d.String()) //nolint:gosec // numbers, and texts that printf escapes
}

// bottom is the line on which a lane stands.
func (d *drawing) bottom(tops [operator.Lanes]int, lane operator.Lane) int {
	if lane == operator.LaneEvents {
		return tops[lane] + laneHead + barsHeight
	}
	return tops[lane] + laneHead + laneHeight
}

// printf writes a part of the drawing. Texts are escaped.
func (d *drawing) printf(format string, args ...any) {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = template.HTMLEscapeString(text)
		}
	}
	fmt.Fprintf(&d.Builder, format, args...)
}

// share is how much of the span is before a time, in percent.
func (d *drawing) share(t time.Time) float64 {
	return min(max(float64(t.Sub(d.From))*100/float64(d.To.Sub(d.From)), 0), 100)
}

func (d *drawing) x(t time.Time) string { return percent(d.share(t)) }

func percent(f float64) string { return fmt.Sprintf("%.3f%%", f) }

// axis draws the times.
func (d *drawing) axis(height int) {
	form, short := "15:04", d.Label
	if d.Label >= day {
		form = "2 Jan"
	}
	for at := d.From.Truncate(d.Column); at.Before(d.To); at = at.Add(d.Column) {
		if at.Sub(d.From.Truncate(day))%short != 0 {
			continue
		}
		if at.After(d.From) {
			d.printf(`<line class="grid" x1="%s" x2="%[1]s" y1="0" y2="%d"/>`, d.x(at), height)
		}
		text := at.Format(form)
		if form == "15:04" && at.Equal(at.Truncate(day)) {
			text = at.Format("2 Jan")
		}
		if d.share(at) < 92 {
			d.printf(`<text class="tick" x="%s" y="%d">%s</text>`, d.x(at), height+16, text)
		}
	}
	if d.unread.After(d.From) {
		d.printf(`<rect class="unread" x="0" width="%s" y="0" height="%d"/>`, d.x(d.unread), height)
	}
}

// lengths draws what has a length: times in which the company did not work, and pauses.
func (d *drawing) lengths(tops [operator.Lanes]int) {
	line := func(class string, lane operator.Lane, from, to time.Time, text string) {
		if from.Before(d.To) && to.After(d.From) {
			d.printf(`<rect class="%s" x="%s" width="%s" y="%d" height="4" rx="2"><title>%s</title></rect>`, class, d.x(from), percent(d.share(to)-d.share(from)), d.bottom(tops, lane)-laneHeight/2-2, text)
		}
	}
	for _, t := range d.troubles {
		line("length bad", operator.LaneAuthorizations, t.from, t.to, "needs a person since "+exact(t.from))
	}
	for _, e := range d.entries {
		if !e.Until.IsZero() {
			line("length warn", e.Lane, e.At, e.Until, e.Title)
		}
	}
}

// bars draws what arrived.
func (d *drawing) bars(events, reconciled int) {
	most := 1
	for _, b := range d.stored.bars {
		most = max(most, b.events)
	}
	wide := 100 / float64(len(d.stored.bars))
	part := func(i int, class string, bottom, height int) {
		if height > 0 {
			d.printf(`<rect class="%s" x="%s" width="%s" y="%d" height="%d"/>`, class, percent(wide*(float64(i)+.1)), percent(wide*.8), bottom-height, height)
		}
	}
	for i, b := range d.stored.bars {
		bottom := events
		for _, p := range []struct {
			class string
			n     int
		}{{"part bad", b.dead + b.quarantined}, {"part warn", b.failing}, {"part", b.events - b.dead - b.quarantined - b.failing}} {
			if p.n == 0 {
				continue
			}
			height := max(int(math.Round(float64(p.n)*(barsHeight-2)/float64(most))), leastPart)
			if p.class == "part" && b.cut {
				p.class += " cut"
			}
			part(i, p.class, bottom, height)
			bottom -= height
		}
		part(i, "part found", reconciled, min(b.reconciled*leastPart, laneHeight-4))
	}
	if most > 1 {
		d.printf(`<text class="most" x="0" dx="56" y="%d">%s</text>`, events-barsHeight-5, "up to "+atLeastNumber(d.stored.cut, most)+" per "+lengthOf(d.Bar))
	}
}

// columns draws what leads to the time of a column.
func (d *drawing) columns(height int) {
	for at := d.From; at.Before(d.To); at = at.Add(d.Column) {
		text := d.columnText(at)
		if !d.zoomable() {
			d.printf(`<rect class="column" x="%s" width="%s" y="0" height="%d"><title>%s</title></rect>`, d.x(at), percent(d.share(at.Add(d.Column))-d.share(at)), height, text)
			continue
		}
		d.printf(`<a href="%s" aria-label="%s"><rect class="column" x="%s" width="%s" y="0" height="%d"><title>%[2]s</title></rect></a>`,
			d.base+"?"+query(at, at.Add(d.Column)).Encode()+"#timeline", text, d.x(at), percent(d.share(at.Add(d.Column))-d.share(at)), height)
	}
}

// columnText is what is in a column.
func (d *drawing) columnText(at time.Time) string {
	b, others, wrong := d.stored.between(d.span, at), 0, 0
	for _, e := range d.entries {
		if e.Lane != operator.LaneEvents && d.column(e.At).Equal(at) { // those are counted
			if others++; e.Kind == operator.Warn || e.Kind == operator.Bad {
				wrong++
			}
		}
	}
	form := "Mon 2 Jan 15:04"
	text := at.Format(form) + " to " + at.Add(d.Column).Format("15:04")
	if d.Column == day {
		text = at.Format("Mon 2 Jan")
	}
	said := []string{text + ": " + strings.ToLower(atLeast(b.cut, b.events)[:1]) + atLeast(b.cut, b.events)[1:]}
	for _, n := range []struct {
		n    int
		text string
	}{{b.quarantined, "in quarantine"}, {b.dead, "dead"}, {b.failing, "not handled"}, {b.reconciled, "found by reconciling"}} {
		if n.n > 0 {
			said = append(said, atLeastNumber(b.cut, n.n)+" "+n.text)
		}
	}
	if others > 0 {
		said = append(said, plural(others, "other entry"))
	}
	if wrong > 0 {
		said = append(said, count(wrong)+" of them wrong")
	}
	return strings.Join(said, ", ")
}

// marks draws the entries, those of a lane and a bar as one mark, which leads to the worst of them in the list.
func (d *drawing) marks(tops [operator.Lanes]int) {
	type place struct {
		lane operator.Lane
		bar  int
	}
	rank := map[string]int{operator.Good: 1, operator.Warn: 2, operator.Bad: 3}
	worst, number := map[place]operator.Entry{}, map[place]int{}
	var places []place
	for _, e := range d.entries {
		if !d.has(e.At) {
			continue
		}
		p := place{e.Lane, int(e.At.Sub(d.From) / d.Bar)}
		if e.Lane == operator.LaneEvents || e.Lane == operator.LaneReconciled && d.stored.bars[p.bar].reconciled > 0 {
			continue // the bar shows it
		}
		known, ok := worst[p]
		if number[p]++; !ok {
			places = append(places, p)
		}
		if !ok || rank[e.Kind] > rank[known.Kind] {
			worst[p] = e
		}
	}
	for _, p := range places {
		e := worst[p]
		title := e.At.Format("15:04:05 ") + plain(e.Title)
		if n := number[p]; n > 1 {
			title += fmt.Sprintf(", and %d more", n-1)
		}
		middle := d.From.Add(time.Duration(p.bar)*d.Bar + d.Bar/2)
		d.printf(`<svg class="mark %s" x="%s" y="%d"><a href="%s" tabindex="-1" aria-hidden="true"><title>%s</title>`, e.Kind, d.x(middle), d.bottom(tops, p.lane)-laneHeight/2, d.targets[e.At.String()+e.Title], title)
		d.WriteString(shape(e.Kind) + `</a></svg>`)
	}
}

// shape is that of a kind, so that kinds differ without colours too.
func shape(kind string) string {
	switch kind {
	case operator.Bad:
		return `<path d="M-5-5H5V5H-5Z"/>`
	case operator.Warn:
		return `<path d="M0-6.5 6.5 5H-6.5Z"/>`
	case operator.Good:
		return `<path d="M0-6 6 0 0 6-6 0Z"/>`
	}
	return `<circle r="3.5"/>`
}
