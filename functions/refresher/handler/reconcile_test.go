package handler

import (
	"strings"
	"testing"

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
