package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// After init a function has the part of a core that its memory buys, in slices of 20 ms: at 1,769 MB a whole one.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const (
	period      = 20_000 // microseconds
	wholeCoreMB = 1769
)

// throttle is a cgroup whose processes get that share. They have priority over other
// processes, so that they get it on a busy machine too.
type throttle struct{ dir string }

// newThrottle creates a cgroup of version 2 or 1. The caller closes it.
func newThrottle(megabytes int) (*throttle, error) {
	quota := strconv.Itoa(period * megabytes / wholeCoreMB)
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return version2("/sys/fs/cgroup", quota)
	}
	return version1("/sys/fs/cgroup/cpu", quota)
}

// https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu
func version2(parent, quota string) (*throttle, error) {
	control := filepath.Join(parent, "cgroup.subtree_control")
	controllers, err := os.ReadFile(control)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(" "+strings.TrimSpace(string(controllers))+" ", " cpu ") {
		if err := os.WriteFile(control, []byte("+cpu"), 0o644); err != nil {
			return nil, fmt.Errorf("the cpu controller cannot be enabled for cgroups: %w", err)
		}
	}
	return create(parent, map[string]string{"cpu.max": fmt.Sprintf("%s %d", quota, period), "cpu.weight": "10000"})
}

// https://docs.kernel.org/scheduler/sched-bwc.html
func version1(parent, quota string) (*throttle, error) {
	return create(parent, map[string]string{
		"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": quota, "cpu.shares": "262144",
	})
}

func create(parent string, settings map[string]string) (*throttle, error) {
	dir, err := os.MkdirTemp(parent, "procore-connect-bench-")
	if err != nil {
		return nil, fmt.Errorf("it needs root and a cgroup with the cpu controller: %w", err)
	}
	t := &throttle{dir}
	for name, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o644); err != nil {
			return nil, errors.Join(fmt.Errorf("it needs a cgroup with the cpu controller: %w", err), t.close())
		}
	}
	return t, nil
}

// add puts a process with all of its threads into the cgroup.
func (t *throttle) add(pid int) error {
	return os.WriteFile(filepath.Join(t.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
}

// close removes the cgroup, whose processes must have ended.
func (t *throttle) close() error { return os.Remove(t.dir) }
