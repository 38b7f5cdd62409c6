// Package logging makes the logger of every function: one JSON object per line, written by log/slog, at the level of
// LOG_LEVEL. A line that is written during an invocation has its request_id, by which the lines of Lambda itself and of
// internal/platform/gateway are found. A line about a webhook event has its event_id, by which its way is found through
// all functions.
//
// A log never contains query strings, headers, bodies, tokens, codes or cookies. The package cannot know what a string
// means, so its callers keep that rule. The package itself keeps each value short and on one line.
package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// MaxValue is the longest logged text, in bytes. A longer one is cut and ends in "...": error texts may quote what a
// peer sent.
const MaxValue = 4096

// New returns a logger that writes one JSON object per line to w. The level is debug, info, warn or error, in any
// case; empty means info. For any other word the error names LOG_LEVEL, because a cold start fails with it.
func New(w io.Writer, level string) (*slog.Logger, error) {
	l, err := parseLevel(level)
	if err != nil {
		return nil, err
	}
	return slog.New(handler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l, ReplaceAttr: bound})}), nil
}

// handler adds the ids of the context, of its invocation and of its event, to lines that lack them.
type handler struct{ slog.Handler }

const (
	requestID = "request_id"
	eventID   = "event_id"
)

type eventKey struct{}

// WithEvent returns a context whose log lines have this event_id, as [Short] has it.
func WithEvent(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, eventKey{}, Short(id))
}

// maxShort is the longest id or name in a log, in bytes.
const maxShort = 100

// Short shortens an id or a name of a sender, which has no bound but that of its body.
func Short(s string) string {
	if len(s) <= maxShort {
		return s
	}
	return strings.ToValidUTF8(s[:maxShort], "") + "…"
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	lc, _ := lambdacontext.FromContext(ctx)
	if lc != nil {
		r = with(r, requestID, lc.AwsRequestID)
	}
	event, _ := ctx.Value(eventKey{}).(string)
	r = with(r, eventID, event)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }

// with adds an attribute, unless it is empty or the line has one of this name.
func with(r slog.Record, key, value string) slog.Record {
	if value == "" || has(r, key) {
		return r
	}
	r = r.Clone()
	r.AddAttrs(slog.String(key, value))
	return r
}

func has(r slog.Record, key string) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key || a.Key == "" && a.Value.Kind() == slog.KindGroup && slices.ContainsFunc(a.Value.Group(), func(a slog.Attr) bool { return a.Key == key })
		return !found
	})
	return found
}

func parseLevel(level string) (slog.Level, error) {
	switch strings.ToLower(strings.TrimSpace(level)) {
	case "", "info":
		return slog.LevelInfo, nil
	case "debug":
		return slog.LevelDebug, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("LOG_LEVEL: %.20q is not debug, info, warn or error", level)
}

// bound shortens texts and errors. JSON escapes line breaks.
func bound(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(cut(v))
	case error:
		a.Value = slog.StringValue(cut(v.Error()))
	}
	return a
}

// cut shortens a long text at a rune boundary.
func cut(s string) string {
	if len(s) <= MaxValue {
		return s
	}
	n := MaxValue
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
