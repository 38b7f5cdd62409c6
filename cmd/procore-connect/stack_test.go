package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// typed types a command about a stack of real functions.
func typed(t *testing.T, s *stack.Stack, args ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := func(string) string { return strings.TrimPrefix(s.AWSURL, "http://") }
	code = run(t.Context(), append([]string{"--local"}, args...), env, streams{in: strings.NewReader(""), out: &stdout, err: &stderr}, procore.Clock{})
	if code != exitOK {
		t.Logf("procore-connect %v: exit code %d: %s", args, code, stderr.String())
	}
	return stdout.String(), code
}

// On the real functions, the id that a page shows leads to the lines of its request, whether it is Lambda's or API
// Gateway's, and an event to its whole way, from the delivery to the consumer's line.
func TestOnStack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	log := newLines(t)
	s, err := stack.Start(t.Context(), stack.Options{Housekeeping: 200 * time.Millisecond, Refresh: -1, Reconcile: -1, Stdout: log, Stderr: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := browsertest.New()
	b.Open(t.Context(), s.AppURL+"/")
	b.Click(t.Context(), "Connect to Procore")
	b.Choose("Joe Builder")
	b.Click(t.Context(), "Authorize")
	b.Choose("Harbor & Hill Builders")
	b.Click(t.Context(), "Connect this company")
	if err := b.Err(); err != nil || b.Status != http.StatusOK {
		t.Fatalf("not connected: %d, %v", b.Status, err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.AppURL+"/oauth/callback", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).FindString(string(page))
	for id, want := range map[string]string{shown: "a request.", resp.Header.Get("Apigw-Requestid"): "API Gateway"} {
		out, code := typed(t, s, "trace", id)
		if code != exitOK || !strings.Contains(out, want) || !strings.Contains(out, "oauth-callback") || !strings.Contains(out, `route="GET /oauth/callback"`) {
			t.Errorf("trace %s: exit code %d\n%s", id, code, out)
		}
	}

	log.until(t, "the hook has its triggers", func() bool {
		hooks := s.Procore.State().Hooks
		return len(hooks) == 1 && len(hooks[0].Triggers) == 5
	})
	emitted, err := s.Procore.Emit(procoretest.Event{
		CompanyID: procoretest.HarborHill, ProjectID: project(t, s), ResourceName: "RFIs", EventType: "create", UserID: procoretest.Joe,
	})
	if err != nil || len(emitted.EventIDs) != 1 {
		t.Fatalf("emitted %+v, %v", emitted, err)
	}
	id := emitted.EventIDs[0]
	var d operator.Delivery
	log.until(t, "the event is handled", func() bool {
		out, code := typed(t, s, "events", "show", id, "--json")
		return code == exitOK && json.Unmarshal([]byte(out), &d) == nil && d.State == operator.EventHandled
	})
	if d.CompanyID != procoretest.HarborHill || d.Resource != "RFIs" || d.Outcome != "handled" {
		t.Errorf("events show: %+v", d.Event)
	}
	if out, code := typed(t, s, "events", "list", "--outcome", "handled"); code != exitOK || !strings.Contains(out, id) {
		t.Errorf("events list: exit code %d\n%s", code, out)
	}
	out, code := typed(t, s, "trace", id)
	for _, want := range []string{"webhook-receiver", "event dispatched", "event-consumer   resource read", "event-consumer   handled"} {
		if !strings.Contains(out, want) || code != exitOK { // in any order: functions write their last line after what they passed on
			t.Errorf("trace of an event: exit code %d, no %q:\n%s", code, want, out)
		}
	}
	replayOnStack(t, s, log)
}

// project returns a project of the company that the test connects.
func project(t *testing.T, s *stack.Stack) int64 {
	t.Helper()
	for _, r := range s.Procore.State().Resources {
		if r.CompanyID == procoretest.HarborHill && r.Name == "RFIs" {
			return r.ProjectID
		}
	}
	t.Fatal("the company has no RFI")
	return 0
}
