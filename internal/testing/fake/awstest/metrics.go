package awstest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

const (
	// The service keeps values of a minute for 15 days, and of an hour for 455. This stand-in keeps those of a minute.
	maxMetricMinutes = 50_000
	// maxDatapoints is how many values an answer has. The service's has up to 100,800.
	maxDatapoints = 500
	// metricsPath has the name of the service's model, from the time before it was CloudWatch.
	metricsPath = "/service/GraniteServiceVersion20100801/operation/"
)

// metric is the values of a metric by the minute.
type metric map[time.Time]statistic

type statistic struct{ count, sum, most float64 }

func (s statistic) and(more statistic) statistic {
	if s.count == 0 || more.count > 0 && more.most > s.most {
		s.most = more.most
	}
	return statistic{s.count + more.count, s.sum + more.sum, s.most}
}

// of returns a statistic by its name.
func (s statistic) of(name string) float64 {
	return map[string]float64{"Sum": s.sum, "Maximum": s.most, "SampleCount": s.count}[name]
}

// measure reads the metrics of a line. The caller has the lock.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func (l *Logs) measure(message string) {
	if !strings.Contains(message, `"_aws"`) {
		return
	}
	var values map[string]json.RawMessage
	var line struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace string
				Metrics   []struct{ Name string }
			}
		} `json:"_aws"`
	}
	if json.Unmarshal([]byte(message), &values) != nil || json.Unmarshal([]byte(message), &line) != nil {
		return
	}
	for _, d := range line.AWS.CloudWatchMetrics {
		for _, m := range d.Metrics {
			var value float64
			if json.Unmarshal(values[m.Name], &value) == nil {
				l.count(d.Namespace+"/"+m.Name, time.UnixMilli(line.AWS.Timestamp), value)
			}
		}
	}
}

func (l *Logs) count(name string, at time.Time, value float64) {
	if l.metrics[name] == nil {
		l.metrics[name] = metric{}
	}
	m, minute := l.metrics[name], at.UTC().Truncate(time.Minute)
	m[minute] = m[minute].and(statistic{1, value, value})
	if len(m) > maxMetricMinutes {
		delete(m, slices.MinFunc(slices.Collect(maps.Keys(m)), time.Time.Compare))
	}
}

// metricQuery is one of a request.
type metricQuery struct {
	id, name, stat string
	period         time.Duration
}

// serveMetrics answers GetMetricData of metrics without a dimension, by the lines that have them, in Smithy's RPC v2 CBOR.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (l *Logs) serveMetrics(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.URL.Path, metricsPath)
	var out cbor.Map
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	var err error
	if failed != nil {
		err = failed
	} else if operation != "GetMetricData" {
		err = unknownOperation(operation, "GetMetricData")
	} else if body, unread := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest)); unread != nil {
		err = errorf("RequestEntityTooLargeException", "%v", unread)
	} else {
		out, err = l.metricData(body)
	}
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	if e, ok := err.(*Error); ok { //nolint:errorlint // it was made here
		w.WriteHeader(http.StatusBadRequest)
		out = cbor.Map{"__type": cbor.String(e.Code), "message": cbor.String(e.Message)}
	}
	_, _ = w.Write(cbor.Encode(out)) // the caller may have left
}

func (l *Logs) metricData(body []byte) (cbor.Map, error) {
	in, from, to, err := metricInput(body)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	skip := 0
	if token, ok := in["NextToken"].(cbor.String); ok {
		skip = slices.IndexFunc(metricQueries(in), func(q metricQuery) bool { return q.id == string(token) })
	}
	results, points := cbor.List{}, 0
	for i, q := range metricQueries(in) {
		if q.stat == "" || q.period < time.Minute || q.period%time.Minute != 0 || !from.Truncate(q.period).Equal(from) {
			return nil, errorf("ValidationError", "the metric %q is not asked for as this stand-in knows it", q.name)
		}
		if i < skip {
			continue
		}
		if points >= maxDatapoints {
			return cbor.Map{"MetricDataResults": results, "NextToken": cbor.String(q.id)}, nil
		}
		result, n := l.metrics[q.name].result(q, from, to)
		results, points = append(results, result), points+n
	}
	return cbor.Map{"MetricDataResults": results}, nil
}

// result returns the values of periods that have one, the oldest first.
func (m metric) result(q metricQuery, from, to time.Time) (cbor.Map, int) {
	periods := map[time.Time]statistic{}
	for minute, s := range m {
		if !minute.Before(from) && minute.Before(to) {
			at := from.Add(minute.Sub(from).Truncate(q.period))
			periods[at] = periods[at].and(s)
		}
	}
	times, values := cbor.List{}, cbor.List{}
	for _, at := range slices.SortedFunc(maps.Keys(periods), time.Time.Compare) {
		times = append(times, &cbor.Tag{ID: 1, Value: cbor.Float64(at.Unix())})
		values = append(values, cbor.Float64(periods[at].of(q.stat)))
	}
	return cbor.Map{"Id": cbor.String(q.id), "Label": cbor.String(q.name), "StatusCode": cbor.String("Complete"), "Timestamps": times, "Values": values}, len(times)
}

// metricInput reads what is asked for all metrics.
func metricInput(body []byte) (in cbor.Map, from, to time.Time, err error) {
	value, err := cbor.Decode(body)
	if err != nil {
		return nil, from, to, errorf("SerializationException", "%v", err)
	}
	in, _ = value.(cbor.Map)
	if from, err = cbor.AsTime(in["StartTime"]); err == nil {
		to, err = cbor.AsTime(in["EndTime"])
	}
	order, _ := in["ScanBy"].(cbor.String)
	queries, _ := in["MetricDataQueries"].(cbor.List)
	if err != nil || order != "TimestampAscending" || len(queries) == 0 || len(queries) > 500 {
		return nil, from, to, errorf("ValidationError", "StartTime, EndTime, ScanBy TimestampAscending and up to 500 MetricDataQueries are needed here")
	}
	return in, from.UTC(), to, nil
}

func metricQueries(in cbor.Map) (all []metricQuery) {
	queries, _ := in["MetricDataQueries"].(cbor.List)
	for _, v := range queries {
		one, _ := v.(cbor.Map)
		stat, _ := one["MetricStat"].(cbor.Map)
		metric, _ := stat["Metric"].(cbor.Map)
		text := func(of cbor.Map, name string) string { s, _ := of[name].(cbor.String); return string(s) }
		seconds, _ := cbor.AsInt64(stat["Period"])
		all = append(all, metricQuery{
			text(one, "Id"), text(metric, "Namespace") + "/" + text(metric, "MetricName"), text(stat, "Stat"), time.Duration(seconds) * time.Second,
		})
	}
	return all
}
