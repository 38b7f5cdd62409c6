package lambdatest

import (
	"os"
	"syscall"
)

// attributes make the child the leader of a process group, which a Ctrl-C at the
// terminal does not reach, and make it die with the thread that started it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// kill ends the process group. It does not matter if that has ended already.
func kill(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
