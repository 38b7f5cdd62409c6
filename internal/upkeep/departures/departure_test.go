package departures

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

var max = tokens.User(procoretest.Max)

// connected connects Max's companies, whose ids begin with 700.
func (w *world) connected(n int) (all []connections.Connection) {
	w.t.Helper()
	for id := int64(700); id < 700+int64(n); id++ {
		if err := w.Procore.AddCompany(procoretest.NewCompany(id, "A Company", procoretest.Max)); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, w.Connect(id, procoretest.Max, connections.WebhooksOff))
	}
	return all
}

func (w *world) leave(company int64) {
	w.t.Helper()
	w.PatchCompany(company, procoretest.CompanyPatch{Members: &[]int64{}})
}

func (w *world) left(all []connections.Connection, want ...int64) {
	w.t.Helper()
	keys, err := w.watch().Left(w.t.Context(), max, all...)
	var got []int64
	for _, key := range keys {
		got = append(got, key.CompanyID)
	}
	if err != nil || !slices.Equal(got, want) {
		w.t.Errorf("the user left %v, %v; want %v", got, err, want)
	}
}

// The user's list is read once for all connections, and only the companies that it lacks
// are called.
func TestOneListForAllCompanies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.connected(3)
	w.Clock.Advance(time.Hour)
	before := len(w.Procore.State().Calls)
	w.left(all)
	if got := len(w.Procore.State().Calls) - before; got != 1 {
		t.Errorf("got %d calls, want the list alone", got)
	}
	w.leave(701)
	w.Clock.Advance(time.Hour)
	w.left(all, 701)
	if got := w.Requests("GET /rest/v1.0/companies"); got != 2 {
		t.Errorf("got %d lists, want 2", got)
	}
	if got := w.Requests("GET /rest/v1.1/projects"); got != 1 {
		t.Errorf("got %d calls into companies, want 1", got)
	}
	for i, c := range all {
		want := w.Clock.Now()
		if i == 1 {
			want = want.Add(-time.Hour)
		}
		if got := w.Connection(c.Key).SeenAt; !got.Equal(want) {
			t.Errorf("%s was seen at %v, want %v", c.Key, got, want)
		}
	}
}

// One company's trouble does not hide that the user left another one.
func TestLeftBesideAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.connected(3)
	w.leave(700)
	w.leave(702)
	w.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", Kind: procoretest.Status, Status: http.StatusServiceUnavailable})
	left, err := w.watch().Left(t.Context(), max, all...)
	if err == nil || len(left) != 1 || left[0] != all[2].Key {
		t.Errorf("got %v, %v; want the last company and the first one's error", left, err)
	}
}

// A company that was disconnected, or whose calls are paused, is not called.
func TestLeftMakesNoUselessCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.connected(2)
	w.leave(700)
	w.leave(701)
	store := w.Store()
	w.Clock.Advance(time.Hour)
	if err := store.Disconnect(t.Context(), all[0]); err != nil {
		t.Fatal(err)
	}
	if err := store.Pause(t.Context(), all[1]); err != nil {
		t.Fatal(err)
	}
	all[0], all[1] = w.Connection(all[0].Key), w.Connection(all[1].Key)
	w.left(all)
	if got := w.Requests("GET /rest/v1.1/projects"); got != 0 {
		t.Errorf("got %d calls, want none", got)
	}
	w.Clock.Advance(time.Hour)
	w.left(all, 701)
	if left, err := w.watch().Left(t.Context(), tokens.App, all...); err != nil || len(left) > 0 {
		t.Errorf("the service account left %v, %v", left, err)
	}
}

// "App is not connected" disconnects the company. It is not a departure.
func TestNotConnectedIsNoDeparture(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.connected(1)
	w.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: 200, Body: "[]"})
	off := false
	w.PatchCompany(700, procoretest.CompanyPatch{Connected: &off})
	w.left(all)
	if got := w.Connection(all[0].Key).State; got != connections.Disconnected {
		t.Errorf("the connection is %s, want disconnected", got)
	}
}
