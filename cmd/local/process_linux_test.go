package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The command gets ready, and a signal ends it and every child, with status 0.
func TestSignalEndsEverything(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	path := filepath.Join(t.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.Command(path, "-app", "127.0.0.1:0", "-procore", "127.0.0.1:0", "-aws", "127.0.0.1:0")
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		var said strings.Builder
		lines := bufio.NewScanner(stderr)
		var pids []int
		for lines.Scan() {
			fmt.Fprintln(&said, lines.Text())
			if strings.HasPrefix(lines.Text(), "Ready.") {
				pids = children(t, cmd.Process.Pid)
				cmd.Process.Signal(signal)
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %v: %v\n%s", signal, err, &said)
		}
		if len(pids) != 5 {
			t.Errorf("%d children when ready, want one per function", len(pids))
		}
		for _, pid := range pids {
			if syscall.Kill(pid, 0) == nil {
				t.Errorf("child %d lives on after %v", pid, signal)
			}
		}
	}
}

// children lists the processes whose parent is pid.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func children(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}
