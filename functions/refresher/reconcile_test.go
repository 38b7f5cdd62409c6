package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// A company with several connections is reconciled once in a run.
func TestOneLookForACompany(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Members: &[]int64{procoretest.Joe, procoretest.Ann}})
	a := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	b := r.Connect(procoretest.MyConstruction, procoretest.Ann, connections.WebhooksPending)
	r.run("housekeeping")
	if got := len(r.Log.Lines(t, "hook reconciled")); got != 1 {
		t.Errorf("got %d looks, want 1", got)
	}
	r.wantWebhooks(a, connections.WebhooksActive, provision.Recheck)
	r.wantWebhooks(b, connections.WebhooksActive, provision.Recheck)
	r.run("housekeeping")
	if got := len(r.Log.Lines(t, "hook reconciled")); got != 1 {
		t.Errorf("got %d looks, want 1: nothing was due", got)
	}
}

// When Procore's rate limit is used up, the run ends before a call is rejected, and
// the next one continues. That is not a failure.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	all := r.companies(procoretest.Max, 6, connections.WebhooksPending)
	spike := 17 // a new hook takes eight calls
	if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{SpikeLimit: &spike}); err != nil {
		t.Fatal(err)
	}
	refused := func() (n int) {
		for _, c := range r.Procore.State().Calls {
			if c.Status == 429 {
				n++
			}
		}
		return n
	}
	for run := 1; run <= 3; run++ {
		r.run("housekeeping")
		if got := refused(); got > 0 {
			t.Errorf("run %d: %d calls were refused", run, got)
		}
		if got := len(r.Procore.State().Hooks); got > 3*run {
			t.Errorf("run %d: there are %d hooks already", run, got)
		}
		r.Clock.Advance(5 * time.Minute)
	}
	r.run("housekeeping")
	for _, c := range all {
		if got := r.Connection(c.Key).Webhooks; got != connections.WebhooksActive {
			t.Errorf("%s: webhooks are %s", c.Key, got)
		}
	}
}

// A run reconciles this many companies, and the next run the rest.
func TestLooksOfARun(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.h.most = 2
	r.companies(procoretest.Max, 5, connections.WebhooksPending)
	for _, want := range []int{2, 4, 5, 5} {
		r.run("housekeeping")
		if got := len(r.Procore.State().Hooks); got != want {
			t.Errorf("got %d hooks, want %d", got, want)
		}
		r.Clock.Advance(5 * time.Minute)
	}
}

// The task recovery reconciles a company without waiting for the schedule.
func TestRecoveryByCall(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.receiver().down.Store(true)
	r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.run("housekeeping")
	for range 3 {
		if _, err := r.Procore.Emit(procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create"}); err != nil {
			t.Fatal(err)
		}
	}
	r.eventually("the hook pauses", every(func(h procoretest.Hook) bool { return h.Paused }))
	r.Clock.Advance(12*time.Hour + time.Minute)
	r.eventually("what waited is discarded", every(func(h procoretest.Hook) bool { return h.Waiting == 0 }))
	for _, want := range []string{
		`{"hook_id":"%d","stored":3,"duplicates":0,"quarantined":0,"more":false}`,
		`{"hook_id":"%d","stored":0,"duplicates":3,"quarantined":0,"more":false}`,
	} {
		var in input
		if err := json.Unmarshal([]byte(`{"task":"recovery","company_id":"5678"}`), &in); err != nil {
			t.Fatal(err)
		}
		out, err := r.h.handle(t.Context(), in)
		got, _ := json.Marshal(out)
		if want = fmt.Sprintf(want, r.Procore.State().Hooks[0].ID); err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	r.fails("recovery", "needs a company")
}
