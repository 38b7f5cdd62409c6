package operator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/operator/logs"
	"procore-connect/internal/platform/logging"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/tokens"
)

// sameMoment is how much later than in a row the time of a line about the same change may be, or earlier: rows have seconds.
const sameMoment = 2 * time.Second

// Entry is what happened to a company at a time.
type Entry struct {
	At      time.Time
	Until   time.Time // of a pause; zero: it has no length
	Lane    Lane
	Kind    string
	Title   string
	Routine bool   // it is of interest together with others of its title
	Page    string // of docs/RUNBOOK.md; empty: it needs none
	Facts   []Fact
	// Names are the words of the page's commands, such as EVENT, with what they stand for here.
	Names map[string]string

	change string // names the change of which a row and a line may both tell
}

// Fact is an attribute of an entry.
type Fact struct{ Name, Text string }

// Add adds a fact, unless it is empty.
func (e *Entry) Add(name, text string) {
	if text != "" {
		e.Facts = append(e.Facts, Fact{name, text})
	}
}

// EventStatesOf returns the states of the events that a consumer failed to handle, by the short id that lines have.
func (h Happened) EventStatesOf(companyID int64, now time.Time) map[string]Event {
	progress := map[string]Progress{}
	failed := map[string]Event{}
	for _, l := range h.Lines {
		id := l.Fields.Text("event_id")
		if id == "" || l.Message != failedLine && l.Message != handledLine {
			continue
		}
		progress[id] = progress[id].after(l)
		if _, ok := failed[id]; l.Message == failedLine && !ok {
			failed[id] = Event{ID: id, CompanyID: companyID, ReceivedAt: l.Time, State: EventUnknown, Resource: l.Fields.Text("resource"), ResourceID: l.Fields.Text("resource_id"), Type: l.Fields.Text("type")}
		}
	}
	for id, e := range failed {
		e.judge(progress[id], true, h.Attempts, now)
		failed[id] = e
	}
	return failed
}

// Entries are what is known of a company's past, the last one first: by its rows, and by the lines. What arrived is not among
// them, unless it is in quarantine.
func (c *Company) Entries(h Happened, a Arrivals) []Entry {
	all := c.rows()
	for _, some := range a.Of {
		for _, one := range some {
			if one.Quarantined {
				all = append(all, c.quarantined(one))
			}
		}
	}
	for _, l := range h.Lines {
		if e, ok := c.entry(l); ok {
			all = merge(all, e)
		}
	}
	all = append(all, c.failures(h)...)
	slices.SortStableFunc(all, func(a, b Entry) int { return b.At.Compare(a.At) })
	return all
}

// rows are the entries of what the rows of the company remember.
func (c *Company) rows() (all []Entry) {
	for _, t := range c.Transitions {
		what, principal, _ := strings.Cut(t.Of, " of ")
		said, ok := tells[what+" changed/"+t.State]
		if !ok {
			said = told{lane: LaneAuthorizations, title: t.Of + ": " + t.State}
		}
		e := c.said(said, t.At, fields{"principal": principal})
		e.change = what + principal + t.State
		e.Add("reason", t.Reason)
		all = append(all, e)
	}
	for _, g := range c.Grants {
		if !g.RefreshedAt.IsZero() {
			e := c.said(tells["token refreshed"], g.RefreshedAt, fields{"principal": g.Principal})
			e.change = "refresh" + g.Principal
			e.Add("generation", strconv.FormatInt(g.Generation, 10))
			all = append(all, e)
		}
	}
	if !c.Hook.Since.IsZero() {
		e := Entry{At: c.Hook.Since, Lane: LaneWebhook, Kind: Good, Title: "Since then changes are reported", Names: c.names("")}
		e.Add("hook_id", c.Hook.ID)
		e.Add("made by", c.Hook.Creator)
		all = append(all, e)
	}
	if c.Breaker.Open {
		e := c.said(tells["breaker opened"], c.Breaker.Since, nil)
		e.change = "breaker"
		e.Add("reason", c.Breaker.Reason)
		all = append(all, e)
	}
	return all
}

func (c *Company) quarantined(one inbox.Arrival) Entry {
	e := c.said(tells[requestLine+"/quarantined"], one.At, nil)
	e.change = "quarantine"
	id := strconv.FormatInt(c.ID, 10) + "/" + one.ID
	e.Names["ID"] = id
	e.Add("delivery", id)
	return e
}

// fields are the attributes of a line that titles have.
type fields map[string]string

var attribute = regexp.MustCompile(`\{(\w+)\}`)

// said returns an entry of a meaning, whose title has these attributes.
func (c *Company) said(t told, at time.Time, of fields) Entry {
	title := attribute.ReplaceAllStringFunc(t.title, func(name string) string {
		value := of[strings.Trim(name, "{}")]
		if name == "{principal}" {
			value = c.person(value)
		}
		return value
	})
	return Entry{At: at, Lane: t.lane, Kind: t.kind, Title: strings.TrimSpace(title), Routine: t.routine, Page: t.page, Names: c.names(of["principal"])}
}

// person names a principal by who connected the company with it.
func (c *Company) person(principal string) string {
	for _, one := range c.Connections {
		if one.Principal == principal && principal == string(tokens.App) {
			return "the " + ServiceAccount
		} else if one.Principal == principal {
			return cmp.Or(one.ConnectedBy, principal)
		}
	}
	return cmp.Or(principal, "a user")
}

// names are the words of commands, with what they stand for.
func (c *Company) names(principal string) map[string]string {
	names := map[string]string{"COMPANY": strconv.FormatInt(c.ID, 10)}
	if user, ok := strings.CutPrefix(principal, "user#"); ok {
		names["USER"] = user
	}
	return names
}

// entry returns what a line tells of. A line about the attempts of an event is not an entry.
func (c *Company) entry(l logs.Line) (Entry, bool) {
	of := fields{}
	for _, f := range l.Fields {
		of[f.Name] = textOf(f.Value)
	}
	said, ok := tells[l.Message+"/"+of[apart[l.Message]]]
	if !ok {
		said, ok = tells[l.Message]
	}
	if !ok {
		return Entry{}, false
	}
	e := c.said(said, l.Time, of)
	e.change = changeOf(l.Message, of)
	e.Until, _ = time.Parse(time.RFC3339, of["until"])
	e.lineFacts(l)
	return e, true
}

// changeOf names the change of which a row may tell too.
func changeOf(message string, of fields) string {
	switch {
	case message == "grant changed", message == "connection changed":
		what, _, _ := strings.Cut(message, " ")
		return what + of["principal"] + of["to"]
	case message == "token refreshed":
		return "refresh" + of["principal"]
	case message == "breaker opened":
		return "breaker"
	case message == requestLine && of["outcome"] == string(inbox.Quarantined):
		return "quarantine"
	}
	return ""
}

// Attributes of each line that are no facts of what happened.
var hidden = []string{"time", "level", "msg", "function", "company_id", "method", "stack", "_aws"}

// maxFacts bounds the facts of an entry.
const maxFacts = 30

// lineFacts adds the attributes of a line.
func (e *Entry) lineFacts(l logs.Line) {
	for _, f := range l.Fields {
		metric := f.Name != "" && f.Name[0] >= 'A' && f.Name[0] <= 'Z'
		if !metric && !slices.Contains(hidden, f.Name) && len(e.Facts) < maxFacts {
			e.Add(f.Name, textOf(f.Value))
		}
	}
	e.Add("written by", l.Function)
	for name, attribute := range map[string]string{"EVENT": "event_id", "REQUEST": "request_id"} {
		if id := l.Fields.Text(attribute); Typable(id) {
			e.Names[name] = id
		}
	}
}

// Typable reports whether a text of outside may be typed as an argument, and is no flag.
func Typable(text string) bool { return argument.MatchString(text) }

var argument = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./:=+-]{0,200}$`)

// textOf returns a text without quotes, and anything else as JSON.
func textOf(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		s = string(value)
	}
	return s
}

// merge adds an entry, or its facts to that of the same change.
func merge(all []Entry, e Entry) []Entry {
	if e.change != "" {
		for i, known := range all {
			if known.change == e.change && known.At.Sub(e.At).Abs() <= sameMoment {
				all[i].change = "" // a second line is about another one
				for _, f := range e.Facts {
					if !slices.ContainsFunc(known.Facts, func(have Fact) bool { return have.Name == f.Name }) {
						all[i].Facts = append(all[i].Facts, f)
					}
				}
				maps.Copy(all[i].Names, e.Names)
				return all
			}
		}
		e.change = ""
	}
	return append(all, e)
}

// failures are the events that a consumer failed to handle, each once.
func (c *Company) failures(h Happened) (all []Entry) {
	attempts := map[string]int{}
	last := map[string]logs.Line{}
	for _, l := range h.Lines {
		if id := l.Fields.Text("event_id"); l.Message == failedLine && id != "" {
			attempts[id]++
			last[id] = l
		}
	}
	for id, event := range h.EventStatesOf(c.ID, c.now) {
		l := last[id]
		what := strings.TrimSpace(event.Resource + " " + event.ResourceID)
		e := Entry{At: l.Time, Lane: LaneFailures, Kind: Bad, Page: "event not handled", Names: c.names("")}
		switch event.State {
		case EventHandled:
			e.At, e.Kind, e.Page = event.Since, Good, ""
			e.Title = fmt.Sprintf("%s was handled, after %d failed attempts", what, attempts[id])
			if attempts[id] == 1 {
				e.Title = what + " was handled, after a failed attempt"
			}
		case EventDead:
			e.Title, e.Page = what+" is a dead letter", "EventsDeadLetterAlarm"
		default:
			e.Title = what + " was not handled, attempt " + l.Fields.Number("attempt")
		}
		e.Add("state", string(event.State))
		e.Add("known by", event.How)
		e.lineFacts(l)
		all = append(all, e)
	}
	return all
}

// EventKeyOf returns an arrival's id as lines have it.
func EventKeyOf(a inbox.Arrival) string { return logging.Short(a.ID) }
