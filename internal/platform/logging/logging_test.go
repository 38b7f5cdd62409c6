package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"procore-connect/internal/platform/logging"
)

// Every line of an invocation has its id, once.
func TestRequestID(t *testing.T) {
	t.Parallel()
	during := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "an-id"})
	var b bytes.Buffer
	log, err := logging.New(&b, "")
	if err != nil {
		t.Fatal(err)
	}
	log.InfoContext(during, "without")
	log.InfoContext(during, "with", "request_id", "its own")
	log.With("a", 1).InfoContext(during, "derived")
	log.Info("outside")
	want := []string{`"request_id":"an-id"`, `"request_id":"its own"`, `"request_id":"an-id"`, ""}
	for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if n := strings.Count(line, "request_id"); !strings.Contains(line, want[i]) || n != min(len(want[i]), 1) {
			t.Errorf("line %s, want %q, once", line, want[i])
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		level string
		want  []string
	}{
		{"", []string{"INFO", "WARN", "ERROR"}},
		{"info", []string{"INFO", "WARN", "ERROR"}},
		{"DEBUG", []string{"DEBUG", "INFO", "WARN", "ERROR"}},
		{"warn", []string{"WARN", "ERROR"}},
		{"Error", []string{"ERROR"}},
	}
	for _, tt := range tests {
		t.Run(tt.level, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			log, err := logging.New(&b, tt.level)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
				log.Log(t.Context(), l, "line")
			}
			var got []string
			for line := range strings.Lines(b.String()) {
				var m struct{ Level string }
				if err := json.Unmarshal([]byte(line), &m); err != nil {
					t.Fatalf("not one JSON object per line: %v in %q", err, line)
				}
				got = append(got, m.Level)
			}
			if strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("levels = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestUnknownLevel(t *testing.T) {
	t.Parallel()
	_, err := logging.New(&bytes.Buffer{}, "loud"+strings.Repeat("x", 1000))
	if err == nil || !strings.Contains(err.Error(), "LOG_LEVEL") || len(err.Error()) > 100 {
		t.Errorf("err = %v, want a short one that names LOG_LEVEL", err)
	}
}

func TestOneBoundedLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", logging.MaxValue)
	var b bytes.Buffer
	log, err := logging.New(&b, "")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("line", "text", "a\nb\r\n{\"level\":\"FORGED\"}", "long", long, "error", errors.New(long))
	if got := strings.Count(b.String(), "\n"); got != 1 {
		t.Errorf("%d lines, want 1: a line break in a value must not forge a line", got)
	}
	var m map[string]string
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"long", "error"} {
		if got := len(m[k]); got > logging.MaxValue+3 || !strings.HasSuffix(m[k], "...") || strings.ContainsRune(m[k], '\uFFFD') {
			t.Errorf("%s: %d bytes, want at most %d, cut between runes", k, got, logging.MaxValue+3)
		}
	}
}

// A line has the ids of its context, and none twice.
func TestEventID(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log, err := logging.New(&b, "info")
	if err != nil {
		t.Fatal(err)
	}
	ctx := logging.WithEvent(lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r"}), "e")
	log.InfoContext(ctx, "from the context")
	log.InfoContext(ctx, "own", slog.String("event_id", "e"))
	log.InfoContext(ctx, "in a group without a name", slog.Group("", slog.String("event_id", "e")))
	log.InfoContext(logging.WithEvent(t.Context(), ""), "none")
	if id := logging.Short(strings.Repeat("é", 100)); len(id) != 103 || !strings.HasSuffix(id, "é…") {
		t.Errorf("%q: want 100 bytes and an ellipsis", id)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for _, line := range lines[:3] {
		if strings.Count(line, `"event_id":"e"`) != 1 || strings.Count(line, `"request_id":"r"`) != 1 {
			t.Errorf("%s: want both ids once", line)
		}
	}
	if strings.Contains(lines[3], "event_id") {
		t.Errorf("%s: want no id", lines[3])
	}
}
