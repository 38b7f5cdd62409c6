package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// A run that is killed at any call of storage, or before or after any answer of Procore,
// loses nothing and repeats nothing. The cursor moves only when the whole window is done.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(time.Hour)
	ids := []procore.ID{"71", "72", "73", "74"}
	for i, id := range ids {
		w.lose([]int64{school, station}[i%2], id)
	}
	w.later(period)
	for n := int64(1); ; n++ {
		w.hooks(company) // refreshes the token, which a kill would cost
		var count, reached atomic.Int64
		w.Fault(func(string, []byte) dynamotest.Fault {
			if count.Add(1) >= n {
				reached.Store(1)
				return dynamotest.Fault{Drop: true, Applied: n%2 == 0}
			}
			return dynamotest.Fault{}
		})
		_, _ = w.Run(t.Context())
		w.Fault(nil)
		if row, err := w.readRow(t.Context(), company); err != nil || len(row.cursors) > 0 && len(w.stored()) < len(ids) && row.cursors[0].From.After(w.Clock.Now().Add(-period)) {
			t.Fatalf("killed at call %d: the cursor is at %+v, %v, and %d of %d changes are stored", n, row.cursors, err, len(w.stored()), len(ids))
		}
		if reached.Load() == 0 {
			break
		}
		w.later(leaseFor)
		if n > 300 {
			t.Fatal("no run was ever finished")
		}
	}
	w.wantStored(ids...)
	w.later(period)
	w.run()
	w.wantStored(ids...)
}

// A change in the last project is found although a run ended before.
func TestProcoreFailsAnywhere(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/rest/v1.1/projects", "/rest/v1.0/projects/2001/rfis", "/rest/v1.0/projects/2002/rfis"} {
		w := newWorld(t, "RFIs:create,update")
		w.later(time.Hour)
		w.lose(school, "71")
		w.lose(station, "72")
		w.later(period)
		w.ProcoreFails(procoretest.Fault{Kind: procoretest.Status, Endpoint: path, Status: 500, Times: 1})
		if _, err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "500") {
			t.Errorf("%s: got error %v", path, err)
		}
		if c := w.cursor("RFIs"); c.From.After(w.Clock.Now().Add(-period)) {
			t.Errorf("%s: the cursor moved: %+v", path, c)
		}
		w.run()
		w.wantStored("71", "72")
	}
}

// A tool that may not be read is not asked for three days, and is listed. Then what changed
// in the meantime is found.
func TestRefusedTool(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update;Company Users:update")
	w.PatchCompany(company, procoretest.CompanyPatch{DeniedTools: &[]string{"rfis"}})
	w.later(time.Hour)
	w.lose(school, "71")
	w.later(period)
	w.run()
	calls := func() int { return w.Requests("GET /rest/v1.0/projects/2001/rfis") }
	if n := calls(); n != 1 {
		t.Errorf("%d calls, want one that is refused", n)
	}
	c, err := w.Coverage(t.Context(), company)
	if err != nil || len(c.Resources) != 2 || !slices.Equal(c.Resources[0].Refused, []procore.ID{"2001", "2002"}) || c.Resources[1].Until.IsZero() || len(c.NotCovered) == 0 {
		t.Errorf("got %+v, %v", c, err)
	}
	w.later(period)
	if r := w.run(); r.NotCovered != 1 || calls() != 1 {
		t.Errorf("got %+v and %d calls, want no call for three days", r, calls())
	}
	w.PatchCompany(company, procoretest.CompanyPatch{DeniedTools: &[]string{}})
	w.later(refusedFor)
	w.run()
	w.wantStored("71")
	if c, err := w.Coverage(t.Context(), company); err != nil || len(c.Resources[0].Refused) != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
}

// What was refused is read later although storage did not keep the refusal at first.
func TestRefusalIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.PatchCompany(company, procoretest.CompanyPatch{DeniedTools: &[]string{"rfis"}})
	w.later(time.Hour)
	w.lose(school, "71")
	w.later(period)
	failed := false
	w.Fault(func(operation string, body []byte) dynamotest.Fault {
		if failed = failed || operation == "UpdateItem" && strings.Contains(string(body), "refused#"); failed && strings.Contains(string(body), "refused#") {
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	if r, err := w.Run(t.Context()); err == nil || !failed {
		t.Errorf("got %+v, want the error of the refusal's write", r)
	}
	w.Fault(nil)
	for range 2 {
		w.later(period)
		w.run()
	}
	w.PatchCompany(company, procoretest.CompanyPatch{DeniedTools: &[]string{}})
	w.later(refusedFor)
	w.run()
	w.wantStored("71")
}

// A turn that has lost its lease ends no refusal: the turn that has it may have counted on it in a longer window.
func TestRefusalOfALongerWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.PatchCompany(company, procoretest.CompanyPatch{DeniedTools: &[]string{"rfis"}})
	w.later(period)
	w.run()
	w.PatchCompany(company, procoretest.CompanyPatch{DeniedTools: &[]string{}})
	w.later(refusedFor)
	lost := false
	w.Fault(func(operation string, body []byte) dynamotest.Fault {
		if !lost && operation == "UpdateItem" && strings.Contains(string(body), "refused#") {
			t.Error("a refusal was written before the lease was lost")
		}
		if r := w.Requests("GET /rest/v1.0/projects/2001/rfis"); !lost && r > 1 { // the project was read
			lost = true
			row, err := w.readRow(t.Context(), company)
			if err == nil {
				_, err = w.save(t.Context(), row)
			}
			if err != nil {
				t.Error(err)
			}
		}
		return dynamotest.Fault{}
	})
	if r, err := w.Run(t.Context()); err == nil || !lost {
		t.Errorf("got %+v, lost the lease: %t; want an error", r, lost)
	}
	w.Fault(nil)
	if f, err := w.readRefusals(t.Context(), company, "RFIs"); err != nil || len(f.all) != 2 {
		t.Errorf("got %+v, %v, want the refusals of both projects", f.all, err)
	}
}

// While deliveries wait at Procore nothing is looked for, and not for an hour after. What
// was discarded is recovered first. So nothing is stored twice.
func TestOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(period)
	w.run()
	w.down.Store(true)
	w.emit(procoretest.Event{ProjectID: school, ResourceID: "71"})
	w.eventually(func(h procoretest.Hook) bool { return h.Paused })
	w.lose(station, "72")
	for range 11 {
		w.later(time.Hour)
		w.run()
	}
	w.wantStored()
	if r := w.run(); r.Lag < 4*time.Hour {
		t.Errorf("got %+v, want the lag", r)
	}
	w.later(2 * time.Hour)
	w.eventually(func(h procoretest.Hook) bool { return h.Waiting == 0 })
	w.down.Store(false)
	for range 12 {
		w.later(10 * time.Minute)
		w.run()
	}
	w.wantStored("72")
	if n := len(w.all()); n != 2 {
		t.Errorf("%d events, want the one that was recovered and the one that was lost", n)
	}
}

// A resource whose list shows no times is read item by item.
func TestListWithoutTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(time.Hour)
	w.emit(procoretest.Event{ProjectID: school, ResourceID: "70"})
	w.delivered()
	var ids []procore.ID
	for i := range 25 { // more than are read singly at once
		ids = append(ids, procore.NewID(int64(700+i)))
		w.lose(school, ids[i])
		w.later(5 * time.Second)
	}
	w.crooked("updated-absent")
	w.later(period)
	w.run()
	w.wantStored(ids...)
	w.later(period)
	w.run()
	w.wantStored(ids...)
}

// Whatever Procore makes of a range and of its lists, each change is found once.
func TestCrookedLists(t *testing.T) {
	t.Parallel()
	for _, quirk := range []string{"range-open", "range-seconds", "range-no-end", "range-ignored", "updated-seconds", "unsorted", "latest-first", "item-moves", "pages,item-moves", "date-absent", "dates-number"} {
		t.Run(quirk, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "RFIs:create,update")
			w.crooked(quirk)
			var ids []procore.ID
			for i := range int64(40) {
				ids = append(ids, procore.NewID(700_000+i))
				w.lose([]int64{school, station}[i%2], ids[i])
				w.later(17*time.Minute + 500*time.Millisecond)
				w.run()
			}
			w.later(period)
			w.run()
			for _, after := range []time.Duration{0, 400 * time.Millisecond, time.Second} { // where one window ends and the next begins
				ids = append(ids, procore.NewID(710_000+after.Milliseconds()))
				w.emit(procoretest.Event{ProjectID: school, ResourceID: ids[len(ids)-1], Silent: true, At: w.cursor("RFIs").From.Add(after)})
			}
			w.later(period)
			w.run()
			w.wantStored(ids...)
		})
	}
}

func (w *world) crooked(quirks string) {
	w.t.Helper()
	if err := w.Procore.UpdateOptions(procoretest.OptionsPatch{Crooked: &quirks}); err != nil {
		w.t.Fatal(err)
	}
}

// In an hour no more calls are made than are allowed, and later runs go on.
func TestBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update;Submittals:update;Punch Items:update;Forms:update")
	w.Want.PerOwner = 5
	w.later(time.Hour)
	w.lose(station, "71")
	w.Clock.Set(w.Clock.Now().Add(period).Truncate(time.Hour).Add(100 * time.Millisecond))
	for range 6 {
		calls := 0
		for range 12 {
			calls += w.run().Calls
			w.later(5 * time.Minute)
		}
		if calls > 5 {
			t.Errorf("%d calls in an hour, want 5 at most", calls)
		}
	}
	w.wantStored("71")
	w.Want.PerOwner, w.Want.PerApp = 100, 3
	w.later(period)
	if r := w.run(); r.Calls > 3 {
		t.Errorf("%d calls, want 3 at most for all companies", r.Calls)
	}
}

// A rate limit skips its owner, and the run goes on later where it was.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(time.Hour)
	w.lose(school, "71")
	w.later(period)
	w.ProcoreFails(procoretest.Fault{Kind: procoretest.Status, Endpoint: "/rest/v1.0/projects/2001/rfis", Status: 429, Times: 1})
	w.run()
	w.wantStored()
	before := w.Requests("")
	w.run()
	if n := w.Requests("") - before; n != 0 {
		t.Errorf("%d calls of an owner that has to wait", n)
	}
	w.later(time.Hour)
	w.run()
	w.wantStored("71")
}

// What is older than the inbox remembers is stored without asking it, and not all at once.
func TestBackfill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(period)
	var ids []procore.ID
	for i := range int64(backfillPerHour + 100) {
		if i%5 == 0 {
			w.later(time.Second)
		}
		ids = append(ids, procore.NewID(700_000+i))
		w.lose(school, ids[i])
	}
	w.later(remembered + 24*time.Hour)
	w.lose(station, "71")
	w.later(period)
	first := w.run()
	if first.Backfilled != backfillPerHour || first.Reconciled != 0 {
		t.Errorf("got %+v, want the hour's backfill", first)
	}
	w.later(time.Hour)
	second := w.run()
	if second.Backfilled != 100 || second.Reconciled != 1 {
		t.Errorf("got %+v, want the rest", second)
	}
	w.wantStored(append(ids, "71")...)
}

// An event shortly before the change is a sign that Procore computed something. Any other
// change was never delivered.
func TestMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(time.Hour)
	w.emit(procoretest.Event{ProjectID: school, ResourceID: "71"})
	w.delivered()
	w.later(4 * time.Minute)
	w.lose(school, "71")
	w.lose(school, "72")
	w.later(period)
	if r := w.run(); r.Reconciled != 2 || r.Moved != 1 {
		t.Errorf("got %+v", r)
	}
	w.later(period)
	w.run()
	w.later(24 * time.Hour)
	if r := w.run(); r.NeverDelivered != 1 {
		t.Errorf("got %+v, want one that was never delivered", r)
	}
	w.later(24 * time.Hour)
	if r := w.run(); r.NeverDelivered != 0 {
		t.Errorf("got %+v, want it counted once", r)
	}
}

// Two runs at once store each event once, and one of them works for the company.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	w.later(time.Hour)
	for i := range int64(20) {
		w.lose(school, procore.NewID(700+i))
	}
	w.later(period)
	reports := make(chan Report)
	for range 2 {
		go func() {
			report, err := w.Run(t.Context())
			if err != nil {
				t.Error(err)
			}
			reports <- report
		}()
	}
	a, b := <-reports, <-reports
	if a.Reconciled+b.Reconciled != 20 || a.Companies+b.Companies > 4 {
		t.Errorf("got %+v and %+v", a, b)
	}
	if n := len(w.stored()); n != 20 {
		t.Errorf("%d events", n)
	}
}

// A company's failing resource does not hold up its others.
func TestOtherResourcesGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Submittals:update;RFIs:create,update")
	w.later(time.Hour)
	w.lose(school, "71")
	w.later(period)
	w.ProcoreFails(procoretest.Fault{Kind: procoretest.Status, Endpoint: "/rest/v1.1/projects/2001/submittals", Status: 500, Times: 100})
	if _, err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), fmt.Sprint(company)) {
		t.Errorf("got error %v, want one that names the company", err)
	}
	w.wantStored("71")
	if c := w.cursor("RFIs"); c.From.Before(w.Clock.Now().Add(-time.Hour)) {
		t.Errorf("got %+v", c)
	}
}
