package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustOpen(t *testing.T, dir Dir) *Journal {
	t.Helper()
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func mustClose(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, j *Journal, key, value string) {
	t.Helper()
	part := j.Part("part")
	part.Append(map[string][]byte{key: []byte(value)})
	if err := part.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	j := mustOpen(t, Directory(dir))
	put(t, j, "a", "1")
	put(t, j, "b", "")
	put(t, j, "c", "3")
	j.Part("part").Append(map[string][]byte{"c": nil})
	mustClose(t, j)
	j.Part("part").Append(map[string][]byte{"d": {}})
	if err := j.Part("part").Sync(); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	mustClose(t, j)

	j = mustOpen(t, Directory(dir))
	want := map[string][]byte{"a": []byte("1"), "b": {}}
	if diff := cmp.Diff(j.Part("part").Load(), want); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
	if got := j.Part("par").Load(); len(got) != 0 {
		t.Errorf("another part: %v", got)
	}
	mustClose(t, j)
	for name, want := range map[string]os.FileMode{"": os.ModeDir | 0o700, fileName: 0o600, lockName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%q: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}

	j, err := Fresh(Directory(dir))
	if err != nil || len(j.Part("part").Load()) != 0 {
		t.Fatalf("fresh: %v", err)
	}
	mustClose(t, j)
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := mustOpen(t, Directory(dir))
	for name, open := range map[string]func(Dir) (*Journal, error){"open": Open, "fresh": Fresh} {
		_, err := open(Directory(dir))
		if locked, ok := errors.AsType[*LockedError](err); !ok || locked.PID != strconv.Itoa(os.Getpid()) || locked.Dir != dir {
			t.Errorf("%s: %v", name, err)
		}
	}
	put(t, j, "a", "1")
	mustClose(t, j)
	mustClose(t, mustOpen(t, Directory(dir)))
}

// Only the directory itself, perhaps by another name, has the original. How a copy was made does not matter.
func TestCopied(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(dir, to string) error // after the first run
		to     string                     // the directory to open then, beside the first
		want   bool
	}{
		"the same":          {func(string, string) error { return nil }, "state", false},
		"renamed":           {os.Rename, "renamed", false},
		"copied":            {func(dir, to string) error { return os.CopyFS(to, os.DirFS(dir)) }, "copy", true},
		"linked":            {link, "linked", true},
		"restored in place": {restore, "state", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir, to := filepath.Join(parent, "state"), filepath.Join(parent, test.to)
			j := mustOpen(t, Directory(dir))
			put(t, j, "a", "1")
			mustClose(t, j)
			if err := test.change(dir, to); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				j = mustOpen(t, Directory(to))
				if got := j.Copied(); got != test.want {
					t.Errorf("copied %t, want %t", got, test.want)
				}
				mustClose(t, j)
			}
			j = mustOpen(t, Directory(to))
			if err := j.Settle(); err != nil || j.Copied() {
				t.Errorf("settled: %v, copied %t", err, j.Copied())
			}
			mustClose(t, j)
			j = mustOpen(t, Directory(to))
			if j.Copied() || string(j.Part("part").Load()["a"]) != "1" {
				t.Error("copied again, or lost")
			}
			mustClose(t, j)
		})
	}
}

func link(dir, to string) error {
	return errors.Join(os.Mkdir(to, 0o700), os.Link(filepath.Join(dir, fileName), filepath.Join(to, fileName)))
}

// restore writes a backup over the file of a later run, which may have the inode of the one in the backup.
func restore(dir, _ string) error {
	name := filepath.Join(dir, fileName)
	backup, err := os.ReadFile(name)
	for range 2 {
		j, failed := Open(Directory(dir))
		if failed != nil {
			return failed
		}
		err = errors.Join(err, j.Close())
	}
	return errors.Join(err, os.WriteFile(name, backup, 0o600))
}

// A copy remains one if its first run crashes before it is settled.
func TestCopyCrashes(t *testing.T) {
	t.Parallel()
	for at := 1; at < 12; at++ {
		original := NewDisk()
		put(t, mustOpen(t, original), "a", "1")
		disk := original.Copy()
		disk.Crash(at)
		if j, err := Open(disk); err == nil {
			_ = j.Part("part").Sync() // it may fail
		}
		if j := mustOpen(t, disk.Restart(nil)); !j.Copied() || string(j.Part("part").Load()["a"]) != "1" {
			t.Errorf("crash at %d: an original", at)
		}
	}
}

// A full disk ends all writing, even when there is room again: the journal no longer knows what the disk has.
func TestFull(t *testing.T) {
	t.Parallel()
	disk := NewDisk()
	j := mustOpen(t, disk)
	put(t, j, "a", "1")
	disk.Break(1, syscall.ENOSPC)
	part := j.Part("part")
	part.Append(map[string][]byte{"a": []byte("2")})
	if err := part.Sync(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("full: %v", err)
	}
	<-j.Failed()
	disk.Break(1000, nil)
	if err := part.Sync(); !errors.Is(err, syscall.ENOSPC) || !errors.Is(j.Err(), syscall.ENOSPC) {
		t.Errorf("with room again: %v, %v", err, j.Err())
	}
	if err := j.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("close: %v", err)
	}
	mustClose(t, mustOpen(t, disk))
}

// Overwriting a value for ever needs no more room than the value.
func TestRewrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := mustOpen(t, Directory(dir))
	defer mustClose(t, j)
	value := string(bytes.Repeat([]byte("x"), 1<<20))
	for range 30 {
		put(t, j, "a", value)
	}
	if info, err := os.Stat(filepath.Join(dir, fileName)); err != nil || info.Size() > 2*rewriteBytes {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
}

// Damage before the end is not a crash: the state before it would be an older one, whose tokens are spent.
func TestDamaged(t *testing.T) {
	t.Parallel()
	disk := NewDisk()
	j := mustOpen(t, disk)
	for range 3 {
		put(t, j, "a", "some value")
	}
	whole, err := disk.Read(fileName)
	if err != nil {
		t.Fatal(err)
	}
	last := len(whole) - len(frame(appendEntry(nil, "part/a", []byte("some value"))))
	for at := range last {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x40
		if err := decode(damaged, func(string, []byte) {}); err == nil {
			t.Errorf("damage at %d of %d is not noticed", at, last)
		}
	}
	disk.files[fileName].data[last-1] ^= 0x40
	disk = disk.Restart(nil)
	if _, err := Open(disk); err == nil {
		t.Error("a damaged state was opened")
	}
	if _, err := Fresh(disk); err != nil {
		t.Errorf("the lock remains: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(append([]byte(magic), frame(appendEntry(appendEntry(nil, "a", []byte("1")), "a", nil))...))
	f.Fuzz(func(t *testing.T, file []byte) {
		live := map[string]string{}
		if decode(file, func(key string, value []byte) { live[key] = string(value) }) == nil && len(live) > len(file) {
			t.Errorf("%d values in %d bytes", len(live), len(file))
		}
	})
}
