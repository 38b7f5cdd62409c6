//go:build unix

package journal

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the lock of an open file, which ends with the process. held reports that another process has it.
func lock(file *os.File) (held bool, err error) {
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK), err
}

// unlock releases it now. Closing the file alone does not while a process that was just forked still has a copy.
func unlock(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }
