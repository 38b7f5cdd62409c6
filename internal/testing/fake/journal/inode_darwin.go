package journal

import (
	"fmt"
	"os"
	"syscall"
)

// inode names a file by its inode and its birth, because file systems soon use an inode again.
func inode(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	s := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d of %d.%09d", s.Ino, s.Birthtimespec.Sec, s.Birthtimespec.Nsec), nil
}
