package main

import "syscall"

// attributes keep a Ctrl-C at the terminal from the console, which is interrupted when the rest ends, and make it end if
// this program is killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
}
