package stack_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

// A company that installs the app is connected, hooked and reconciled without any login, and its
// events reach the consumer, which reads with the app's token. It ends when the app is
// removed.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	s, stdout := start(t, stack.Options{
		Housekeeping: 200 * time.Millisecond, Reconcile: 200 * time.Millisecond, Env: map[string]string{"PROCORE_PRINCIPAL": "service-account"},
	})
	install(t, s, procoretest.LockedGate, true)
	eventually(t, "the hook has its triggers", func() bool {
		hooks := s.Procore.State().Hooks
		return len(hooks) == 1 && hooks[0].CompanyID == procoretest.LockedGate && len(hooks[0].Triggers) == 5
	})
	b := browsertest.New()
	b.Open(t.Context(), fmt.Sprintf("%s/connected?company_id=%d", s.AppURL, procoretest.LockedGate))
	if !strings.Contains(b.Text(), "works there on its own") || b.Err() != nil {
		t.Errorf("the page of the company: %v:\n%s", b.Err(), b.Text())
	}
	rfi := resource(t, s, procoretest.LockedGate)
	emitted, err := s.Procore.Emit(procoretest.Event{
		CompanyID: rfi.CompanyID, ProjectID: rfi.ProjectID, ResourceName: rfi.Name, ResourceID: rfi.ID, EventType: "update", UserID: procoretest.Joe,
	})
	if err != nil || len(emitted.EventIDs) != 1 {
		t.Fatalf("emitted %v, %v; want one event", emitted.EventIDs, err)
	}
	eventually(t, "the event was handled", func() bool {
		all := handled(t, stdout)
		return len(all) == 1 && all[0]["event_id"] == emitted.EventIDs[0] && all[0]["outcome"] == "handled"
	})
	for _, c := range s.Procore.State().Calls {
		if c.UserID != 0 {
			t.Errorf("call of %s as user %d", c.Path, c.UserID)
		}
	}
	eventually(t, "the company is reconciled", func() bool {
		return strings.Contains(stdout.String(), `"msg":"reconcile run finished","companies":1,`)
	})
	install(t, s, procoretest.LockedGate, false)
	eventually(t, "the connection ended", func() bool {
		return strings.Contains(stdout.String(), "uninstalled company's connection ended")
	})
}

// install is what an administrator does in App Management.
func install(t *testing.T, s *stack.Stack, company int64, installed bool) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, fmt.Sprintf("%s/_fake/companies/%d", s.ProcoreURL, company),
		strings.NewReader(fmt.Sprintf(`{"installed":%v}`, installed)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s, want 200", resp.Status)
	}
}
