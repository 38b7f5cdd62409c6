//go:build !unix

package lambdatest

import (
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

// kill ends the process. It does not matter if that has ended already.
func kill(p *os.Process) { p.Kill() }
