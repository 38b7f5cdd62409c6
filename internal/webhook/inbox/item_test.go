package inbox

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What arrived last is listed first, with keys by which it is read.
func TestLatest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begin := w.now
	e := decode(t, payload)
	if _, err := w.Add(t.Context(), e, []byte(payload)); err != nil {
		t.Fatal(err)
	}
	w.now = begin.Add(time.Second)
	if _, err := w.quarantine(t, 5678, "x"); err != nil {
		t.Fatal(err)
	}
	w.now = begin.Add(time.Minute)
	r := e
	r.Resource, r.ResourceID, r.ID = "RFIs", "quarantine", ReconciledID("01JA8Z7Q4M6X2V9T3C5B1N0KDF") // not in quarantine
	if _, err := w.Add(t.Context(), r, []byte(payload)); err != nil {
		t.Fatal(err)
	}
	if err := w.MarkUndeliverable(t.Context(), "5678#RFIs#quarantine", r.ID, "too large"); err != nil {
		t.Fatal(err)
	}
	var got []Arrival
	for a, err := range w.Latest(t.Context(), 5678, begin) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	want := []Arrival{
		{Resource: "5678#RFIs#quarantine", ID: r.ID, Reconciled: true, At: begin.Add(time.Minute)},
		{Resource: "5678#quarantine", ID: digest([]byte("x")), Quarantined: true, At: begin.Add(time.Second)},
		{Resource: ResourceOf(e), ID: e.ID, At: begin},
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Fatalf("arrivals (-got +want):\n%s", d)
	}
	for i, check := range []func(*Item) bool{
		func(i *Item) bool { return i.Event.ID == r.ID && i.Undeliverable == "too large" },
		func(i *Item) bool { return i.Event.ID == "" && i.Reason != "" && string(i.Body) == "x" },
		func(i *Item) bool {
			return i.Event.ID == e.ID && i.CompanyID == 5678 && i.ReceivedAt.Equal(begin) && string(i.Body) == payload
		},
	} {
		if item, err := w.Item(t.Context(), got[i].Resource, got[i].ID); err != nil || item == nil || !check(item) {
			t.Errorf("item of %v: %+v, %v", got[i], item, err)
		}
	}
	if item, err := w.Item(t.Context(), "5678#RFIs#1", "gone"); item != nil || err != nil {
		t.Errorf("an item that is gone: %+v, %v", item, err)
	}
	for a := range w.Latest(t.Context(), 5678, w.now.Add(time.Millisecond)) {
		t.Errorf("after the last arrival there is %v", a)
	}
}
