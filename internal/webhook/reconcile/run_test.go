package reconcile

import (
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// A change without an event gets one, once; one with an event gets none. Later runs find
// nothing more.
func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(time.Minute)
	w.emit(procoretest.Event{ProjectID: school, ResourceID: "71"})
	w.delivered()
	w.lose(school, "72")
	w.emit(procoretest.Event{ProjectID: station, ResourceID: "73", EventType: "create", Silent: true})
	w.later(time.Minute)
	w.lose(school, "72")
	w.later(period)
	r := w.run()
	w.wantStored("72", "73")
	if r.Reconciled != 2 || r.Companies == 0 || r.Lag != 0 {
		t.Errorf("got %+v, want two events and no lag", r)
	}
	e := w.stored()["73"][0]
	if e.Type != "create" || e.ProjectID != station || e.CompanyID != company || e.Resource != "RFIs" || e.SelfOriginated != nil {
		t.Errorf("got %+v", e)
	}
	for range 3 {
		w.later(period)
		if r := w.run(); r.Reconciled != 0 || r.Calls == 0 {
			t.Errorf("again: %+v", r)
		}
	}
	w.wantStored("72", "73")
}

// A run that is turned off does nothing, and is not behind.
func TestOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.lose(school, "71")
	w.Want.Period = 0
	w.later(2 * period)
	if r := w.run(); r.Calls != 0 || r.Lag != 0 {
		t.Errorf("got %+v, want nothing", r)
	}
	w.wantStored()
}

// A window ends a minute ago; what is later is found by the next.
func TestSettling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(period)
	w.run()
	w.later(period - 30*time.Second)
	w.lose(school, "71")
	w.later(30 * time.Second)
	w.run()
	w.wantStored()
	w.later(period)
	w.run()
	w.wantStored("71")
}

// Nothing was found at first.
func TestFirstWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update;Company Users:update;RFI Replies:create")
	since := w.Clock.Now()
	w.later(time.Minute)
	if r := w.run(); r.Companies != 1 || r.Calls != 0 || r.NotCovered != 0 {
		t.Errorf("got %+v, want a first turn without a call", r)
	}
	for _, name := range []string{"RFIs", "Company Users"} {
		if c := w.cursor(name); since.Sub(c.From) < 0 || since.Sub(c.From) > 3*time.Second || !c.To.IsZero() {
			t.Errorf("%s: got %+v, want one from the hook's beginning", name, c)
		}
	}
	w.later(period)
	if r := w.run(); r.NotCovered != 1 {
		t.Errorf("got %+v, want one resource not covered", r)
	}
	if c := w.cursor("RFIs"); !c.From.Equal(w.Clock.Now().Add(-settling).Truncate(time.Second)) || !c.To.IsZero() {
		t.Errorf("got %+v, want a finished window", c)
	}
}

// A hook that someone deleted before the first turn, and that was created again, leaves no gap.
func TestFirstWindowBeginsWithTheFirstHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	row, err := w.Hooks.Row(t.Context(), company)
	if err != nil {
		t.Fatal(err)
	}
	client := w.Reconciler.Store.BackgroundClient(connections.Key{CompanyID: company, Principal: tokens.User(joe)})
	if err := client.DeleteHook(t.Context(), row.HookID); err != nil {
		t.Fatal(err)
	}
	w.later(time.Minute)
	w.lose(school, "71")
	w.later(time.Minute)
	w.hooks(company)
	if now, err := w.Hooks.Row(t.Context(), company); err != nil || now.HookID == row.HookID || !now.Since.Equal(row.Since) {
		t.Errorf("got %+v, %v, want another hook, and changes since %v", now, err, row.Since)
	}
	w.later(period)
	w.run()
	w.wantStored("71")
}

// Items of more than a page are found in ranges that fit.
func TestMoreThanAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	var ids []procore.ID
	for i := range int64(330) {
		id := procore.NewID(700_000 + i)
		ids = append(ids, id)
		if i%3 == 0 {
			w.later(1100 * time.Millisecond)
		}
		w.lose(school, id)
	}
	w.later(period)
	w.run()
	w.wantStored(ids...)
}

// More than a page of one second is read whole.
func TestMoreThanAPageInASecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(time.Hour)
	var ids []procore.ID
	for i := range int64(230) {
		ids = append(ids, procore.NewID(700_000+i))
		w.lose(school, ids[i])
	}
	w.later(period)
	w.run()
	w.wantStored(ids...)
}
