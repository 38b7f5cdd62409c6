package recovery

import (
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// gathered is the result of reading some pages of discarded deliveries.
type gathered struct {
	found []procore.Delivery
	next  Cursor // where to continue, unless done
	done  bool   // all pages were read
	err   error  // of the page to continue with
}

// gather reads at most this many pages of discarded deliveries, and returns the
// deliveries since the time. Procore documents little, so gather relies neither on an
// order, nor on a Link, nor on a way to request pages. A page that is empty or has
// nothing new is the end. If pages by number have nothing new, gather first tries the
// cursor.
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
			// What was read before has moved: when deliveries at the list's beginning expire,
			// the rest move up, past this page.
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
	g.next.Number -= onward // continue there, because the list may change before the next pass
	return g
}

// add collects the new deliveries of a page, and reports whether there are any.
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

// identity returns what distinguishes a delivery, even without ids. Two copies of an
// event have one identity.
func identity(d procore.Delivery) string {
	if d.Cursor() != "" {
		return d.Cursor()
	}
	const most = 512
	return strings.ToValidUTF8(string(d.Event[:min(len(d.Event), most)]), "?")
}

// at returns when Procore gave the delivery up, or zero if that is unknown.
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
