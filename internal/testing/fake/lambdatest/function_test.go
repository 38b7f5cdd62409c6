//go:build unix

package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/lambdatest"
)

// toy is the path of the function under test, built once.
func toy(t *testing.T) string {
	t.Helper()
	path, err := buildToy()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var toyDir string // set by TestMain

var buildToy = sync.OnceValues(func() (string, error) {
	path := filepath.Join(toyDir, "toy")
	out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", path, "./testdata/toy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if path := os.Getenv("LAMBDATEST_PARENT_OF"); path != "" {
		parent(path)
		return
	}
	dir, err := os.MkdirTemp("", "lambdatest")
	if err != nil {
		log.Fatal(err)
	}
	toyDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// parent keeps a function busy until it is killed. The function prints its
// process id.
func parent(path string) {
	f := lambdatest.New(lambdatest.Options{Name: "toy", Binary: path, Timeout: time.Minute, Stdout: os.Stdout})
	_, err := f.Invoke(context.Background(), []byte(`{"Do":"hang"}`)) // an idle one would end with its connection
	log.Fatal(err)
}

type output struct {
	PID        int
	Text       string
	RequestID  string
	ARN        string
	Left       time.Duration
	Invocation int
	Env        []string
	Version    string
}

func function(t *testing.T, o lambdatest.Options) *lambdatest.Function {
	t.Helper()
	o.Name, o.Binary = "toy", toy(t)
	f := lambdatest.New(o)
	t.Cleanup(func() { f.Close() })
	return f
}

func invoke(t *testing.T, f *lambdatest.Function, input string) output {
	t.Helper()
	answer, err := f.Invoke(t.Context(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	var out output
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// fails returns the function error of an invocation that must have one.
func fails(t *testing.T, f *lambdatest.Function, input, wantType string) *lambdatest.FunctionError {
	t.Helper()
	answer, err := f.Invoke(t.Context(), []byte(input))
	e, ok := errors.AsType[*lambdatest.FunctionError](err)
	if !ok || e.Type != wantType {
		t.Fatalf("Invoke(%s) = %.100s, %v; want a function error of type %s", input, answer, err, wantType)
	}
	return e
}

// buffer collects lines. Each Write must be one line.
type buffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, string(p))
	return len(p), nil
}

func (b *buffer) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// eventually polls a condition that depends on another process.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not after 10 s: %s", what)
		}
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{Env: map[string]string{"OWN": "value"}, Timeout: 5 * time.Second, MemoryMB: 256})
	first := invoke(t, f, `{"Text":"hello"}`)
	second := invoke(t, f, `{}`)
	if first.Text != "hello" || first.PID != second.PID || second.Invocation != 2 {
		t.Errorf("got %+v and %+v; want one process that answers both", first, second)
	}
	if first.RequestID == "" || first.RequestID == second.RequestID {
		t.Errorf("request ids %q and %q; want two", first.RequestID, second.RequestID)
	}
	if want := "arn:aws:lambda:us-east-1:000000000000:function:toy"; first.ARN != want {
		t.Errorf("ARN = %q, want %q", first.ARN, want)
	}
	if first.Left <= 3*time.Second || first.Left > 5*time.Second {
		t.Errorf("time left = %v, want a little under the timeout of 5 s", first.Left)
	}
	for _, want := range []string{
		"OWN=value", "AWS_LAMBDA_FUNCTION_NAME=toy", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=toy", "TZ=:UTC",
	} {
		if !slices.Contains(first.Env, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("LAMBDATEST_SECRET", "of the parent")
	f := function(t, lambdatest.Options{})
	for _, v := range invoke(t, f, `{}`).Env {
		if strings.HasPrefix(v, "LAMBDATEST_SECRET=") || strings.HasPrefix(v, "HOME=") {
			t.Errorf("the function inherited %s", v)
		}
	}
}

func TestTimeoutKills(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{Timeout: 300 * time.Millisecond})
	pid := invoke(t, f, `{}`).PID
	e := fails(t, f, `{"Do":"hang"}`, "Sandbox.Timedout")
	if !strings.Contains(e.Message, "Task timed out after 0.30 seconds") {
		t.Errorf("message = %q", e.Message)
	}
	if alive(pid) {
		t.Errorf("process %d lives after its timeout", pid)
	}
	if again := invoke(t, f, `{}`); again.PID == pid || again.Invocation != 1 {
		t.Errorf("after the timeout: %+v, want a new process", again)
	}
}

func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{})
	if e := fails(t, f, `{"Do":"fail"}`, "errorString"); e.Message != "toy failed" || e.RequestID == "" {
		t.Errorf("error = %+v", e)
	}
	fails(t, f, `{"Do":"panic"}`, "string") // reported, then the process ends
	e := fails(t, f, `{"Do":"exit"}`, "Runtime.ExitError")
	if !strings.Contains(e.Message, "exit status 7") || !slices.Contains(e.Log, "toy gives up") {
		t.Errorf("error = %v, want the exit status and the last line", e)
	}
	if got := invoke(t, f, `{}`).Invocation; got != 1 {
		t.Errorf("invocation %d of its process, want the first of a new one", got)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{})
	if got := len(invoke(t, f, `{"Do":"large","Size":6000000}`).Text); got != 6000000 {
		t.Errorf("answer of %d bytes, want 6000000", got)
	}
	fails(t, f, `{"Do":"large","Size":6300000}`, "Function.ResponseSizeTooLarge")
	invoke(t, f, `{}`)
	if _, err := f.Invoke(t.Context(), make([]byte, lambdatest.MaxPayload+1)); !errors.Is(err, lambdatest.ErrTooLarge) {
		t.Errorf("large payload: %v, want ErrTooLarge", err)
	}
}

func TestInitFailure(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{Env: map[string]string{"TOY_INIT": "fail"}})
	for range 2 { // the next invocation tries again
		e := fails(t, f, `{}`, "Runtime.ExitError")
		if !strings.Contains(e.Error(), "exit status 3") || !strings.Contains(e.Error(), "TOY_NAME is not set") {
			t.Errorf("error = %v, want the exit status and the last line", e)
		}
	}
	if _, ok := errors.AsType[*lambdatest.FunctionError](f.Warm(t.Context())); !ok {
		t.Error("Warm did not report the failure")
	}
	hanging := function(t, lambdatest.Options{Env: map[string]string{"TOY_INIT": "hang"}, InitTimeout: 200 * time.Millisecond})
	fails(t, hanging, `{}`, "Sandbox.Timedout")

	absent := lambdatest.New(lambdatest.Options{Name: "absent", Binary: filepath.Join(t.TempDir(), "absent")})
	if _, err := absent.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent binary: %v", err)
	}
}

func TestWarm(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{})
	for range 2 {
		if err := f.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	pid := invoke(t, f, `{}`).PID
	if again := invoke(t, f, `{}`); again.PID != pid || again.Invocation != 2 {
		t.Errorf("got %+v, want the second invocation of process %d", again, pid)
	}
}

// Polled is called once for a process, before the process gets work.
func TestPolled(t *testing.T) {
	t.Parallel()
	var pids []int
	f := function(t, lambdatest.Options{Polled: func(pid int) { pids = append(pids, pid) }})
	for range 2 {
		if pid := invoke(t, f, `{}`).PID; !slices.Equal(pids, []int{pid}) {
			t.Errorf("Polled got %v, want %d alone", pids, pid)
		}
	}
	fails(t, f, `{"Do":"exit"}`, "Runtime.ExitError")
	if pid := invoke(t, f, `{}`).PID; len(pids) != 2 || pids[1] != pid {
		t.Errorf("Polled got %v, want %d last", pids, pid)
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{Concurrency: 2, Timeout: 2 * time.Second})
	var wg sync.WaitGroup
	var mu sync.Mutex
	pids := make(map[int]int)
	wg.Go(func() { f.Invoke(t.Context(), []byte(`{"Do":"hang"}`)) }) // occupies one of the two
	for range 10 {
		wg.Go(func() {
			answer, err := f.Invoke(t.Context(), []byte(`{}`))
			var out output
			if err = errors.Join(err, json.Unmarshal(answer, &out)); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			pids[out.PID]++
		})
	}
	wg.Wait()
	if len(pids) > 3 { // two, and the one that replaced the hanging one
		t.Errorf("%d processes, want 3 at most", len(pids))
	}
}

func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{Timeout: 300 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, []byte(`{"Do":"hang"}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Invoke = %v, want the caller's deadline", err)
	}
	invoke(t, f, `{}`) // waits for its turn: the first invocation continues until its timeout
}

func TestOutput(t *testing.T) {
	t.Parallel()
	var stdout, stderr buffer
	f := function(t, lambdatest.Options{Stdout: &stdout, Stderr: &stderr})
	text, err := json.Marshal("one\n\ntwo " + strings.Repeat("x", 300<<10) + "\nthree")
	if err != nil {
		t.Fatal(err)
	}
	invoke(t, f, `{"Do":"print","Text":`+string(text)+`}`)
	f.Close()
	for name, b := range map[string]*buffer{"stdout": &stdout, "stderr": &stderr} {
		lines := b.all()
		if len(lines) != 4 || lines[0] != "one\n" || lines[1] != "\n" || lines[3] != "three\n" {
			t.Fatalf("%s: %d lines %.80q; want whole lines", name, len(lines), lines)
		}
		if got := lines[2]; len(got) != 256<<10+1 || !strings.HasSuffix(got, " ... (cut)\n") {
			t.Errorf("%s: long line of %d bytes, want it cut at 256 KB", name, len(got))
		}
	}
}

// Drain lets what runs end, and nothing begin.
func TestDrain(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{Concurrency: 2, Timeout: time.Minute})
	asked, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-release
	}))
	defer server.Close()
	done := make(chan error, 1)
	go func() {
		_, err := f.Invoke(context.Background(), fmt.Appendf(nil, `{"Do":"ask","Text":%q}`, server.URL))
		done <- err
	}()
	<-asked
	ended, end := context.WithCancel(t.Context())
	end()
	f.Drain(ended) // does not wait for longer than its caller
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil || err.Error() != "the function was closed" {
		t.Errorf("after Drain: %v, want that the function was closed", err)
	}
	close(release)
	f.Drain(t.Context())
	if err := <-done; err != nil {
		t.Errorf("the invocation that ran: %v", err)
	}
}

func TestCloseKills(t *testing.T) {
	t.Parallel()
	f := function(t, lambdatest.Options{Timeout: time.Minute})
	pid := invoke(t, f, `{}`).PID
	done := make(chan error, 1)
	go func() {
		_, err := f.Invoke(context.Background(), []byte(`{"Do":"hang"}`))
		done <- err
	}()
	eventually(t, "the invocation runs", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		return f.Warm(ctx) != nil // the only slot is taken
	})
	f.Close()
	if err := <-done; err == nil {
		t.Error("the invocation that was under way succeeded")
	}
	if alive(pid) {
		t.Errorf("process %d lives after Close", pid)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil || err.Error() != "the function was closed" {
		t.Errorf("after Close: %v, want that the function was closed", err)
	}
}
