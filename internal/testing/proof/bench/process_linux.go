package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// cpuTime returns the CPU time that all threads of a process have used so far. The
// number of a process's clock is made from its process id.
//
// https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
func cpuTime(pid int) (time.Duration, error) {
	const scheduler = 2 // nanoseconds, not ticks
	clock := ^pid<<3 | scheduler
	var t syscall.Timespec
	_, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0)
	if e != 0 {
		return 0, fmt.Errorf("the CPU time of process %d cannot be read: %w", pid, e)
	}
	return time.Duration(t.Nano()), nil
}

// peakMemory returns the largest resident size that a process has had, in bytes.
//
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func peakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	value, _, _ := bytes.Cut(rest, []byte("kB"))
	kb, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	return kb << 10, err
}

// freeze stops a process, as Lambda does between two invocations. thaw continues it.
func freeze(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }

func thaw(pid int) error { return syscall.Kill(pid, syscall.SIGCONT) }
