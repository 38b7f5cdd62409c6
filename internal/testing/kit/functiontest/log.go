package functiontest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"procore-connect/internal/platform/logging"
	"procore-connect/internal/platform/metrics"
	"procore-connect/internal/testing/kit/logtest"
)

// secretMarks are in every secret of the fakes.
var secretMarks = [...]string{
	"fake-access-", "fake-refresh-", "fake-code-", "fake-client-secret", "fake-seal-key", "fake-webhook-key", "fake-link-key", "Bearer ",
}

// Log collects what a function logs. When the test ends, it must not contain a secret.
type Log struct {
	*slog.Logger

	shown   io.Writer
	mu      sync.Mutex
	lines   bytes.Buffer
	secrets []string
}

func newLog(t *testing.T) *Log {
	t.Helper()
	l := &Log{shown: logtest.Output(t)}
	var err error
	if l.Logger, err = logging.New(l, "debug"); err != nil {
		t.Fatal(err)
	}
	l.Logger = slog.New(metrics.Handler(l.Handler(), "test"))
	t.Cleanup(func() { l.Search(t, "the log", l.String()) })
	return l
}

// Write adds a line.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.shown.Write(b)
	return l.lines.Write(b)
}

// String returns all lines.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// Secret adds values, besides those of the fakes, that must not be logged.
func (l *Log) Secret(values ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range values {
		if v != "" {
			l.secrets = append(l.secrets, v)
		}
	}
}

// Search fails the test if a secret is in the text.
func (l *Log) Search(t *testing.T, where, text string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, secret := range append(secretMarks[:], l.secrets...) {
		if i := strings.Index(text, secret); i >= 0 {
			before := text[max(0, i-80):i]
			for _, another := range append(secretMarks[:], l.secrets...) {
				before, _, _ = strings.Cut(before, another)
			}
			t.Errorf("a secret is in %s after %q", where, before)
		}
	}
}

// Lines returns the lines with this message, decoded.
func (l *Log) Lines(t *testing.T, msg string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("a log line is not one JSON object: %q: %v", line, err)
		}
		if m["msg"] == msg {
			found = append(found, m)
		}
	}
	return found
}

// Metric sums a metric over all lines, and counts the lines that have it.
func (l *Log) Metric(t *testing.T, name string) (sum float64, lines int) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("a log line is not one JSON object: %q: %v", line, err)
		}
		if n, ok := m[name].(float64); ok && m["_aws"] != nil {
			sum += n
			lines++
		}
	}
	return sum, lines
}

// Last returns the line of the last request.
func (l *Log) Last(t *testing.T) map[string]any {
	t.Helper()
	all := l.Lines(t, "request")
	if len(all) == 0 {
		t.Fatal("no request was logged")
	}
	return all[len(all)-1]
}
