//go:build unix

package journal

import (
	"syscall"
	"testing"
)

// A process that was just forked has copies of all files until it runs its program. It does not keep the lock.
func TestUnlockWhileAFileIsCopied(t *testing.T) {
	t.Parallel()
	dir := &directory{path: t.TempDir()}
	if err := dir.Lock(); err != nil {
		t.Fatal(err)
	}
	copied, err := syscall.Dup(int(dir.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(copied)
	if err := dir.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := dir.Lock(); err != nil {
		t.Errorf("locked again: %v", err)
	}
	if err := dir.Unlock(); err != nil {
		t.Error(err)
	}
}
