package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// A company with several connections is reconciled once in a run, and its rows are read
// once.
func TestOneLookForACompany(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Members: &[]int64{procoretest.Joe, procoretest.Ann}})
	a := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	b := r.Connect(procoretest.MyConstruction, procoretest.Ann, connections.WebhooksPending)
	read := 0
	r.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "Query" && strings.Contains(string(body), `#5678"`) {
			read++
		}
		return dynamotest.Fault{}
	})
	r.run("housekeeping")
	r.Fault(nil)
	if got := len(r.Log.Lines(t, "hook reconciled")); got != 1 || read != 1 {
		t.Errorf("got %d looks, and the rows were read %d times, want 1", got, read)
	}
	r.wantWebhooks(a, connections.WebhooksActive, provision.Recheck)
	r.wantWebhooks(b, connections.WebhooksActive, provision.Recheck)
	r.run("housekeeping")
	if got := len(r.Log.Lines(t, "hook reconciled")); got != 1 {
		t.Errorf("got %d looks, want 1: nothing was due", got)
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
