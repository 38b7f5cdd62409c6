// Package meters asks CloudWatch for the metrics that the functions write, which package metrics lists.
//
// A question costs money by the number of metrics, $0.01 for 1,000, whatever the time. A value is there within minutes after
// it was written.
package meters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

// Statistics of a period.
const (
	Sum     = "Sum"
	Most    = "Maximum"
	Samples = "SampleCount" // how many values were written
)

// maxPages bounds what is read of an answer.
const maxPages = 20

// ErrNone means that the functions write no metrics.
var ErrNone = errors.New("the functions have no METRICS_NAMESPACE, so that they write no metrics")

// Client asks for the metrics of one stack. API must be set.
type Client struct {
	API       *cloudwatch.Client
	Namespace string // empty: [ErrNone]
}

// Query is a metric and what is asked of it.
type Query struct {
	Metric string
	Stat   string
	Period time.Duration // a multiple of a minute
}

// Value is that of the period which begins at a time.
type Value struct {
	At time.Time
	N  float64
}

// Values are those of the periods that have one, in order of time.
type Values []Value

// Sum adds the values.
func (v Values) Sum() (sum float64) {
	for _, one := range v {
		sum += one.N
	}
	return sum
}

// Last returns the last value, and false if there is none.
func (v Values) Last() (Value, bool) {
	if len(v) == 0 {
		return Value{}, false
	}
	return v[len(v)-1], true
}

// Read returns the values of each query in a time, whose beginning must be one of each period.
func (c *Client) Read(ctx context.Context, from, to time.Time, queries ...Query) (map[Query]Values, error) {
	if c.Namespace == "" {
		return nil, ErrNone
	}
	in := &cloudwatch.GetMetricDataInput{StartTime: &from, EndTime: &to, ScanBy: types.ScanByTimestampAscending}
	of := map[string]Query{}
	for i, q := range queries {
		id := fmt.Sprintf("m%d", i)
		of[id] = q
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: &c.Namespace, MetricName: &q.Metric}, Period: aws.Int32(int32(q.Period / time.Second)), Stat: &q.Stat, //nolint:gosec // a day at most
		}})
	}
	all := map[Query]Values{}
	pages := cloudwatch.NewGetMetricDataPaginator(c.API, in)
	for n := 0; pages.HasMorePages(); n++ {
		if n == maxPages {
			return nil, errors.New("CloudWatch has more values than are read; ask for less time")
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, explain(err)
		}
		for _, r := range page.MetricDataResults {
			if r.StatusCode == types.StatusCodeForbidden || r.StatusCode == types.StatusCodeInternalError {
				return nil, fmt.Errorf("CloudWatch has no answer for the metric %s: %s", of[aws.ToString(r.Id)].Metric, r.StatusCode)
			}
			q := of[aws.ToString(r.Id)]
			for i := range min(len(r.Timestamps), len(r.Values)) {
				all[q] = append(all[q], Value{r.Timestamps[i].UTC(), r.Values[i]})
			}
		}
	}
	for _, v := range all {
		slices.SortFunc(v, func(a, b Value) int { return a.At.Compare(b.At) })
	}
	return all, nil
}

func explain(err error) error {
	if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() == "AccessDenied" || ok && e.ErrorCode() == "AccessDeniedException" {
		return fmt.Errorf("you may not read the metrics, which needs cloudwatch:GetMetricData: %s", e.ErrorMessage())
	}
	return fmt.Errorf("CloudWatch does not answer: %w", err)
}
