package procoretest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each quirk of the range admits what it says.
func TestOddRanges(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for quirk, want := range map[string]string{
		"":                 "start within end",
		"range-open":       "within",
		"range-open-start": "within end",
		"range-open-end":   "start within",
		"range-seconds":    "start within end end+",
		"range-no-end":     "start within end end+ after",
		"range-ignored":    "before start within end end+ after",
	} {
		l := startLists(t, Options{Crooked: quirk})
		l.emit("Incidents", map[string]time.Duration{"before": 0, "start": time.Second, "within": 1500 * ms, "end": 2 * time.Second, "end+": 2500 * ms, "after": time.Hour})
		got := map[string]bool{}
		for title := range strings.SplitSeq(l.titles("/rest/v1.0/projects/2001/incidents?"+updatedIn(time.Second, 2*time.Second)), " ") {
			got[title] = true
		}
		for title := range strings.SplitSeq("before start within end end+ after", " ") {
			if wanted := strings.Contains(" "+want+" ", " "+title+" "); got[title] != wanted {
				t.Errorf("%s: %s is listed: %t, want %t", quirk, title, got[title], wanted)
			}
		}
	}
}

func TestOddTimes(t *testing.T) {
	t.Parallel()
	l := startLists(t, Options{Crooked: "updated-seconds"})
	l.emit("Incidents", map[string]time.Duration{"a": 1999 * time.Millisecond})
	if got := l.items("/rest/v1.0/projects/2001/incidents")[0].UpdatedAt; got == nil || *got != "2026-06-01T12:00:01Z" {
		t.Errorf("updated_at %v, want whole seconds", got)
	}
	crooked := "updated-absent"
	if err := l.UpdateOptions(OptionsPatch{Crooked: &crooked}); err != nil {
		t.Fatal(err)
	}
	one := l.items("/rest/v1.0/projects/2001/incidents")[0]
	if one.UpdatedAt != nil {
		t.Errorf("updated_at %s in a list", *one.UpdatedAt)
	}
	api(t, l.Server, l.token, MyConstruction, "GET", "/rest/v1.0/projects/2001/incidents/"+string(one.ID), "").wants(t, 200, "updated_at")
}

// The order of each quirk, and what one who reads a list of six page by page misses when
// an item changes or moves after the first page.
func TestOddOrders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		quirk  string
		sorted bool // as they were created, before the change
		missed int
	}{{"", true, 0}, {"unsorted", false, 0}, {"latest-first", false, 0}, {"latest-last", true, 1}, {"item-moves", true, 1}} {
		l := startLists(t, Options{Crooked: tt.quirk})
		for i := range 6 {
			l.emit("Incidents", map[string]time.Duration{fmt.Sprint("i", i): time.Duration(i) * time.Second})
		}
		sorted, seen := true, map[string]bool{}
		for page := range 3 {
			items := l.items(fmt.Sprintf("/rest/v1.0/projects/2001/incidents?per_page=2&page=%d", page+1))
			for i, item := range items {
				seen[item.Title] = true
				sorted = sorted && (page > 0 || item.Title == fmt.Sprint("i", i))
			}
			if page == 0 {
				e := Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "Incidents", ResourceID: items[0].ID, EventType: "update"}
				if _, err := l.Emit(e); err != nil {
					t.Fatal(err)
				}
			}
		}
		if sorted != tt.sorted || len(seen) != 6-tt.missed {
			t.Errorf("%s: sorted %t, saw %d; want %t, %d", tt.quirk, sorted, len(seen), tt.sorted, 6-tt.missed)
		}
		var again []string
		for page := range 3 {
			for _, item := range l.items(fmt.Sprintf("/rest/v1.0/projects/2001/incidents?per_page=2&page=%d", page+1)) {
				again = append(again, item.Title)
			}
		}
		seen = map[string]bool{}
		for _, title := range again {
			seen[title] = true
		}
		if len(seen) != 6 {
			t.Errorf("%s: %v when nothing changes, want all", tt.quirk, again)
		}
	}
}
