package recovery

import (
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// gathered is what some pages of discarded deliveries brought.
type gathered struct {
	found []procore.Delivery
	next  Cursor // where to go on, unless done
	done  bool   // all pages were read
	err   error  // of the page to go on with
}

// gather reads pages of discarded deliveries, at most so many, and gives those
// since the time. It relies on little, as Procore documents little: not on an
// order, nor on a Link, nor on how pages are asked for. A page that is empty, or
// brings nothing new, is the end; but if pages by number bring nothing new, the
// cursor is tried before.
func gather(read func(procore.DeliveryPage) ([]procore.Delivery, bool, error), from Cursor, most int, since time.Time) gathered {
	g := gathered{next: from}
	seen := map[string]bool{}
	var newest time.Time // of the first page's first delivery
	resumed := from.After == "" && from.Number > 1
	onward := 0 // whether Number is the page behind the one that has Seen
	for range most {
		page, last, err := read(procore.DeliveryPage{Number: g.next.Number, After: g.next.After})
		if err != nil {
			g.err = err
			break
		}
		if len(page) == 0 {
			g.done = !resumed
			if resumed { // the list has become shorter
				resumed, g.next.Number = false, 1
				continue
			}
			return g
		}
		if newest.IsZero() {
			newest = at(page[0])
		}
		descending := at(page[len(page)-1]).Before(newest)
		if resumed && !descending && !contains(page, from.Seen) {
			// What was read before has moved: expired deliveries at the list's beginning let
			// the others move up, past this page.
			resumed, newest, g.next.Number = false, time.Time{}, 1
			continue
		}
		resumed = false
		fresh := g.add(page, seen, since)
		end := page[len(page)-1]
		switch {
		case !fresh && g.next.After == "" && end.Cursor() != "":
			g.next.After = end.Cursor()
			continue
		case !fresh, last, descending && !anySince(page, since), g.next.After != "" && end.Cursor() == "":
			g.done = true
			return g
		}
		g.next.Seen = identity(end)
		if g.next.After != "" {
			g.next.After = end.Cursor()
		} else {
			g.next.Number++
			onward = 1
		}
	}
	g.next.Number -= onward // begin there: others may have moved it meanwhile
	return g
}

// add takes what is new of a page, and says whether anything is.
func (g *gathered) add(page []procore.Delivery, seen map[string]bool, since time.Time) bool {
	fresh := false
	for _, d := range page {
		id := identity(d)
		if seen[id] {
			continue
		}
		seen[id], fresh = true, true
		if (d.Outcome == "" || d.Outcome == "discarded") && !before(d, since) {
			g.found = append(g.found, d)
		}
	}
	return fresh
}

// identity tells deliveries apart, also without ids: copies of an event are the
// same to us.
func identity(d procore.Delivery) string {
	if d.Cursor() != "" {
		return d.Cursor()
	}
	const most = 512
	return strings.ToValidUTF8(string(d.Event[:min(len(d.Event), most)]), "?")
}

// at is when the delivery was given up, zero if Procore does not say.
func at(d procore.Delivery) time.Time {
	if d.CompletedAt.IsZero() {
		return d.StartedAt
	}
	return d.CompletedAt
}

func before(d procore.Delivery, t time.Time) bool { return !at(d).IsZero() && at(d).Before(t) }

func anySince(page []procore.Delivery, t time.Time) bool {
	for _, d := range page {
		if !before(d, t) {
			return true
		}
	}
	return false
}

func contains(page []procore.Delivery, id string) bool {
	for _, d := range page {
		if identity(d) == id {
			return true
		}
	}
	return false
}
