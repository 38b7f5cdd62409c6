// Package logtest lets go test -v show what the code under test logs, with the
// test that made it log. make test runs the tests that way, and searches all of
// it for secrets (internal/testing/proof/leaks).
package logtest

import (
	"io"
	"log/slog"
	"sync"
	"testing"
)

// New is a logger of JSON lines, at every level, into Output.
func New(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewJSONHandler(Output(t), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Output writes into the test's output under go test -v, and nowhere otherwise.
// Unlike t.Output it may be written to after the test, by what ends late.
func Output(t testing.TB) io.Writer {
	t.Helper()
	if !testing.Verbose() {
		return io.Discard
	}
	o := &output{to: t.Output()}
	t.Cleanup(o.end)
	return o
}

type output struct {
	mu sync.Mutex
	to io.Writer // nil when the test has ended
}

// Write passes on what comes before the end of the test.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to == nil {
		return len(b), nil
	}
	return o.to.Write(b)
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = nil
}
