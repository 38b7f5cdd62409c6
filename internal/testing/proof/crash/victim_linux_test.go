package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/logtest"
)

// victim is make run, which is killed again and again.
type victim struct {
	t         *testing.T
	path      string
	args      []string
	addresses [3]string // app, Procore, AWS

	cmd    *exec.Cmd
	ready  chan struct{} // closed when the command is ready
	closed chan struct{} // closed when its last process has ended
	kills  int
	early  int // kills before it was ready

	mu      sync.Mutex
	handled map[string]bool // events, by the consumer's lines
	last    []string        // lines of this start
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{t: t, path: filepath.Join(t.TempDir(), "local"), handled: map[string]bool{}}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", v.path, "procore-connect/cmd/local").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v.args = []string{"-json", "-state", filepath.Join(t.TempDir(), "state")}
	for i, flag := range []string{"-app", "-procore", "-aws"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		v.addresses[i] = l.Addr().String()
		v.args = append(v.args, flag, v.addresses[i])
	}
	t.Cleanup(func() {
		if v.cmd != nil {
			v.end()
		}
	})
	return v
}

// start starts it, and returns at once.
func (v *victim) start() {
	v.t.Helper()
	v.cmd = exec.CommandContext(context.WithoutCancel(v.t.Context()), v.path, v.args...)
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w := io.Pipe()
	v.cmd.Stdout, v.cmd.Stderr = w, w
	v.ready, v.closed, v.last = make(chan struct{}), make(chan struct{}), nil
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // it is killed
		_ = w.Close()
	}(v.cmd)
	go v.read(r, v.ready, v.closed)
}

// read reads its lines until it and its functions have ended.
func (v *victim) read(r io.Reader, ready, closed chan<- struct{}) {
	defer close(closed)
	shown := logtest.Output(v.t)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, _ = shown.Write(append(lines.Bytes(), '\n'))
		var line struct {
			Msg     string `json:"msg"`
			EventID string `json:"event_id"`
		}
		v.mu.Lock()
		v.last = append(v.last, lines.Text())
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "handled" {
			v.handled[line.EventID] = true
		}
		v.mu.Unlock()
		if strings.HasPrefix(lines.Text(), "Ready.") {
			close(ready)
		}
		if strings.Contains(lines.Text(), "was copied or restored") {
			v.t.Errorf("the state counts as a copy: %s", lines.Text())
		}
	}
}

// events returns the events that the consumer has handled, by its lines.
func (v *victim) events() map[string]bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.handled)
}

// said returns the last lines.
func (v *victim) said() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.last[max(0, len(v.last)-20):], "\n")
}

// untilReady waits until it is ready.
func (v *victim) untilReady() {
	v.t.Helper()
	select {
	case <-v.ready:
	case <-v.closed:
		v.t.Fatalf("it does not start after %d kills:\n%s", v.kills, v.said())
	case <-time.After(2 * time.Minute): // with an empty build cache
		v.t.Fatalf("it is not ready after %d kills:\n%s", v.kills, v.said())
	}
}

// kill kills it, which must not have ended before.
func (v *victim) kill() {
	v.t.Helper()
	select {
	case <-v.closed:
		v.t.Fatalf("it ended after %d kills:\n%s", v.kills, v.said())
	default:
	}
	select {
	case <-v.ready:
	default:
		v.early++
	}
	v.kills++
	v.end()
}

// end kills the process group. The kernel kills the functions, each in its own group, with the process that
// started them.
func (v *victim) end() {
	_ = syscall.Kill(-v.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-v.closed
}
