package metrics

import (
	"log/slog"
	"time"
)

// embedded collects the part of a line that CloudWatch reads.
type embedded struct {
	definitions []definition
	values      []slog.Attr
}

type definition struct {
	Name string
	Unit string `json:",omitempty"`
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type metadata struct {
	Timestamp         int64 // milliseconds
	CloudWatchMetrics []directive
}

func (e *embedded) add(m Metric, n float64) {
	e.definitions = append(e.definitions, definition{m.Name, m.Unit})
	e.values = append(e.values, slog.Float64(m.Name, n))
}

func (e *embedded) attrs(namespace string, at time.Time) []slog.Attr {
	d := directive{Namespace: namespace, Dimensions: [][]string{{}}, Metrics: e.definitions}
	return append(e.values, slog.Any("_aws", metadata{at.UnixMilli(), []directive{d}})) //nolint:sloglint // the format's name
}
