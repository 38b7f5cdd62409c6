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

// kill ends the process group. It does not matter if that has ended already.
func kill(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
