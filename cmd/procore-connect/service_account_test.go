package main

import (
	"testing"
	"time"

	"procore-connect/pkg/procoretest"
)

// The companies of a service account, from the first installation to one that was uninstalled, and one that refuses.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	show := func(file string, args ...string) {
		t.Helper()
		wants(t, w, "service-account-"+file, append([]string{"service-account"}, args...)...)
	}
	show("users")
	show("sync-users", "sync", "--yes")
	w.variable("PROCORE_PRINCIPAL", "both")
	show("none")
	yes, no := true, false
	const my, harbor = procoretest.MyConstruction, procoretest.NorthernPlanner
	for _, id := range []int64{my, harbor} {
		w.PatchCompany(id, procoretest.CompanyPatch{Installed: &yes, ServiceAccount: &yes})
	}
	show("new")
	show("sync-unasked", "sync")
	show("sync", "sync", "--yes")
	show("json", "--json")
	w.PatchCompany(harbor, procoretest.CompanyPatch{Installed: &no, ServiceAccount: &no})
	w.Clock.Advance(time.Hour)
	show("vanished")
	show("sync-ends", "sync", "--yes")
	w.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`, Times: 9})
	w.Clock.Advance(3 * time.Hour)
	show("wrong-secret")
}
