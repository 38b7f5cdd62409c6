//go:build !unix

package lambdatest

import (
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

// kill ends the process. One that is gone already is no error.
func kill(p *os.Process) { p.Kill() }
