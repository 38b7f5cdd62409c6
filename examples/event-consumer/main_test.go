package main

import (
	"testing"

	"procore-connect/pkg/procoretest"
)

// A changed RFI is handled. Check here what your handle does with it.
func TestHandle(t *testing.T) {
	t.Parallel()
	fake := procoretest.Start(t)
	e := fake.Change(t, procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create"})
	if err := handle(t.Context(), e, fake.Client(t, e.CompanyID)); err != nil {
		t.Error(err)
	}
}
