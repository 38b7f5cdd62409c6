package inbox

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
)

func happened(id string, after time.Duration) procore.Event {
	return procore.Event{ID: id, CompanyID: 5678, Resource: "RFIs", ResourceID: "42", Type: "update", PayloadVersion: "v2.0",
		Timestamp: time.Date(2026, 11, 1, 12, 0, 0, 123_000_000, time.UTC).Add(after)}
}

func (w *world) store(t *testing.T, events ...procore.Event) {
	t.Helper()
	for _, e := range events {
		if _, err := w.Add(t.Context(), e, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
}

// all counts every event.
func all(procore.Event) bool { return true }

func TestNewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, elsewhere, timeless := happened("9", time.Hour), happened("9", time.Hour), happened("9", 0)
	other.ResourceID, elsewhere.CompanyID, timeless.Timestamp = "43", 5679, time.Time{}
	// By id the middle one is the last: the order of ids is Procore's.
	w.store(t, happened("10", 2*time.Second), happened("8", time.Second), happened("100", time.Second), other, elsewhere, timeless)
	for _, tt := range []struct {
		event procore.Event
		want  bool
	}{
		{happened("7", 0), true},
		{happened("8", time.Second), true},
		{happened("10", 2*time.Second), false},
		{happened("10", 2*time.Second-time.Nanosecond), true}, // another millisecond
		{happened("11", 2*time.Second+time.Nanosecond), false},
		{happened("11", 3*time.Second), false},
		{timeless, false},
		{other, false},
	} {
		if got, err := w.Newer(t.Context(), tt.event, all); err != nil || got != tt.want {
			t.Errorf("event %s of %v: Newer = %v, %v, want %v", tt.event.ID, tt.event.Timestamp, got, err, tt.want)
		}
	}
}

// A consumer skips its own app's changes. If it skipped an event because of one, it
// would handle neither.
func TestNewerThatCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app, user := happened("2", 2*time.Second), happened("1", time.Second)
	app.SourceApplicationID = "the-app"
	byUser := func(e procore.Event) bool { return e.SourceApplicationID == "" }
	w.store(t, app)
	if got, err := w.Newer(t.Context(), happened("0", 0), byUser); err != nil || got {
		t.Errorf("before an app's change: Newer = %v, %v, want false", got, err)
	}
	w.store(t, user)
	if got, err := w.Newer(t.Context(), happened("0", 0), byUser); err != nil || !got {
		t.Errorf("before a user's change: Newer = %v, %v, want true", got, err)
	}
	if got, err := w.Newer(t.Context(), user, byUser); err != nil || got {
		t.Errorf("between them: Newer = %v, %v, want false", got, err)
	}
}

// Newer makes one query, however many events a resource has, and no query without a
// time to compare.
func TestNewerIsOneQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 3 * newerLimit {
		w.store(t, happened(fmt.Sprintf("%03d", n), time.Duration(n)*time.Second))
	}
	var operations []string
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		operations = append(operations, operation)
		return dynamotest.Fault{}
	})
	if got, err := w.Newer(t.Context(), happened("050", 50*time.Second), all); err != nil || !got {
		t.Errorf("Newer = %v, %v, want true", got, err)
	}
	if _, err := w.Newer(t.Context(), procore.Event{CompanyID: 5678}, all); err != nil {
		t.Error(err)
	}
	if !slices.Equal(operations, []string{"Query"}) {
		t.Errorf("operations %v, want one Query", operations)
	}
}

func TestNewerFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dynamo.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} })
	if got, err := w.Newer(t.Context(), happened("1", 0), all); err == nil || got {
		t.Errorf("Newer = %v, %v, want an error", got, err)
	}
}
