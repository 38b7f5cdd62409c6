package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/logtest"
)

// The command becomes ready, and a signal stops it and every child, with status 0.
func TestSignalEndsEverything(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	path := filepath.Join(t.TempDir(), "local")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := untilSignalled(t, signal, path); err != nil {
			t.Errorf("after %v: %v", signal, err)
		}
	}
}

// SIGTERM kills `go run`, which does not tell its child.
func TestGoRunIsKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	if err := untilSignalled(t, syscall.SIGTERM, "go", "run", "."); err == nil {
		t.Error("go run stopped with status 0 after SIGTERM; untilOrphaned may no longer be needed")
	}
}

// untilSignalled runs the command until it is ready, sends it the signal, and
// waits until it and all that it started are gone.
func untilSignalled(t *testing.T, signal syscall.Signal, name string, args ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // with an empty build cache
	defer cancel()
	cmd := exec.CommandContext(ctx, name, append(args, "-app", "127.0.0.1:0", "-procore", "127.0.0.1:0", "-aws", "127.0.0.1:0", "-state=")...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	shown := logtest.Output(t)
	var pids []int
	for lines := bufio.NewScanner(stderr); lines.Scan(); { // until the last process has closed it
		fmt.Fprintln(io.MultiWriter(&said, shown), lines.Text())
		if strings.HasPrefix(lines.Text(), "Ready.") {
			pids = descendants(t, cmd.Process.Pid)
			cmd.Process.Signal(signal)
		}
	}
	err = cmd.Wait()
	if len(pids) < 5 {
		t.Errorf("%d processes when ready, want at least one per function:\n%s", len(pids), &said)
	}
	for _, pid := range pids {
		for runs(pid) {
			if ctx.Err() != nil {
				t.Fatalf("process %d still runs after %v", pid, signal)
			}
			time.Sleep(10 * time.Millisecond) // it has closed its output and is about to exit
		}
	}
	return err
}

func descendants(t *testing.T, pid int) []int {
	t.Helper()
	var all []int
	for _, child := range children(t, pid) {
		all = append(append(all, child), descendants(t, child)...)
	}
	return all
}

// children lists the processes whose parent is pid.
func children(t *testing.T, parent int) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		if _, of := stat(pid); of == parent {
			pids = append(pids, pid)
		}
	}
	return pids
}

// runs reports whether the process runs. A zombie, which no parent has waited for, does not.
func runs(pid int) bool {
	state, _ := stat(pid)
	return state != "" && state != "Z"
}

// stat returns a process's state and parent, or nothing if it is gone.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func stat(pid int) (state string, parent int) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fmt.Sscan(rest, &state, &parent)
	return state, parent
}
