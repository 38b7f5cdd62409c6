package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

var errDown = errors.New("down")

// shelf is a list of discarded deliveries, on a server with some way of paging.
type shelf struct {
	all    []procore.Delivery
	paging string // number, last: the last page again and again, ignored, linked
	reads  int
	fails  int // the read that fails
}

const perPage = 10

func (s *shelf) read(number int) ([]procore.Delivery, bool, error) {
	if s.reads++; s.reads == s.fails {
		return nil, false, errDown
	}
	pages := (len(s.all) + perPage - 1) / perPage
	from := (max(number, 1) - 1) * perPage
	switch s.paging {
	case "ignored":
		from = 0
	case "last":
		from = min(from, max(pages-1, 0)*perPage)
	}
	from = min(from, len(s.all))
	page := s.all[from:min(from+perPage, len(s.all))]
	return slices.Clone(page), s.paging == "linked" && number == pages, nil
}

var begin = time.Unix(1_790_000_000, 0)

// deliveries returns n deliveries, one per minute.
func deliveries(n int, withID bool) (all []procore.Delivery) {
	for i := range n {
		d := procore.Delivery{Status: "discarded",
			Payload: json.RawMessage(fmt.Sprintf(`{"id":%d,"timestamp":%q}`, i, begin.Add(time.Duration(i)*time.Minute).Format(time.RFC3339)))}
		if withID {
			d.ID = procore.NewID(int64(9000 + i))
		}
		all = append(all, d)
	}
	return all
}

func events(ds []procore.Delivery) map[string]bool {
	all := map[string]bool{}
	for _, d := range ds {
		all[string(d.Payload)] = true
	}
	return all
}

// However a server pages, everything is found and the reading ends, in one pass or in
// several passes of few pages.
func TestGather(t *testing.T) {
	t.Parallel()
	for _, paging := range []string{"number", "last", "linked"} {
		for _, newestFirst := range []bool{false, true} {
			for _, n := range []int{0, 1, 9, 10, 11, 20, 57} {
				for _, most := range []int{3, 100} {
					s := &shelf{all: deliveries(n, true), paging: paging}
					if newestFirst {
						slices.Reverse(s.all)
					}
					found, cursor, passes := map[string]bool{}, Cursor{Number: 1}, 0
					for done := false; !done; passes++ {
						if passes > 20 {
							t.Fatalf("%s, %d: no end", paging, n)
						}
						g := gather(s.read, cursor, most, begin)
						for id := range events(g.found) {
							found[id] = true
						}
						done, cursor = g.done, g.next
					}
					if len(found) != n || most == 100 && passes > 1 || s.reads > n/perPage*2+8 {
						t.Errorf("%s, newest first %t, %d pages per pass: found %d of %d in %d passes and %d reads", paging, newestFirst, most, len(found), n, passes, s.reads)
					}
				}
			}
		}
	}
}

// A server that returns the same page for every request does not keep a pass busy.
func TestGatherStops(t *testing.T) {
	t.Parallel()
	for _, withID := range []bool{true, false} {
		s := &shelf{all: deliveries(30, withID), paging: "ignored"}
		if g := gather(s.read, Cursor{Number: 1}, 25, begin); !g.done || len(g.found) != perPage || s.reads > 3 {
			t.Errorf("ids %t: done %t after %d reads with %d deliveries", withID, g.done, s.reads, len(g.found))
		}
	}
}

// Only what was given up since the time counts. Reading a list that begins with the
// newest stops when the rest is older.
func TestGatherSince(t *testing.T) {
	t.Parallel()
	since := begin.Add(40 * time.Minute)
	for newestFirst, most := range map[bool]int{false: 8, true: 3} {
		s := &shelf{all: deliveries(60, true), paging: "number"}
		s.all[45].Status = "delivered" // a server that does not filter
		s.all[46].Status = "DISCARDED"
		s.all[3].Payload = json.RawMessage(`{"id":3}`) // included, to be safe
		if newestFirst {
			slices.Reverse(s.all)
		}
		g := gather(s.read, Cursor{Number: 1}, 100, since)
		want := 19
		if !newestFirst {
			want++ // the one without a time
		}
		if !g.done || len(g.found) != want || s.reads > most {
			t.Errorf("newest first %t: done %t with %d deliveries in %d reads, want %d in %d", newestFirst, g.done, len(g.found), s.reads, want, most)
		}
	}
}

// An unreadable page does not lose what was read before it, and is read next.
func TestGatherFails(t *testing.T) {
	t.Parallel()
	for _, paging := range []string{"number", "last"} {
		for fails := 1; fails < 6; fails++ {
			s := &shelf{all: deliveries(35, true), paging: paging, fails: fails}
			first := gather(s.read, Cursor{Number: 1}, 25, begin)
			if !errors.Is(first.err, errDown) || first.done {
				t.Errorf("%s, read %d: got %v, done %t", paging, fails, first.err, first.done)
			}
			second := gather(s.read, first.next, 25, begin)
			if got := len(events(append(first.found, second.found...))); got != 35 || !second.done {
				t.Errorf("%s, read %d: found %d of 35 in two passes, done %t", paging, fails, got, second.done)
			}
		}
	}
}

// After a pass that fails on its second page, the next pass does not begin at the
// list's beginning.
func TestGatherFailsAtOnce(t *testing.T) {
	t.Parallel()
	s := &shelf{all: deliveries(57, true), paging: "number"}
	first := gather(s.read, Cursor{Number: 1}, 4, begin)
	s.fails = s.reads + 2
	second := gather(s.read, first.next, 25, begin)
	if second.next != first.next || !errors.Is(second.err, errDown) {
		t.Errorf("got %+v, %v, want to continue at %+v", second.next, second.err, first.next)
	}
}

// Between two passes old deliveries expire, or new ones arrive. A delivery that is
// always in the list is not missed.
func TestGatherWhileTheListMoves(t *testing.T) {
	t.Parallel()
	for _, newestFirst := range []bool{false, true} {
		s := &shelf{all: deliveries(80, true), paging: "number"}
		present := events(s.all[35:])
		if newestFirst {
			slices.Reverse(s.all)
		}
		first := gather(s.read, Cursor{Number: 1}, 4, begin)
		if newestFirst {
			more := deliveries(115, true)[80:]
			slices.Reverse(more)
			s.all = append(more, s.all...)
		} else {
			s.all = s.all[35:]
		}
		second := gather(s.read, first.next, 100, begin)
		found := events(append(first.found, second.found...))
		for id := range present {
			if !found[id] {
				t.Errorf("newest first %t: %s was missed", newestFirst, id)
			}
		}
		if !second.done {
			t.Errorf("newest first %t: no end", newestFirst)
		}
	}
}
