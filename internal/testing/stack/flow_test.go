package stack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/sandboxtest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

// log collects the output of a stack.
type log struct {
	shown io.Writer
	mu    sync.Mutex
	buf   bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.shown.Write(b)
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Set by TestMain.
var (
	buildDir  string
	authority *sandboxtest.Authority
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "localstack")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	if authority, err = sandboxtest.NewAuthority(dir); err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", authority.File) // the fake trusts the tunnel
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// compiled builds the functions once for all tests, with a first stack.
var compiled = sync.OnceValues(func() (string, error) {
	s, err := stack.Start(context.Background(), stack.Options{BuildDir: buildDir})
	if err != nil {
		return "", err
	}
	return buildDir, s.Close()
})

// start runs a stack for the test and prints its log if the test fails.
func start(t *testing.T, o stack.Options) (s *stack.Stack, stdout *log) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	stdout, stderr := &log{shown: logtest.Output(t)}, &log{shown: logtest.Output(t)}
	o.Stdout = stdout
	if o.Stderr == nil {
		o.Stderr = stderr
	}
	dir, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	o.BuildDir = dir
	s, err = stack.Start(t.Context(), o)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the stack said:\n%s%s", o.Stderr, stdout)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, stdout
}

// eventually polls a condition that depends on other processes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not after a minute: %s", what)
		}
	}
}

// handled returns the consumer's lines of handled events. Every line must be a JSON object.
func handled(t *testing.T, stdout *log) []map[string]any {
	t.Helper()
	var all []map[string]any
	text := stdout.String()
	for line := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("standard output has a line that is not a JSON object: %q", line)
		}
		if object["msg"] == "handled" {
			all = append(all, object)
		}
	}
	return all
}

// The whole path of a user on the real binaries: connect, choose one of three companies,
// change something in Procore, see the event arrive.
func TestFlow(t *testing.T) {
	t.Parallel()
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		flow(t, stack.Options{Housekeeping: 200 * time.Millisecond})
	})
	t.Run("another DynamoDB", func(t *testing.T) {
		t.Parallel()
		flow(t, stack.Options{Housekeeping: 200 * time.Millisecond, DynamoDBEndpoint: another(t)})
	})
}

// another starts a DynamoDB with streams at its own address.
func another(t *testing.T) string {
	t.Helper()
	if endpoint := os.Getenv("DYNAMODB_ENDPOINT"); endpoint != "" {
		return endpoint
	}
	db := dynamotest.New()
	server := httptest.NewServer(&awstest.Services{DynamoDB: db, Streams: streamtest.Streams(db)})
	t.Cleanup(server.Close)
	return server.URL
}

func flow(t *testing.T, o stack.Options) {
	t.Helper()
	s, stdout := start(t, o)
	b := browsertest.New()
	b.Open(t.Context(), s.AppURL+"/")
	b.Click(t.Context(), "Connect to Procore")
	b.Choose("Joe Builder")
	b.Click(t.Context(), "Authorize")
	b.Choose("Harbor & Hill Builders")
	b.Click(t.Context(), "Connect this company")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if b.Status != http.StatusOK || b.URL.Path != "/connected" || !strings.Contains(b.Text(), "Harbor & Hill Builders") {
		t.Fatalf("after the choice at %s (%d):\n%s", b.URL, b.Status, b.Text())
	}
	eventually(t, "the hook has its triggers", func() bool {
		hooks := s.Procore.State().Hooks
		return len(hooks) == 1 && len(hooks[0].Triggers) == 5
	})

	var want []string // ids of the events, in order
	rfi := resource(t, s, procoretest.HarborHill)
	for range 3 {
		emitted, err := s.Procore.Emit(procoretest.Event{
			CompanyID: rfi.CompanyID, ProjectID: rfi.ProjectID, ResourceName: rfi.Name, ResourceID: rfi.ID,
			EventType: "update", UserID: procoretest.Joe, Copies: 3,
		})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, emitted.EventIDs...)
	}
	eventually(t, "all deliveries succeeded and the last event was handled", func() bool {
		all := handled(t, stdout)
		return delivered(s) == 3*len(want) && len(all) > 0 && all[len(all)-1]["event_id"] == want[len(want)-1]
	})
	var got []string
	for _, line := range handled(t, stdout) {
		got = append(got, line["event_id"].(string))
		if line["company_id"] != float64(procoretest.HarborHill) || line["resource"] != "RFIs" || line["outcome"] != "handled" && line["outcome"] != "stale" {
			t.Errorf("the consumer's line = %v, want the company, the resource, and that it was read or that a newer event was stored", line)
		}
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("handled events, each delivered three times (-got +want):\n%s", d)
	}
	checkState(t, s)
}

// delivered counts the deliveries that were answered.
func delivered(s *stack.Stack) int {
	n := 0
	for _, d := range s.Procore.State().Deliveries {
		if d.ResponseStatus == http.StatusOK {
			n++
		}
	}
	return n
}

func resource(t *testing.T, s *stack.Stack, company int64) procoretest.Resource {
	t.Helper()
	for _, r := range s.Procore.State().Resources {
		if r.CompanyID == company && r.Name == "RFIs" {
			return r
		}
	}
	t.Fatalf("company %d has no RFI", company)
	return procoretest.Resource{}
}

// checkState checks Procore's state after the flow.
func checkState(t *testing.T, s *stack.Stack) {
	t.Helper()
	state := s.Procore.State()
	var installed []int64
	for _, c := range state.Companies {
		if c.Installed {
			installed = append(installed, c.ID)
		}
	}
	if d := cmp.Diff(installed, []int64{procoretest.HarborHill}); d != "" {
		t.Errorf("installed companies (-got +want):\n%s", d)
	}
	for _, c := range state.Calls {
		free := c.Path == "/rest/v1.0/me" || c.Path == "/rest/v1.0/companies"
		if c.CompanyID != procoretest.HarborHill && !(free && c.CompanyID == 0) {
			t.Errorf("call of %s with the company id %d", c.Path, c.CompanyID)
		}
		if strings.HasPrefix(c.Path, "/rest/v1.0/webhooks") {
			t.Errorf("call of %s, which is deprecated", c.Path)
		}
	}
	for _, r := range state.RefreshTokens {
		if r.Presented > 1 {
			t.Errorf("a refresh token was presented %d times", r.Presented)
		}
	}
	if got, want := state.Hooks[0].DestinationURL, s.AppURL+"/webhooks/procore"; got != want {
		t.Errorf("the hook's URL = %s, want %s", got, want)
	}
}
