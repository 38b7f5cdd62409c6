package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/operator"
)

const (
	// perTimeline is how many items of the list a page has.
	perTimeline = 60
	// maxSingle is up to how many events are items each, and not by column.
	maxSingle = 40
	// maxTimes is of how many entries that are joined the times are shown.
	maxTimes = 20
)

// timelineView is what happened to a company in a span.
type timelineView struct {
	Chart    template.HTML
	Zooms    []zoom
	Text     string // the span
	Earlier  string // paths; empty: there is none
	Later    string
	Wider    string
	Days     []itemsOfDay
	Found    int    // items
	More     string // the path of the earlier ones
	Fewer    string // of the later ones
	Searched time.Time
	Searches bool      // the log is being searched
	Since    time.Time // from when on the lines are complete; zero: they all are
	Old      bool      // it begins before what the inbox has
	Unread   error
}

type zoom struct {
	Path, Text string
	Chosen     bool
}

// itemsOfDay is the items of a day.
type itemsOfDay struct {
	Name  string
	Items []item
}

// item is an entry of the list, or several of the same title.
type item struct {
	ID int
	operator.Entry
	Times    []time.Time // of several
	Count    int
	Means    string // the runbook's words
	Commands []string
	Zoom     string // a path
	Event    string // the path of its event's page
}

// timeline reads what happened to a company, for GET /companies/{id}?from=&to=&p=.
func (c *Console) timeline(r *http.Request, of *operator.Company) timelineView {
	now, q := c.now(), r.URL.Query()
	t := spanOf(q, now)
	base := fmt.Sprintf("/companies/%d", of.ID)
	arrivals, arrivalsErr := c.Operator.Arrivals(r.Context(), of.ID, t.From, t.Bar, t.bars())
	most := searchedAgain
	if r.Header.Get("Sec-Fetch-Dest") == "empty" { // the page's script renews it
		most = renewedAgain
	}
	happened, at, logsErr := c.searches.get(r.Context(), of.ID, t, now, most, func(ctx context.Context) (operator.Happened, error) {
		return c.Operator.Happened(ctx, of, t.From, minTime(t.To, now))
	})
	v := timelineView{Searched: at, Searches: at.IsZero(), Text: t.text(), Old: now.Sub(t.From) > longestSpan+day, Unread: arrivalsErr}
	if logsErr != nil {
		v.Unread = errors.Join(v.Unread, fmt.Errorf("the log was not searched, so that what is only there is missing: %w", logsErr))
	}
	if happened.Since.After(t.From) {
		v.Since = happened.Since
	}
	entries := slices.DeleteFunc(of.Entries(happened, arrivals), func(e operator.Entry) bool {
		return !t.has(e.At) && (e.Until.IsZero() || !e.At.Before(t.To) || e.Until.Before(t.From))
	})
	stored := newStored(arrivals, happened.EventStatesOf(of.ID, now))
	items := t.items(entries, stored, of.ID, base)
	v.Found = len(items)
	v.links(t, q, base, now)
	d := drawing{span: t, now: now, base: base, unread: v.Since, stored: stored, entries: entries, troubles: troubles(of.Transitions, now)}
	d.targets = targets(items, q, base)
	v.Chart = d.draw()
	page := max(atoi(q.Get("p")), 1)
	page = min(page, max(1, (len(items)+perTimeline-1)/perTimeline))
	if page > 1 {
		v.Fewer = listPath(q, base, page-1)
	}
	if page*perTimeline < len(items) {
		v.More = listPath(q, base, page+1)
	}
	v.Days = c.days(items[(page-1)*perTimeline : min(page*perTimeline, len(items))])
	return v
}

// text is the span as a person reads it.
func (t span) text() string {
	const date, clock = "Mon 2 Jan 2006", "15:04"
	switch begins := t.From.Truncate(day); {
	case t.From.Equal(begins) && t.To.Equal(begins.Add(day)):
		return t.From.Format(date) + ", in UTC"
	case t.To.Truncate(day).Equal(begins):
		return t.From.Format(date+" "+clock) + " to " + t.To.Format(clock) + " UTC"
	}
	return t.From.Format(date+" "+clock) + " to " + t.To.Format(date+" "+clock) + " UTC"
}

// links sets the paths to other spans.
func (v *timelineView) links(t span, q url.Values, base string, now time.Time) {
	for _, text := range zooms() {
		chosen := t.Now && cmp.Or(q.Get("from"), "7d") == text
		v.Zooms = append(v.Zooms, zoom{base + "?from=" + text + "#timeline", lengthOf(now.Sub(momentOf(text, now))), chosen})
	}
	length := t.To.Sub(t.From)
	to := func(from, to time.Time) string { return base + "?" + query(from, to).Encode() + "#timeline" }
	if now.Sub(t.From)+length < oldestSpan {
		v.Earlier = to(t.From.Add(-length), t.From)
	}
	if t.To.Before(now) {
		v.Later = to(t.To, t.To.Add(length))
	}
	if middle := t.From.Add(length / 2); !t.Now {
		for _, wider := range []time.Duration{time.Hour, day, 7 * day, 14 * day} {
			if wider > length+t.Column {
				v.Wider = to(middle.Add(-wider/2), minTime(middle.Add(wider/2), now))
				break
			}
		}
	}
}

// listPath is the path of a page of the list.
func listPath(q url.Values, base string, page int) string {
	to := url.Values{"p": {strconv.Itoa(page)}}
	for _, name := range []string{"from", "to"} {
		if value := q.Get(name); value != "" {
			to.Set(name, value)
		}
	}
	return base + "?" + to.Encode() + "#entries"
}

// items are the entries, those of a routine together, with what arrived. The last one is first.
func (t span) items(entries []operator.Entry, s stored, company int64, base string) (all []item) {
	joined := map[string]int{}
	for _, e := range entries {
		key := e.At.Truncate(t.routine()).String() + e.Title
		if i, ok := joined[key]; ok && e.Routine {
			if all[i].Count++; len(all[i].Times) < maxTimes {
				all[i].Times = append(all[i].Times, e.At)
			}
			continue
		}
		if e.Routine {
			joined[key] = len(all)
		}
		all = append(all, item{Entry: e, Count: 1, Times: []time.Time{e.At}})
	}
	all = append(all, t.arrived(s, company, base)...)
	slices.SortStableFunc(all, func(a, b item) int { return b.At.Compare(a.At) })
	for i := range all {
		all[i].ID = i + 1
	}
	return all
}

// routine is the time of which the entries of a routine are one item.
func (t span) routine() time.Duration {
	if t.Column < time.Hour {
		return t.Column
	}
	return day
}

// arrived are the items of events, each or by column.
func (t span) arrived(s stored, company int64, base string) (all []item) {
	if s.events+s.reconciled <= maxSingle && !s.cut {
		for _, one := range s.each {
			all = append(all, single(one, company))
		}
		return all
	}
	for begins := t.From; begins.Before(t.To); begins = begins.Add(t.Column) {
		b := s.between(t, begins)
		if b.events+b.reconciled == 0 {
			continue
		}
		e := operator.Entry{At: b.last, Lane: operator.LaneEvents, Title: atLeast(b.cut, b.events) + " arrived"}
		if b.events == 0 {
			e.Title = plural(b.reconciled, "change") + " found by reconciling"
		}
		if t.Column < day {
			e.Add("time", begins.Format("15:04")+" to "+begins.Add(t.Column).Format("15:04")+" UTC")
		}
		for _, n := range []struct {
			name string
			n    int
		}{{"events", b.events}, {"found by reconciling", b.reconciled}, {"in quarantine", b.quarantined}, {"dead letters", b.dead}, {"not handled yet", b.failing}} {
			if n.n > 0 {
				e.Add(n.name, atLeastNumber(b.cut, n.n))
			}
		}
		one := item{Entry: e, Count: 1}
		if t.zoomable() {
			one.Zoom = base + "?" + query(begins, begins.Add(t.Column)).Encode() + "#timeline"
		}
		all = append(all, one)
	}
	return all
}

func atLeast(cut bool, n int) string {
	if cut {
		return "At least " + plural(n, "event")
	}
	return plural(n, "event")
}

func atLeastNumber(cut bool, n int) string {
	if cut {
		return "at least " + count(n)
	}
	return count(n)
}

// zoomable reports whether a column leads to its own time.
func (t span) zoomable() bool { return t.Column >= shortestSpan }

// targets are the paths of the items by their entries' time and title, for the marks of the chart.
func targets(items []item, q url.Values, base string) map[string]string {
	all := map[string]string{}
	for i, one := range items {
		path := fmt.Sprintf("#e%d", one.ID)
		if page := i/perTimeline + 1; page > 1 || q.Get("p") != "" {
			path, _, _ = strings.Cut(listPath(q, base, page), "#")
			path += fmt.Sprintf("#e%d", one.ID)
		}
		for _, at := range one.Times {
			all[at.String()+one.Title] = path
		}
	}
	return all
}

// days divides the items by day, with the runbook's words and the commands.
func (c *Console) days(items []item) (all []itemsOfDay) {
	for _, one := range items {
		name := one.At.UTC().Format("Monday 2 January 2006")
		if len(all) == 0 || all[len(all)-1].Name != name {
			all = append(all, itemsOfDay{Name: name})
		}
		if p, ok := operator.Runbook(one.Page); ok {
			one.Means = p.Means
			for _, words := range p.Typed {
				one.Commands = append(one.Commands, c.typed(words, one.Names))
			}
		}
		one.Commands = append(one.Commands, c.traced(one)...)
		if id := one.Names["EVENT"]; id != "" && one.Event == "" && one.Count == 1 {
			one.Event = fmt.Sprintf("/events/%s/%s", one.Names["COMPANY"], url.PathEscape(id))
		}
		last := &all[len(all)-1]
		last.Items = append(last.Items, one)
	}
	return all
}

// typed is a command of the runbook with what its words stand for.
func (c *Console) typed(words []string, names map[string]string) string {
	words = slices.Clone(words)
	for i, w := range words {
		if value, ok := names[w]; ok {
			words[i] = value
		}
	}
	return c.Line(words)
}

// traced is the command that shows more about an item, unless the runbook has it.
func (c *Console) traced(one item) []string {
	var line string
	switch {
	case one.Count > 1:
		return nil
	case one.Names["EVENT"] != "":
		line = c.typed([]string{"events", "show", "EVENT", "--company", "COMPANY"}, one.Names)
	case one.Names["REQUEST"] != "":
		line = c.typed([]string{"trace", "REQUEST"}, one.Names)
	}
	if line == "" || slices.Contains(one.Commands, line) {
		return nil
	}
	return []string{line}
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
