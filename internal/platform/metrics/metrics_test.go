package metrics_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/metrics"
)

// written returns what is logged of a line at a level.
func written(t *testing.T, level slog.Level, r slog.Record, with ...slog.Attr) map[string]any {
	t.Helper()
	var b bytes.Buffer
	h := metrics.Handler(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level}), "a-stack").WithAttrs(with)
	if err := h.Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if b.Len() == 0 {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func line(level slog.Level, msg string, attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(time.UnixMilli(1_700_000_000_123), level, msg, 0)
	r.AddAttrs(attrs...)
	return r
}

func TestFormat(t *testing.T) {
	t.Parallel()
	got := written(t, slog.LevelInfo, line(slog.LevelInfo, "refresh run finished",
		slog.Int("refreshed", 3), slog.Int("failed", 0), slog.Bool("breaker_open", false), slog.Float64("oldest_due_s", 1.5)))
	want := map[string]any{
		"time": got["time"], "level": "INFO", "msg": "refresh run finished",
		"refreshed": 3.0, "failed": 0.0, "breaker_open": false, "oldest_due_s": 1.5,
		"RefreshesSucceeded": 3.0, "BreakerOpen": 0.0, "OldestDueSeconds": 1.5,
		"_aws": map[string]any{
			"Timestamp": 1_700_000_000_123.0,
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": "a-stack", "Dimensions": []any{[]any{}},
				"Metrics": []any{
					map[string]any{"Name": "RefreshesSucceeded", "Unit": "Count"},
					map[string]any{"Name": "BreakerOpen", "Unit": "None"},
					map[string]any{"Name": "OldestDueSeconds", "Unit": "Seconds"},
				},
			}},
		},
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("line (-got +want):\n%s", d)
	}
}

func TestWhichLines(t *testing.T) {
	t.Parallel()
	group := slog.Group("", slog.String("outcome", "quarantined"))
	tests := []struct {
		name string
		line slog.Record
		with []slog.Attr
		want string // a metric of it, "" for none
	}{
		{"all lines of a message", line(slog.LevelError, "new pair lost"), nil, "PairsLost"},
		{"by an attribute", line(slog.LevelInfo, "request", slog.String("outcome", "quarantined")), nil, "EventsQuarantined"},
		{"another value of it", line(slog.LevelInfo, "request", slog.String("outcome", "fine")), nil, ""},
		{"without it", line(slog.LevelInfo, "request"), nil, ""},
		{"in a group without a name", line(slog.LevelInfo, "request", group), nil, "EventsQuarantined"},
		{"in a group with one", line(slog.LevelInfo, "request", slog.Group("g", slog.String("outcome", "quarantined"))), nil, ""},
		{"of the logger", line(slog.LevelInfo, "request"), []slog.Attr{slog.String("outcome", "quarantined")}, "EventsQuarantined"},
		{"a bool", line(slog.LevelInfo, "request", slog.Bool("current_key", false)), nil, "EventsWithOldKey"},
		{"a count of nothing", line(slog.LevelInfo, "rescued pairs stored", slog.Int("pairs", 0)), nil, ""},
		{"a value that is no number", line(slog.LevelInfo, "rescued pairs stored", slog.String("pairs", "2")), nil, ""},
		{"another message", line(slog.LevelInfo, "else", slog.String("outcome", "quarantined")), nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := written(t, slog.LevelInfo, tt.line, tt.with...)
			if tt.want == "" && got["_aws"] != nil || tt.want != "" && got[tt.want] != 1.0 {
				t.Errorf("line = %v, want metric %q", got, tt.want)
			}
		})
	}
}

// Metrics do not depend on LOG_LEVEL, and no other line bypasses it.
func TestLevel(t *testing.T) {
	t.Parallel()
	if got := written(t, slog.LevelError, line(slog.LevelInfo, "rescued pairs stored", slog.Int("pairs", 2))); got["PairsRescued"] != 2.0 {
		t.Errorf("line = %v, want the metric below the level", got)
	}
	if got := written(t, slog.LevelError, line(slog.LevelInfo, "something else")); got != nil {
		t.Errorf("line = %v, want none below the level", got)
	}
}

func TestNoNamespace(t *testing.T) {
	t.Parallel()
	next := slog.NewJSONHandler(&bytes.Buffer{}, nil)
	if got := metrics.Handler(next, ""); got != slog.Handler(next) {
		t.Errorf("Handler = %v, want the next one itself", got)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range metrics.All() {
		if seen[m.Name] || m.Help == "" || m.Line == "" || (m.Attr == "") != (m.Is == nil) {
			t.Errorf("%+v: a name twice, or something is missing", m)
		}
		seen[m.Name] = true
	}
}

func TestSlog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	results := func() (all []map[string]any) {
		for l := range bytes.Lines(b.Bytes()) {
			var m map[string]any
			if err := json.Unmarshal(l, &m); err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		return all
	}
	if err := slogtest.TestHandler(metrics.Handler(slog.NewJSONHandler(&b, nil), "a-stack"), results); err != nil {
		t.Error(err)
	}
}
