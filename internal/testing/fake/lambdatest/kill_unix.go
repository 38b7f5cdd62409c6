//go:build unix && !linux

package lambdatest

import (
	"os"
	"syscall"
)

// attributes make the child the leader of a process group, which a Ctrl-C at
// the terminal does not reach.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// kill ends the process group. A group that is gone already is no error.
func kill(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
