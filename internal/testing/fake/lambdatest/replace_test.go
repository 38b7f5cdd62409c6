//go:build unix

package lambdatest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/lambdatest"
)

// replaceable returns a function whose binary is its own link to the toy. A copy could be busy: a process that
// starts at that moment inherits the file as it is written.
func replaceable(t *testing.T, o lambdatest.Options) *lambdatest.Function {
	t.Helper()
	o.Name, o.Binary = "toy", filepath.Join(t.TempDir(), "toy")
	if err := os.Link(toy(t), o.Binary); err != nil {
		t.Fatal(err)
	}
	f := lambdatest.New(o)
	t.Cleanup(func() { f.Close() })
	return f
}

// second builds the toy's second version.
func second(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "second")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-ldflags", "-X main.version=2", "-o", path, "./testdata/toy")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// A replacement waits for the invocation that runs, and cuts none. The next one meets the new binary at once.
func TestReplace(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-answer
	}))
	defer server.Close()

	f := replaceable(t, lambdatest.Options{Concurrency: 2, Timeout: time.Minute}) // no machine is too slow for the busy one
	idle := invoke(t, f, `{}`)
	busy := make(chan output, 1)
	go func() {
		answer, err := f.Invoke(t.Context(), []byte(`{"Do":"ask","Text":"`+server.URL+`"}`))
		var out output
		if err = errors.Join(err, json.Unmarshal(answer, &out)); err != nil {
			t.Error(err)
		}
		busy <- out
	}()
	<-asked
	other := invoke(t, f, `{}`) // a second process, since the first is busy
	if err := f.Replace(t.Context(), second(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the idle process ended", func() bool { return !alive(other.PID) })
	if got := invoke(t, f, `{}`); got.Version != "2" || got.Invocation != 1 {
		t.Errorf("after Replace version %s answered its invocation %d, want the first of version 2", got.Version, got.Invocation)
	}
	close(answer)
	if got := <-busy; got.Version != "1" || got.PID != idle.PID {
		t.Errorf("the busy process answered %+v, want the end of what it had begun", got)
	}
	eventually(t, "the busy process ended after its invocation", func() bool { return !alive(idle.PID) })
	for range 2 {
		if got := invoke(t, f, `{}`); got.Version != "2" {
			t.Errorf("version %s answered, want 2", got.Version)
		}
	}
}

// A process started later, too, is of the new binary.
func TestReplaceBeforeStart(t *testing.T) {
	t.Parallel()
	f := replaceable(t, lambdatest.Options{})
	if err := f.Replace(t.Context(), second(t)); err != nil {
		t.Fatal(err)
	}
	fails(t, f, `{"Do":"exit"}`, "Runtime.ExitError")
	if got := invoke(t, f, `{}`); got.Version != "2" || got.Invocation != 1 {
		t.Errorf("version %s, invocation %d, want a new process of version 2", got.Version, got.Invocation)
	}
}

// A binary that does not start leaves the function as it was.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	f := replaceable(t, lambdatest.Options{})
	before := invoke(t, f, `{}`)
	broken, err := exec.LookPath("false")
	if err != nil {
		t.Fatal(err)
	}
	err = f.Replace(t.Context(), broken)
	if e, ok := errors.AsType[*lambdatest.FunctionError](err); !ok || !strings.Contains(e.Error(), "exit status 1") {
		t.Errorf("Replace = %v, want a function error with the exit status", err)
	}
	if got := invoke(t, f, `{}`); got.PID != before.PID || got.Version != "1" {
		t.Errorf("process %d of version %s answered, want %d of version 1", got.PID, got.Version, before.PID)
	}
	fails(t, f, `{"Do":"exit"}`, "Runtime.ExitError")
	if got := invoke(t, f, `{}`); got.Version != "1" {
		t.Errorf("a new process has version %s, want 1", got.Version)
	}
	f.Close()
	if err := f.Replace(t.Context(), second(t)); err == nil {
		t.Error("a closed function was replaced")
	}
}
