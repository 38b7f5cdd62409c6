// Package storagetest tests components that keep their state in a journal: nothing leaves them before it is durable.
package storagetest

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"procore-connect/internal/testing/fake/journal"
)

// Full is in the text of the error with which a disk fails.
const Full = "the disk is full"

// Slow is a storage whose Sync waits for [Slow.Holds].
type Slow struct {
	*journal.Part
	release chan error
}

// New returns an empty storage. It is for a test in a synctest bubble.
func New(t testing.TB) Slow {
	t.Helper()
	j, err := journal.Open(journal.NewDisk())
	if err != nil {
		t.Fatal(err)
	}
	return Slow{j.Part("part"), make(chan error)}
}

// Sync implements [journal.Storage].
func (s Slow) Sync() error { return <-s.release }

// Holds fails the test if do returns before its Sync does, or fails after one that did not. It returns what do answers after a
// Sync that failed.
func (s Slow) Holds(t testing.TB, name string, do func() string) (failed string) {
	t.Helper()
	once := func(failure error) string {
		result := make(chan string, 1)
		go func() { result <- do() }()
		synctest.Wait()
		select {
		case out := <-result:
			t.Errorf("%s before Sync: %s", name, out)
		default:
		}
		s.release <- failure
		return <-result
	}
	failed = once(errors.New(Full))
	if durable := once(nil); strings.Contains(durable, Full) {
		t.Errorf("%s after Sync: %s", name, durable)
	}
	return failed
}
