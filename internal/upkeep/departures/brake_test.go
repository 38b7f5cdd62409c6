package departures

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// world has connections whose users all left.
type world struct {
	*functiontest.World
	t *testing.T
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{functiontest.New(t), t}
}

// watch returns one process's watch.
func (w *world) watch() *Watch {
	store := w.Store()
	return &Watch{Store: store, Log: w.Log.Logger, Hooks: &provision.Reconciler{
		Store: store, Log: w.Log.Logger, Want: provision.Config{Namespace: "our-app", URL: "http://127.0.0.1:9/"},
	}}
}

// departed returns n connections of companies from this id on.
func (w *world) departed(from int64, n int) (all []connections.Key) {
	w.t.Helper()
	for i := range int64(n) {
		if err := w.Procore.AddCompany(procoretest.NewCompany(from+i, "A Company", procoretest.Max)); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, w.Connect(from+i, procoretest.Max, connections.WebhooksOff).Key)
		w.PatchCompany(from+i, procoretest.CompanyPatch{Members: &[]int64{}})
	}
	return all
}

// end ends connections, and checks how many of them ended.
func (w *world) end(all []connections.Key, want int) {
	w.t.Helper()
	watch := w.watch()
	for _, key := range all {
		if err := watch.End(w.t.Context(), key); err != nil && !errors.Is(err, ErrWithheld) {
			w.t.Errorf("%s: %v", key, err)
		}
	}
	w.wantEnded(all, want)
}

func (w *world) wantEnded(all []connections.Key, want int) {
	w.t.Helper()
	got := 0
	for _, key := range all {
		if w.Connection(key).State == connections.Ended {
			got++
		}
	}
	if got != want {
		w.t.Errorf("%d of %d connections have ended, want %d", got, len(all), want)
	}
}

// The limit counts over a day. Below it, endings go on for ever.
func TestWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for day := range int64(3) {
		w.end(w.departed(700+100*day, maxEndings-1), maxEndings-1)
		w.Clock.Advance(24 * time.Hour)
	}
	for hour := range int64(2 * maxEndings) { // never more than eight within a day
		w.end(w.departed(1000+hour, 1), 1)
		w.Clock.Advance(3 * time.Hour)
	}
	if b, err := w.watch().Brake(t.Context()); err != nil || b.Engaged() || b.Endings() >= maxEndings {
		t.Errorf("got %+v, %v; want a brake that is not engaged", b, err)
	}
}

// Endings of many runs count together.
func TestSlowEndings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.departed(700, maxEndings+1)
	for _, key := range all {
		w.end([]connections.Key{key}, 1-len(w.Log.Lines(t, "brake on departures engaged")))
		w.Clock.Advance(2 * time.Hour)
	}
	w.wantEnded(all, maxEndings)
}

// Once engaged, the brake withholds every ending until an operator acknowledges, however
// much time passes.
func TestBrakeStaysEngaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.end(w.departed(700, maxEndings), maxEndings)
	rest := w.departed(800, maxEndings+5)
	w.end(rest, 0)
	w.Clock.Advance(30 * 24 * time.Hour)
	w.end(rest, 0)
	lines := w.Log.Lines(t, "departure withheld")
	if len(lines) != 2*len(rest) || lines[0]["company_id"] != float64(800) || lines[0]["principal"] != string(rest[0].Principal) {
		t.Errorf("got %d lines of a withheld departure, first %v; want %d that name the connection", len(lines), lines[0], 2*len(rest))
	}
	was, err := w.watch().Acknowledge(t.Context())
	if err != nil || !was.Engaged() || was.Endings() != maxEndings || was.Withheld != int64(2*len(rest)) {
		t.Errorf("acknowledged %+v, %v; want an engaged brake with %d endings, %d withheld", was, err, maxEndings, 2*len(rest))
	}
	w.end(rest, maxEndings)
	w.end(rest, maxEndings)
	if again, err := w.watch().Acknowledge(t.Context()); err != nil || again.Endings() != maxEndings {
		t.Errorf("acknowledged %+v, %v; want %d endings", again, err, maxEndings)
	}
	w.end(rest, len(rest))
}

// An acknowledgement without an ending before it changes nothing.
func TestNothingToAcknowledge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Storage()
	if was, err := w.watch().Acknowledge(t.Context()); err != nil || was.Engaged() || was.Endings() != 0 || was.Withheld != 0 {
		t.Errorf("acknowledged %+v, %v; want nothing", was, err)
	}
	if got := w.Storage(); len(got) != 1 {
		t.Errorf("got operations %q, want one read", got)
	}
}

// Processes that end connections at once stay within the limit together.
func TestProcessesShareTheLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.departed(700, 3*maxEndings)
	var processes sync.WaitGroup
	for p := range 3 {
		watch := w.watch()
		processes.Go(func() {
			for i := range all {
				_ = watch.End(t.Context(), all[(i+p*maxEndings)%len(all)]) // the rows show what happened
			}
		})
	}
	processes.Wait()
	ended := 0
	for _, key := range all {
		if w.Connection(key).State != connections.Connected {
			ended++
		}
	}
	if ended == 0 || ended > maxEndings {
		t.Errorf("%d connections ended, want at most %d", ended, maxEndings)
	}
}

// While storage cannot count, no connection ends. That includes a write whose answer is lost.
func TestStorageDownEndsNone(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]dynamotest.Fault{
		"the read": {Code: "InternalServerError"}, "the write": {Code: "InternalServerError"}, "the answer": {Code: "InternalServerError", Applied: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			all := w.departed(700, 3)
			fails := "UpdateItem"
			if name == "the read" {
				fails = "GetItem"
			}
			w.Fault(func(operation string, body []byte) dynamotest.Fault {
				if operation == fails && strings.Contains(string(body), `#departures"`) {
					return fault
				}
				return dynamotest.Fault{}
			})
			for _, key := range all {
				if err := w.watch().End(t.Context(), key); err == nil || errors.Is(err, ErrWithheld) {
					t.Errorf("got error %v, want one of storage", err)
				}
			}
			w.Fault(nil)
			w.wantEnded(all, 0)
			w.end(all, len(all))
		})
	}
}

// An ending counts once, also if its revocation failed, which the schedule finishes.
func TestEndingCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun := w.departed(700, 1)
	w.ProcoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Status, Status: 503, Times: 99})
	if err := w.watch().End(t.Context(), begun[0]); err == nil || errors.Is(err, ErrWithheld) {
		t.Errorf("got error %v, want Procore's", err)
	}
	for range maxEndings + 1 {
		w.end(begun, 1)
	}
	w.Procore.ClearFaults()
	if g := w.Grant(begun[0].Principal); g.State != tokens.Uncertain || g.UnheldAt.IsZero() {
		t.Errorf("the grant is %s, without a holder since %v; want it left to the schedule", g.State, g.UnheldAt)
	}
	w.end(w.departed(800, maxEndings), maxEndings-1)
	if got := len(w.Log.Lines(t, "departed user's connection ended")); got != maxEndings {
		t.Errorf("got %d lines of departures, want %d", got, maxEndings)
	}
}
