package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// finished returns the events that the consumer has handled, in order.
func finished(s *stack.Stack) (ids []string) {
	for _, text := range s.Logs.Messages(stack.LogGroup("event-consumer")) {
		var line struct {
			Msg string `json:"msg"`
			ID  string `json:"event_id"`
		}
		if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "handled" {
			ids = append(ids, line.ID)
		}
	}
	return ids
}

// replayOnStack changes an RFI several times, and replays everything: the consumer handles all events again, those of the
// RFI in order.
func replayOnStack(t *testing.T, s *stack.Stack, log *lines) {
	t.Helper()
	before := finished(s)
	rfi := procore.ID("")
	want := slices.Clone(before)
	for _, kind := range []string{"create", "update", "update", "update"} {
		e, err := s.Procore.Emit(procoretest.Event{
			CompanyID: procoretest.HarborHill, ProjectID: project(t, s), ResourceName: "RFIs", ResourceID: rfi, EventType: kind, UserID: procoretest.Joe,
		})
		if err != nil {
			t.Fatal(err)
		}
		rfi, want = e.ResourceID, append(want, e.EventIDs...)
	}
	log.until(t, "the events are handled", func() bool { return len(finished(s)) == len(want) })
	out, code := typed(t, s, "replay", "--all-companies", "--from", "1h", "--not-handled", "--yes")
	if code != exitOK || !strings.Contains(out, "Nothing is to be done.") {
		t.Errorf("all is handled: exit code %d\n%s", code, out)
	}
	if out, code := typed(t, s, "replay", "--all-companies", "--from", "1h", "--yes"); code != exitOK {
		t.Fatalf("replay: exit code %d\n%s", code, out)
	}
	log.until(t, "the events are handled again", func() bool { return len(finished(s)) >= 2*len(want) })
	got, ofRFI := finished(s), want[len(before):]
	inOrder := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return !slices.Contains(ofRFI, id) })
	if d := cmp.Diff(inOrder, slices.Concat(ofRFI, ofRFI)); d != "" {
		t.Errorf("handled of the RFI (-got +want):\n%s", d)
	}
	if d := cmp.Diff(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(slices.Concat(want, want)))); d != "" {
		t.Errorf("handled of all, in any order (-got +want):\n%s", d)
	}
}
