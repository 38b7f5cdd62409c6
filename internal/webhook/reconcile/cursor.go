package reconcile

import (
	"slices"
	"time"

	"procore-connect/internal/platform/dynamo"
)

const (
	// settling is how old a change is at least before it is looked for: it may not be
	// visible in the list yet, and its event is on the way. It is more than the second by
	// which both times are exact.
	settling = time.Minute
	// narrow is the shortest range of time that a list can be limited to.
	narrow = time.Second
	// ofCompany stands for the project of a resource that is the company's own.
	ofCompany = 1
)

// A cursor is how far a company's resource is reconciled. Everything that changed before
// From has an event.
type cursor struct {
	Resource string
	Begin    time.Time // the first From
	From     time.Time
	To       time.Time // the end of the window that is being read, frozen; zero: none is
	Project  int64     // the last one of which the whole window is done
	At       time.Time // of the next project, what is before is done; zero: nothing

	Found, Moved int64 // changes without an event, ever
	Told         bool  // that most of them moved
}

// open begins a window. It reports false if nothing is between the cursor and its end.
func (c *cursor) open(to time.Time) bool {
	if to = to.Truncate(time.Second); !c.To.IsZero() || !to.After(c.From) {
		return false
	}
	c.To, c.Project, c.At = to, 0, time.Time{}
	return true
}

// next returns the project to continue with, false if the whole window is done. Projects
// are in the order of their ids.
func (c *cursor) next(projects []int64) (int64, bool) {
	i, found := slices.BinarySearch(projects, c.Project)
	if found {
		i++
	}
	if i == len(projects) {
		return 0, false
	}
	return projects[i], true
}

// done notes that a project's window was read.
func (c *cursor) done(project int64) { c.Project, c.At = project, time.Time{} }

// shut ends the window, all of whose projects are done.
func (c *cursor) shut() {
	c.From = c.To
	c.To, c.Project, c.At = time.Time{}, 0, time.Time{}
}

// lower moves the end of the window back: what is done remains done.
func (c *cursor) lower(to time.Time) {
	if to = to.Truncate(time.Second); to.After(c.From) {
		c.To = to
		return
	}
	c.To, c.Project, c.At = time.Time{}, 0, time.Time{}
}

// half returns the end of the first half of a range, in whole seconds. A narrow range
// remains.
func half(from, to time.Time) time.Time {
	middle := from.Add(to.Sub(from) / 2).Truncate(narrow)
	if !middle.After(from) {
		return from.Truncate(narrow).Add(narrow)
	}
	return middle
}

// widened returns the range that a query names. Procore may exclude both ends, and may cut
// its own times to seconds before it compares.
func widened(from, to time.Time) (time.Time, time.Time) {
	return from.Truncate(time.Second).Add(-time.Second), to.Add(time.Second)
}

// due returns when the resource is to be reconciled again. A window that is being read
// keeps its time.
func (c *cursor) due(period time.Duration) time.Time { return c.From.Add(period) }

func (c *cursor) fields(f *dynamo.Fields) {
	f.Text("resource", &c.Resource)
	f.Millis("begin_ms", &c.Begin)
	f.Millis("from_ms", &c.From)
	f.Millis("to_ms", &c.To)
	f.Number("project", &c.Project)
	f.Millis("at_ms", &c.At)
	f.Number("found", &c.Found)
	f.Number("moved", &c.Moved)
	f.Bool("told", &c.Told)
}
