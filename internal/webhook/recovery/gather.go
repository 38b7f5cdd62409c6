package recovery

import (
	"slices"
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

// gather reads at most this many pages of discarded deliveries, and returns those of
// events since the time. Procore documents neither an order nor a Link, so gather relies
// on neither: a page that is empty or has nothing new is the end.
func gather(read func(page int) ([]procore.Delivery, bool, error), from Cursor, most int, since time.Time) gathered {
	g := gathered{next: from}
	seen := map[string]bool{}
	var newest time.Time // of the first page's first delivery
	resumed := from.Number > 1
	onward := 0 // whether Number is the page behind the one that has Seen
	for range most {
		page, last, err := read(g.next.Number)
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
		end := page[len(page)-1]
		descending := at(end).Before(newest)
		if resumed && !descending && !slices.ContainsFunc(page, func(d procore.Delivery) bool { return identity(d) == from.Seen }) {
			// What was read before has moved: when deliveries at the list's beginning expire,
			// the rest move up, past this page.
			resumed, newest, g.next.Number = false, time.Time{}, 1
			continue
		}
		resumed = false
		fresh := g.add(page, seen, since)
		old := !slices.ContainsFunc(page, func(d procore.Delivery) bool { return !before(d, since) })
		if !fresh || last || descending && old {
			g.done = true
			return g
		}
		g.next.Seen = identity(end)
		g.next.Number++
		onward = 1
	}
	g.next.Number -= onward // continue there, because the list may change before the next pass
	return g
}

// add collects the new deliveries of a page, and reports whether there are any. A server
// that does not filter lists others too.
func (g *gathered) add(page []procore.Delivery, seen map[string]bool, since time.Time) bool {
	fresh := false
	for _, d := range page {
		id := identity(d)
		if seen[id] {
			continue
		}
		seen[id], fresh = true, true
		other := d.Status != "" && !strings.EqualFold(string(d.Status), string(procore.DeliveryDiscarded))
		if !other && !before(d, since) {
			g.found = append(g.found, d)
		}
	}
	return fresh
}

// identity returns what distinguishes a delivery, even without ids. Two copies of an
// event then have one identity.
func identity(d procore.Delivery) string {
	if d.ID != "" {
		return d.ID.String()
	}
	const most = 512
	return strings.ToValidUTF8(string(d.Payload[:min(len(d.Payload), most)]), "?")
}

// at returns when the event happened, at most twelve hours before Procore gave it up, or
// zero if that is unknown.
func at(d procore.Delivery) time.Time {
	var event struct {
		Timestamp time.Time `json:"timestamp"`
	}
	_, _ = procore.Unmarshal(d.Payload, &event)
	return event.Timestamp
}

func before(d procore.Delivery, t time.Time) bool { return !at(d).IsZero() && at(d).Before(t) }
