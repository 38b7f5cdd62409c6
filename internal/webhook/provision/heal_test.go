package provision

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// A user who may not does not stand in the way of one who may; if no one may, an
// admin has to act, and is noticed.
func TestAnotherConnectionMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.connect(joe), w.connect(ann)
	w.deny(joe, ann)
	w.reconcile(connections.WebhooksNeedsAdmin)
	w.wantStatus(connections.WebhooksNeedsAdmin, Admin, a, b)
	for _, c := range []connections.Connection{a, b} {
		if got := w.Connection(c.Key).State; got != connections.Connected {
			t.Errorf("%s is %s, want connected", c.Key, got)
		}
	}
	w.deny(ann) // who is asked first
	w.reconcile(connections.WebhooksActive)
	w.hook()
	w.wantStatus(connections.WebhooksActive, Recheck, a, b)
}

// A connection that is dead, or whose user is not in the company any more, does
// not stand in the way either.
func TestAnotherConnectionCan(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*world){
		"not a member": func(w *world) {
			w.PatchCompany(company, procoretest.CompanyPatch{Members: &[]int64{joe}})
		},
		"refresh token spent": func(w *world) {
			kill := procoretest.Kill
			w.options(procoretest.OptionsPatch{SecondAuthorization: &kill})
			w.Pair(ann, "http://127.0.0.1:3000/")
			w.Clock.Advance(2 * time.Hour)
		},
	} {
		w := newWorld(t)
		a := w.connect(joe)
		w.connect(ann)
		spoil(w)
		w.reconcile(connections.WebhooksActive)
		w.hook()
		w.wantStatus(connections.WebhooksActive, Recheck, a)
		if row, err := w.Row(t.Context(), company); err != nil || row.Creator != a.Principal {
			t.Errorf("%s: got row %+v, %v", name, row, err)
		}
	}
}

// A hook whose creator lost access is made again by another connection, whatever
// Procore does with it: afterwards one hook reports.
func TestCreatorLostAccess(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*world, connections.Connection){
		"permission": func(w *world, _ connections.Connection) { w.deny(joe) },
		"membership": func(w *world, _ connections.Connection) {
			w.PatchCompany(company, procoretest.CompanyPatch{Members: &[]int64{ann}})
		},
		"ended, and no member": func(w *world, c connections.Connection) {
			if err := w.Reconciler.Store.End(w.t.Context(), c.Key, "a test"); err != nil {
				w.t.Fatal(err)
			}
			w.PatchCompany(company, procoretest.CompanyPatch{Members: &[]int64{ann}})
		},
	} {
		for _, mode := range []procoretest.OrphanedHooks{procoretest.Working, procoretest.Silent, procoretest.Hidden} {
			t.Run(name+", "+string(mode), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.options(procoretest.OptionsPatch{OrphanedHooks: &mode})
				a := w.connect(joe)
				w.reconcile(connections.WebhooksActive)
				old := w.id()
				b := w.connect(ann)
				w.reconcile(connections.WebhooksActive)
				lose(w, a)
				w.Clock.Advance(Recheck)
				w.reconcile(connections.WebhooksActive)
				if got := w.emit(); got != 1 {
					t.Errorf("%d hooks report a change, want 1", got)
				}
				row, err := w.Row(t.Context(), company)
				if err != nil || row.Creator != b.Principal || row.HookID == old {
					t.Errorf("got row %+v, %v, want a hook that Ann made", row, err)
				}
				w.wantStatus(connections.WebhooksActive, Recheck, b)
				before := w.count()
				w.Clock.Advance(Recheck)
				w.reconcile(connections.WebhooksActive)
				if got := w.calls(before); len(got) > 0 {
					t.Errorf("a later pass made the calls %v", got)
				}
			})
		}
	}
}

// While events wait in the old hook it stays, for they would go with it.
func TestCreatorLostAccessWhileFailing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	old := w.hook().ID
	w.connect(ann)
	w.emit()
	w.eventually(func(h procoretest.Hook) bool { return h.Paused })
	w.deny(joe)
	w.reconcile(connections.WebhooksActive)
	if got := w.hook(); got.ID != old || got.Waiting != 1 {
		t.Errorf("got %+v, want the old hook %d and its event", got, old)
	}
}

// Where Procore lets two hooks have one URL the new one reports before the old one
// goes, and passes that fail on the way leave one that is half made, not many.
func TestCreatorLostAccessAndTheNewHookComesFirst(t *testing.T) {
	t.Parallel()
	for triggers, fault := range map[int]procoretest.Fault{
		2: {Endpoint: hooksPath, Method: "DELETE", Kind: procoretest.Status, Status: 503, Times: 3},
		0: {Endpoint: hooksPath + "/", Method: "POST", Kind: procoretest.Status, Status: 503, Times: 3},
	} {
		t.Run(fault.Method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			shared := true
			w.options(procoretest.OptionsPatch{SharedURLs: &shared})
			w.connect(joe)
			w.reconcile(connections.WebhooksActive)
			old := w.hook().ID
			b := w.connect(ann)
			w.deny(joe)
			w.ProcoreFails(fault)
			for range 3 {
				if result, err := w.Reconcile(t.Context(), company); err == nil {
					t.Errorf("got %+v, want an error", result)
				}
				if all := w.hooks(); len(all) != 2 || all[0].ID != old || len(all[1].Triggers) != triggers {
					t.Errorf("got %+v, want the old hook, and a new one of %d triggers", all, triggers)
				}
			}
			w.Procore.ClearFaults()
			w.reconcile(connections.WebhooksActive)
			if row, err := w.Row(t.Context(), company); err != nil || row.Creator != b.Principal || w.hook().ID == old || w.emit() != 1 {
				t.Errorf("got row %+v, %v, want a hook that Ann made", row, err)
			}
		})
	}
}

func (w *world) eventually(ok func(procoretest.Hook) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	w.Procore.Advance(0) // wakes its workers
	if st, err := w.Procore.Wait(ctx, func(st procoretest.State) bool { return ok(hooksOf(st)[0]) }); err != nil {
		w.t.Fatalf("never came true: %+v", st.Hooks)
	}
}

// The company disconnected the app: all its connections learn it, each by one
// call.
func TestCompanyDisconnected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.connect(joe), w.connect(ann)
	off := false
	w.PatchCompany(company, procoretest.CompanyPatch{Connected: &off})
	if result, err := w.Reconcile(t.Context(), company); err != nil || result.Status != "" {
		t.Errorf("got %+v, %v", result, err)
	}
	for _, c := range []connections.Connection{a, b} {
		if got := w.Connection(c.Key); got.State != connections.Disconnected || got.CheckAt.Before(w.Clock.Now().Add(29*24*time.Hour)) {
			t.Errorf("%s is %s, checked at %v; want disconnected, in a month", c.Key, got.State, got.CheckAt)
		}
	}
	if w.count() != 2 {
		t.Errorf("%d calls, want 2", w.count())
	}
}

// A company that was connected again while the refusal was on its way stays connected:
// the refusal concerns the time before.
func TestAuthorizedAfterTheRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	off, on := false, true
	w.PatchCompany(company, procoretest.CompanyPatch{Connected: &off})
	var again atomic.Bool
	w.Fault(func(string, []byte) dynamotest.Fault {
		if w.count() == 1 && again.CompareAndSwap(false, true) {
			w.PatchCompany(company, procoretest.CompanyPatch{Connected: &on})
			w.connect(joe)
		}
		return dynamotest.Fault{}
	})
	if _, err := w.Reconcile(t.Context(), company); err != nil {
		t.Error(err)
	}
	if got := w.Connection(c.Key); !again.Load() || got.State != connections.Connected || !got.ConnectedAt.After(c.ConnectedAt) {
		t.Errorf("the connection is %s since %v; want it connected again", got.State, got.ConnectedAt)
	}
}

// The disconnection is recorded also if the token was refreshed during the pass.
func TestDisconnectedAfterARefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe)
	off := false
	w.PatchCompany(company, procoretest.CompanyPatch{Connected: &off})
	w.Clock.Advance(10 * time.Minute)                                                                   // the 401 is not to one that is fresh
	w.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 401, Times: 2}) // the call, and /me
	if _, err := w.Reconcile(t.Context(), company); err != nil {
		t.Error(err)
	}
	got, generation := w.Connection(c.Key).State, w.Grant(c.Principal).Generation
	if got != connections.Disconnected || generation != 2 {
		t.Errorf("the connection is %s, generation %d; want disconnected, 2", got, generation)
	}
}
