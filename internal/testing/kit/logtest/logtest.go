// Package logtest shows under go test -v what the code under test logs, beside the test
// that ran it. make test runs the tests that way and searches the output for secrets
// (internal/testing/proof/leaks).
package logtest

import (
	"io"
	"log/slog"
	"sync"
	"testing"
)

// New returns a logger that writes JSON lines of every level to Output.
func New(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewJSONHandler(Output(t), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Output returns a writer to the test's output under go test -v, and to nowhere
// otherwise. Unlike t.Output, it may be written to after the test has ended.
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

// Write drops what is written after the end of the test.
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
