package main

import (
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

func decoded(t *testing.T, body string) procore.Event {
	t.Helper()
	e, err := procore.DecodeEvent([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// quarantined is a day on which deliveries of company 5678 were not understood that are of each kind now.
func quarantined(t *testing.T) *world {
	t.Helper()
	w := busy(t)
	const event = `{"id":77,"company_id":5678,"resource_name":"RFIs","resource_id":5,"event_type":"update","timestamp":"2026-03-01T12:00:00Z"}`
	if _, err := w.inbox().Add(t.Context(), decoded(t, strings.Replace(event, "77", "78", 1)), []byte(event)); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{event, strings.Replace(event, "77", "78", 1), event + strings.Repeat(" ", 128<<10), strings.Replace(event, "5678", "5679", 1)} {
		w.Clock.Advance(time.Minute)
		if _, err := w.inbox().Quarantine(t.Context(), 5678, "an older version did not understand it", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	w.Clock.Advance(time.Minute)
	return w
}

// Deliveries in quarantine are shown, and what is an event now is stored once.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	w := quarantined(t)
	wants(t, w, "quarantine-none", "quarantine", "list", "--company", "5679")
	wants(t, w, "quarantine-list", "quarantine", "list")
	wants(t, w, "quarantine-limit", "quarantine", "list", "--since", "4m", "--limit", "1", "--json")
	var ids []string
	for h, err := range w.inbox().Held(t.Context(), 5678, "") {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, "5678/"+h.ID)
	}
	wants(t, w, "events-show-quarantined", "events", "show", strings.TrimPrefix(ids[0], "5678/"), "--company", "5678")
	shown, _, _ := w.run("quarantine", "list")
	rows := strings.Split(strings.TrimSpace(shown), "\n")[1:]
	if len(rows) != 5 || len(ids) != 5 {
		t.Fatalf("the list has %d rows, and the inbox %d deliveries, want 5", len(rows), len(ids))
	}
	for i, file := range []string{"other-company", "truncated", "duplicate", "understood", "not-understood"} { // the last one first
		id, _, _ := strings.Cut(rows[i], " ")
		wants(t, w, "quarantine-show-"+file, "quarantine", "show", id)
		if file == "understood" {
			wants(t, w, "quarantine-body", "quarantine", "show", id, "--body")
			wants(t, w, "quarantine-show-json", "quarantine", "show", id, "--json")
			wants(t, w, "quarantine-replay-dry-run", "quarantine", "replay", id, "--dry-run")
			wants(t, w, "quarantine-replay-unasked", "quarantine", "replay", id)
			wants(t, w, "quarantine-replay", "quarantine", "replay", id, "--yes")
		}
		if file != "truncated" {
			wants(t, w, "quarantine-again-"+file, "quarantine", "replay", id, "--yes")
		}
	}
	wants(t, w, "quarantine-unknown", "quarantine", "show", "5678/000000000000")
	wants(t, w, "usage-quarantine", "quarantine", "show", "5678")
	stored := 0
	for a, err := range w.inbox().Arrivals(t.Context(), 5678, w.Clock.Now().Add(-time.Second)) {
		if err != nil {
			t.Fatal(err)
		}
		if stored++; a.ID != "77" {
			t.Errorf("stored: %+v", a)
		}
	}
	if stored != 1 {
		t.Errorf("%d events were stored, want one", stored)
	}
}

// A company's quarantine is replayed as a whole.
func TestQuarantineReplay(t *testing.T) {
	t.Parallel()
	w := quarantined(t)
	wants(t, w, "quarantine-all-dry-run", "quarantine", "replay", "--company", "5678", "--dry-run")
	wants(t, w, "quarantine-all", "quarantine", "replay", "--all-companies", "--yes")
	wants(t, w, "quarantine-both", "quarantine", "replay", "5678/000000000000", "--company", "5678")
}
