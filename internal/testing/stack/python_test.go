package stack_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

// The consumer in Python handles events on make run, with Lambda's own runtime client: with a token of access-token, which
// it invokes as rarely as it may, and which is in no log. What the consumer in Go does with a token that Procore no longer
// accepts, a resource that is gone and a company that disconnected the app, it does too.
func TestPythonConsumer(t *testing.T) {
	t.Parallel()
	python(t)
	w := &watcher{seen: make(map[string]bool)}
	running, stdout := start(t, stack.Options{
		Consumer: "examples/consumer-python", Refresh: -1, Housekeeping: -1, Reconcile: -1, Watch: w.watch,
		Procore: procoretest.Options{ExpiresIn: 100 * time.Second}, // see [scene.expire]
	})
	s := &scene{Stack: running, watcher: w, t: t, stdout: stdout, db: dynamotest.Client(running.AWSURL, func(o *dynamodb.Options) { o.Credentials = local })}
	if _, err := s.Connect(t.Context(), procoretest.MyConstruction, true); err != nil {
		t.Fatal(err)
	}
	asked := func() int { return strings.Count(stdout.String(), "access token served") }
	s.rfi = resource(t, s.Stack, procoretest.MyConstruction)

	s.outcome("handled", s.emit())
	s.outcome("handled", s.emit())
	if got := asked(); got < 1 || got > 2 { // at most once for each of two processes
		t.Errorf("for two events the token was asked for %d times", got)
	}
	before := asked()
	s.expire()
	s.outcome("handled", s.emit())
	if got := asked(); got != before+1 {
		t.Errorf("after a 401 the token was asked for %d times, want once", got-before)
	}
	gone, err := s.Procore.Emit(procoretest.Event{
		CompanyID: s.rfi.CompanyID, ProjectID: s.rfi.ProjectID, ResourceName: "RFIs", ResourceID: s.rfi.ID, EventType: "delete", UserID: procoretest.Joe,
	})
	if err != nil || len(gone.EventIDs) != 1 {
		t.Fatalf("emitted %v; %v", gone.EventIDs, err)
	}
	s.outcome("not_found", gone.EventIDs[0])
	no := false
	if err := s.Procore.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &no, UserInstalls: &no}); err != nil {
		t.Fatal(err)
	}
	last, err := s.Procore.Emit(procoretest.Event{
		CompanyID: s.rfi.CompanyID, ProjectID: s.rfi.ProjectID, ResourceName: "RFIs", EventType: "create", UserID: procoretest.Joe,
	})
	if err != nil || len(last.EventIDs) != 1 {
		t.Fatalf("emitted %v; %v", last.EventIDs, err)
	}
	s.outcome("not_connected", last.EventIDs[0])

	calls := slices.DeleteFunc(w.all(), func(call string) bool { return !strings.HasPrefix(call, "consumer-python ") })
	if d := cmp.Diff(calls, []string{"consumer-python lambda:InvokeFunction access-token"}); d != "" {
		t.Errorf("calls of the consumer (-got +want):\n%s", d)
	}
	s.quiet()
}

// The rules that the consumer in Python keeps, with stand-ins for access-token and Procore.
func TestPythonRules(t *testing.T) {
	t.Parallel()
	interpreter, packages := python(t)
	cmd := exec.CommandContext(t.Context(), interpreter, "-m", "unittest", "discover", "test")
	cmd.Dir = filepath.Join("..", "..", "..", "examples", "consumer-python")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+packages, "PYTHONDONTWRITEBYTECODE=1", "AWS_DEFAULT_REGION=us-east-1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Ran 5 tests") {
		t.Errorf("%v\n%s", err, out)
	}
}

// python returns the interpreter and the directory of the packages, or skips the test.
func python(t *testing.T) (interpreter, packages string) {
	t.Helper()
	if os.Getenv("PYTHON_TEST") == "" {
		t.Skip("it installs packages with pip: PYTHON_TEST=1, which make test-aws sets")
	}
	interpreter, packages, err := stack.Python(t.Context(), func(text string) { t.Log(text) })
	if errors.Is(err, stack.ErrNoPython) {
		t.Skip("SKIPPED: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return interpreter, packages
}

// outcome waits until the consumer has finished an event, and checks its line.
func (s *scene) outcome(want, id string) {
	s.t.Helper()
	s.handled(id)
	for _, line := range handled(s.t, s.stdout) {
		if line["event_id"] != id {
			continue
		}
		_, err := time.Parse(time.RFC3339, fmt.Sprint(line["time"]))
		if line["outcome"] != want || line["function"] != "consumer-python" || line["company_id"] != float64(procoretest.MyConstruction) ||
			line["resource"] != "RFIs" || fmt.Sprint(line["resource_id"]) == "" || line["level"] != "INFO" || err != nil {
			s.t.Errorf("want outcome %s, got the line %v", want, line)
		}
	}
}

// quiet checks that no log has a token or a header of one.
func (s *scene) quiet() {
	s.t.Helper()
	all := s.stdout.String()
	for _, function := range []string{"consumer-python", "access-token"} {
		lines := s.Logs.Messages(stack.LogGroup(function))
		if len(lines) == 0 {
			s.t.Errorf("%s has no log", function)
		}
		all += strings.Join(lines, "\n")
	}
	for _, mark := range []string{"fake-access-", "fake-refresh-", "Bearer", "Authorization"} {
		if strings.Contains(all, mark) {
			s.t.Errorf("a log has %q", mark)
		}
	}
}
