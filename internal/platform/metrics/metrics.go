// Package metrics turns log lines into CloudWatch metrics: a line that says what happened also counts it, in the
// embedded metric format, so that a metric costs no call and its lines are found beside it.
//
// Which lines count, and as what, is in list.go alone. The code that logs knows nothing of it; internal/testing/repo
// checks that each line of the list is one that some code writes, that docs/RUNBOOK.md has each metric, and that each alarm of the
// template has a metric. No metric has a dimension, least of all the company: each value of one is another metric to pay for.
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

// A Metric is what CloudWatch shows, and the log lines that it is made of.
type Metric struct {
	Name string
	Unit string
	Help string // what one more of it means

	Line  string   // the message of the lines
	Attr  string   // of those, only the ones with this attribute; "": all
	Is    []string // and one of these values of it, as text
	Value string   // the attribute with the number; "": each line is one
}

// Handler passes lines on to next, and adds to each line of the list what makes CloudWatch count it. Such a line is
// written whatever the level. The namespace is the stack's; without one nothing is added.
//
// The format wants a metric at the top of the line, so lines of a logger with a group are not counted.
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

// Enabled lets every line come, for its metrics. Handle knows the level.
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

// of is the metric's value in a line.
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
	return n, n != 0 || m.Unit != Count // nothing happened: not worth a metric's price
}

// flat gives the attributes at the top of the line.
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
