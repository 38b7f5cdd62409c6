package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/platform/dynamo"
)

// arrivals stores the keys of n events of the last week: few companies have many.
func (w *world) arrivals(n int) {
	w.t.Helper()
	for i := range n {
		company := 100_000 + i*i%97*101%many // some of these are among the first ones of the list
		at := w.Clock.Now().Add(-time.Duration(i%(7*24*60)) * time.Minute)
		if i%2 == 0 {
			company = 100_000 + i/2%3
		}
		id := strconv.Itoa(company)
		w.put(w.Tables.Inbox, dynamo.Item{
			"resource": dynamo.Text(fmt.Sprintf("%s#RFIs#%d", id, i)), "event_id": dynamo.Text(strconv.Itoa(i)),
			"company_id": dynamo.Text(id), "received_at_ms": dynamo.Number(at.UnixMilli()),
		})
	}
}

// Ten thousand companies and their events are listed, searched and paged by indexes and keys, without a scan. CI has 20,000
// events; EVENTS=1000000 go test -run TestConsoleOfTenThousand -v ./cmd/procore-connect has a million.
func TestConsoleOfTenThousand(t *testing.T) {
	t.Parallel()
	w := worldOfMany(t)
	events := 20_000
	if n, err := strconv.Atoi(os.Getenv("EVENTS")); err == nil {
		events = n
	}
	w.arrivals(events)
	v := consoleOf(t, w)
	for _, one := range []struct {
		path  string
		most  map[string]int
		shows []string
	}{
		// The breaker; the list and the grants that have ended; and, of each company that is shown, its connections, its grant,
		// and its activity in one query or eight more, of the three companies with many events.
		{"/", map[string]int{"dynamodb:GetItem": 51, "dynamodb:Query": 32 + 100 + 3*8}, []string{"1–50 of 10,000 companies", "at least"}},
		{"/?page=200", map[string]int{"dynamodb:GetItem": 51, "dynamodb:Query": 32 + 100}, []string{"9,951–10,000 of 10,000 companies"}},
		{"/?q=harbor&page=2", map[string]int{"dynamodb:GetItem": 51, "dynamodb:Query": 32 + 100}, []string{"51–100 of 909 companies"}},
		{"/?state=reauthorize", map[string]int{"dynamodb:GetItem": 11, "dynamodb:Query": 32 + 20 + 3*8}, []string{"1–10 of 10 companies"}},
		{"/companies/105000", map[string]int{"dynamodb:GetItem": 3, "dynamodb:Query": 3}, []string{"works: Joe Builder"}},
	} {
		w.mu.Lock()
		w.asked = nil
		w.mu.Unlock()
		began := time.Now()
		a := v.get(one.path)
		t.Logf("%s: %v, %d bytes", one.path, time.Since(began), len(a.body))
		v.wants(http.StatusOK, a)
		for _, text := range one.shows {
			if !strings.Contains(a.body, text) {
				t.Errorf("%s does not show %q", one.path, text)
			}
		}
		w.mu.Lock()
		if v.again > 0 { // on a slow machine
			one.most["dynamodb:GetItem"], one.most["dynamodb:Query"] = len(w.asked), len(w.asked)
		}
		v.again = 0
		w.wantCalls(one.most) // no scan among them
		w.mu.Unlock()
	} // The quarantine of so many is found by the receiver's lines.
	if _, err := w.inbox().Quarantine(t.Context(), 105_000, "no resource", []byte(`{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	w.at(w.Clock.Now(), "webhook-receiver", `"company_id":105000,"msg":"request","outcome":"quarantined"`)
	v.wants(http.StatusOK, v.get("/quarantine"), "too many for one list", "/quarantine?search=1&amp;since=14d")
	v.wants(http.StatusOK, v.get("/quarantine?search=1&since=14d"), "/quarantine/105000/", "no resource", "1–1 of 1")
}
