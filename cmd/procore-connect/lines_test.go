package main

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/logtest"
)

// lines are what the stack wrote.
type lines struct {
	shown   io.Writer
	mu      sync.Mutex
	all     strings.Builder
	changed chan struct{} // closed by the next write
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.shown.Write(b)
	close(l.changed)
	l.changed = make(chan struct{})
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// next returns a channel that the next line closes.
func (l *lines) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func newLines(t *testing.T) *lines {
	t.Helper()
	return &lines{changed: make(chan struct{}), shown: logtest.Output(t)}
}

// until waits for something that the stack does. Most of it follows a line; what does not is checked again soon.
func (l *lines) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		changed := l.next()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		case <-late:
			t.Fatalf("still not after a minute: %s", what)
		}
	}
}
