// Package metrics turns log lines into CloudWatch metrics. A line that reports an event also counts it, in the embedded
// metric format, so that a metric costs no call and its lines are found beside it.
//
// Only list.go defines which lines count, and as what. The code that logs knows nothing of it. internal/testing/repo
// checks that some code writes each line of the list, that docs/RUNBOOK.md has each metric, and that each alarm of the
// template has a metric. No metric has a dimension, above all not the company: each value of one is a metric to pay for.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
package metrics

import (
	"context"
	"log/slog"
	"slices"
)

// Units of CloudWatch.
const (
	Count   = "Count"
	Seconds = "Seconds"
	None    = "None"
)

// A Metric is one metric of CloudWatch, and the log lines from which it is computed.
type Metric struct {
	Name string
	Unit string
	Help string // what one more of it means

	Line  string   // the message of the lines
	Attr  string   // only lines with this attribute count; "": all
	Is    []string // the attribute has one of these values, as text
	Value string   // the attribute that holds the number; "": each line counts as one
}

// Handler passes lines to next, and adds to each line of the list what makes CloudWatch count it. Such a line is
// written whatever the level. The namespace is the stack's; without one nothing is added.
//
// The format requires a metric at the top level of the line, so lines of a logger with a group are not counted.
func Handler(next slog.Handler, namespace string) slog.Handler {
	if namespace == "" {
		return next
	}
	lines := make(map[string][]Metric)
	for _, m := range All() {
		lines[m.Line] = append(lines[m.Line], m)
	}
	return &handler{Handler: next, namespace: namespace, lines: lines}
}

type handler struct {
	slog.Handler
	namespace string
	lines     map[string][]Metric
	with      []slog.Attr // of the logger
}

// Enabled reports whether a line may be written. It always is: a line below the level may have metrics, and Handle
// checks the level.
func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	var all embedded
	if metrics := h.lines[r.Message]; metrics != nil {
		attrs := flat(h.with, r)
		for _, m := range metrics {
			if n, ok := m.of(attrs); ok {
				all.add(m, n)
			}
		}
	}
	if len(all.definitions) > 0 {
		r = r.Clone()
		r.AddAttrs(all.attrs(h.namespace, r.Time)...)
	} else if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.Handler, with.with = h.Handler.WithAttrs(attrs), slices.Concat(h.with, attrs)
	return &with
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.Handler.WithGroup(name)
}

// of returns the metric's value in a line, and false if the line does not count.
func (m Metric) of(attrs map[string]slog.Value) (n float64, ok bool) {
	if m.Attr != "" {
		v, ok := attrs[m.Attr]
		if !ok || !slices.Contains(m.Is, v.String()) {
			return 0, false
		}
	}
	if m.Value == "" {
		return 1, true
	}
	switch v := attrs[m.Value]; v.Kind() {
	case slog.KindInt64:
		n = float64(v.Int64())
	case slog.KindFloat64:
		n = v.Float64()
	case slog.KindBool:
		if v.Bool() {
			n = 1
		}
	default:
		return 0, false
	}
	return n, n != 0 || m.Unit != Count // a count of zero is not worth the price of a metric
}

// flat returns the attributes at the top level of the line.
func flat(with []slog.Attr, r slog.Record) map[string]slog.Value {
	all := make(map[string]slog.Value)
	var add func(slog.Attr) bool
	add = func(a slog.Attr) bool {
		v := a.Value.Resolve()
		if a.Key == "" && v.Kind() == slog.KindGroup {
			for _, inner := range v.Group() {
				add(inner)
			}
			return true
		}
		all[a.Key] = v
		return true
	}
	for _, a := range with {
		add(a)
	}
	r.Attrs(add)
	return all
}
