package journal

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// inode names a file by its inode and its birth, because file systems soon use an inode again. The device counts only
// without a birth: its number can change with a restart of the machine.
//
// https://man7.org/linux/man-pages/man2/statx.2.html
func inode(path string) (string, error) {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO|unix.STATX_BTIME, &s); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if s.Mask&unix.STATX_BTIME == 0 {
		return fmt.Sprintf("%d of %d:%d", s.Ino, s.Dev_major, s.Dev_minor), nil
	}
	return fmt.Sprintf("%d of %d.%09d", s.Ino, s.Btime.Sec, s.Btime.Nsec), nil
}
