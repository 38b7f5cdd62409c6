package main

import (
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// A change that no webhook reported is found when a person asks for it, although nothing is due.
func TestReconcile(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	wants(t, w, "coverage-none", "coverage", "5678")
	w.Authorize(procoretest.Joe)
	w.connect(procoretest.MyConstruction, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksPending)
	wants(t, w, "reconcile-no-hook", "reconcile", "5678", "--yes")
	if _, aside, code := w.run("webhooks", "sync", "5678", "--yes"); code != exitOK {
		t.Fatal(aside)
	}
	w.Clock.Advance(10 * time.Minute)
	wants(t, w, "reconcile-first", "reconcile", "5678", "--yes")
	lost := procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create", Silent: true}
	if _, err := w.Procore.Emit(lost); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(5 * time.Minute) // nothing is due yet
	wants(t, w, "reconcile-finds", "reconcile", "5678", "--yes")
	wants(t, w, "coverage", "coverage", "5678")
	wants(t, w, "coverage-json", "coverage", "5678", "--json")
}

// Two operators, and so an operator and the reconciler, do not work for a company at once.
func TestTwoReconcile(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	w.Authorize(procoretest.Joe)
	w.connect(procoretest.MyConstruction, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksPending)
	if _, aside, code := w.run("webhooks", "sync", "5678", "--yes"); code != exitOK {
		t.Fatal(aside)
	}
	lost := procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create", Silent: true}
	if _, err := w.Procore.Emit(lost); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(5 * time.Minute)
	var both errgroup.Group
	found := make(chan int, 4)
	for range 4 {
		o := w.open(t, w.Clock.Seam())
		both.Go(func() error {
			n, err := o.ReconcileNow(t.Context(), procoretest.MyConstruction)
			found <- n.Reconciled
			return err
		})
	}
	if err := both.Wait(); err != nil {
		t.Error(err)
	}
	close(found)
	sum := 0
	for n := range found {
		sum += n
	}
	if sum != 1 {
		t.Errorf("the change was found %d times, want once", sum)
	}
}
