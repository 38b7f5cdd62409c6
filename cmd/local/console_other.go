//go:build !linux

package main

import "syscall"

// attributes returns nil: a Ctrl-C at the terminal reaches the console too.
func attributes() *syscall.SysProcAttr { return nil }
