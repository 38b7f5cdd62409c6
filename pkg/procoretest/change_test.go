package procoretest_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// An event of Change is one that a consumer may receive, and Client reads what it names.
func TestChange(t *testing.T) {
	t.Parallel()
	fake := procoretest.Start(t)
	made := procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create", Title: "A title"}
	e := fake.Change(t, made)
	envelope, err := procore.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := procore.ParseEvent(envelope)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parsed, e); diff != "" {
		t.Errorf("the envelope has another event (-got +want):\n%s", diff)
	}
	c := fake.Client(t, e.CompanyID)
	resource, err := c.Read(t.Context(), e)
	var rfi struct {
		ID procore.ID `json:"id"`
	}
	if err != nil || json.Unmarshal(resource, &rfi) != nil || rfi.ID != e.ResourceID {
		t.Errorf("read %s, %v, want RFI %s", resource, err, e.ResourceID)
	}
	made.ResourceID, made.EventType = e.ResourceID, "delete"
	if _, err := c.Read(t.Context(), fake.Change(t, made)); !errors.Is(err, procore.ErrNotFound) {
		t.Errorf("a deleted RFI: %v, want ErrNotFound", err)
	}
}
