package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"procore-connect/internal/cost"
	"procore-connect/internal/operator/meters"
	"procore-connect/internal/platform/metrics"
)

const (
	// chartDays is how many days the charts of counts have.
	chartDays = 14
	// recentFor and recentBar are the time and the bars of the charts of lags.
	recentFor = 3 * time.Hour
	recentBar = 5 * time.Minute
	// metersFor is how long the metrics that were read are shown. They have a value a minute.
	metersFor = time.Minute
	// metersWithin bounds the reading.
	metersWithin = 10 * time.Second
)

// counted are the metrics that are shown by the day.
func counted() []countGroup {
	return []countGroup{
		{"Events", []string{"EventsStored", "EventsHandled", "EventsRetried", "EventsDuplicated", "EventsQuarantined", "EventsRecovered"}, nil},
		{"Reconciliation", []string{"ChangesReconciled", "ChangesMoved", "ChangesBackfilled", "NeverDelivered", "ResourcesNotCovered"}, nil},
		{"Connections", []string{"CompaniesConnected", "RefreshesSucceeded", "RefreshesFailed", "GrantsToReauthorize"}, nil},
	}
}

// lagging are the metrics of the last hours.
func lagging() []string {
	return []string{"OldestDueSeconds", "OldestCheckSeconds", "ReconcileLagSeconds", "DispatchLagSeconds", "GrantsStreamLagSeconds", "ConnectionsStreamLagSeconds"}
}

// measured is what the metrics say at a time.
type measured struct {
	at   time.Time
	long map[meters.Query]meters.Values // of the month and of the charts' days
	last map[meters.Query]meters.Values // of the last hours
	err  error
}

// meterReader remembers the metrics, because each question costs money.
type meterReader struct {
	mu    sync.Mutex
	known measured
}

// get returns the metrics as they were less than a minute ago.
func (r *meterReader) get(ctx context.Context, from *meters.Client, now time.Time) measured {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known.at.IsZero() && now.Sub(r.known.at) < metersFor && !now.Before(r.known.at) {
		return r.known
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), metersWithin)
	defer cancel()
	m := measured{at: now}
	var long, last []meters.Query
	for _, g := range counted() {
		for _, name := range g.Names {
			long = append(long, daily(name))
		}
	}
	for _, name := range lagging() {
		last = append(last, minutely(name))
	}
	begin := monthOf(now)
	if first := daysAgo(now, chartDays-1); first.Before(begin) {
		begin = first
	}
	if m.long, m.err = from.Read(ctx, begin, now, append(long, hours)...); m.err == nil {
		m.last, m.err = from.Read(ctx, now.UTC().Truncate(recentBar).Add(recentBar-recentFor), now, last...)
	}
	r.known = m
	return m
}

func daily(metric string) meters.Query {
	return meters.Query{Metric: metric, Stat: meters.Sum, Period: day}
}

func minutely(metric string) meters.Query {
	return meters.Query{Metric: metric, Stat: meters.Most, Period: time.Minute}
}

// hours has a value of each hour in which housekeeping ran, which it does as long as the stack is there.
var hours = meters.Query{Metric: "OldestCheckSeconds", Stat: meters.Samples, Period: time.Hour}

// monthOf returns when the month of AWS's bill began.
func monthOf(now time.Time) time.Time {
	return time.Date(now.UTC().Year(), now.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
}

// daysAgo returns when a day began.
func daysAgo(now time.Time, n int) time.Time {
	return now.UTC().Truncate(day).Add(-time.Duration(n) * day)
}

// valuesSince returns the values from a time on.
func valuesSince(v meters.Values, from time.Time) meters.Values {
	i := slices.IndexFunc(v, func(one meters.Value) bool { return !one.At.Before(from) })
	if i < 0 {
		return nil
	}
	return v[i:]
}

// countGroup is a few metrics of one subject.
type countGroup struct {
	Name   string
	Names  []string
	Counts []counts
}

// counts is a metric by the day.
type counts struct {
	Name  string
	Help  string
	Today int
	Month int
	Days  gauge
}

// counts returns the metrics by the day. Without metrics it returns nothing.
func (m measured) counts(now time.Time) []countGroup {
	if m.err != nil {
		return nil
	}
	help := map[string]string{}
	for _, one := range metrics.All() {
		help[one.Name] = one.Help
	}
	all := counted()
	for i, g := range all {
		for _, name := range g.Names {
			v := m.long[daily(name)]
			one := counts{Name: name, Help: help[name], Today: int(valuesSince(v, daysAgo(now, 0)).Sum()), Month: int(valuesSince(v, monthOf(now)).Sum())}
			for n := range chartDays {
				from := daysAgo(now, chartDays-1-n)
				sum := valuesSince(v, from).Sum() - valuesSince(v, from.Add(day)).Sum()
				one.Days.Bars = append(one.Days.Bars, gaugeBar{Height: sum, Known: true})
			}
			one.Days.Text = count(int(valuesSince(v, daysAgo(now, chartDays-1)).Sum())) + " in 14 days"
			all[i].Counts = append(all[i].Counts, one)
		}
	}
	return all
}

// recent returns the values of a lag in the last hours.
func (m measured) recent(metric string) meters.Values { return m.last[minutely(metric)] }

// gauge returns the chart of a lag: the greatest value of each five minutes.
func (m measured) gauge(metric string, late time.Duration, now time.Time) (g gauge) {
	values := m.recent(metric)
	if len(values) == 0 {
		return g
	}
	from, most := now.UTC().Truncate(recentBar).Add(recentBar-recentFor), 0.0
	g.Bars = make([]gaugeBar, recentFor/recentBar)
	for _, v := range values {
		if i := int(v.At.Sub(from) / recentBar); i >= 0 && i < len(g.Bars) {
			b := &g.Bars[i]
			b.Height, b.Known = max(b.Height, v.N), true
			b.Late = b.Late || v.N >= late.Seconds()
			most = max(most, v.N)
		}
	}
	g.Text = "at most " + lagText(time.Duration(most*float64(time.Second))) + " in 3 hours"
	return g
}

// usage returns what this month's metrics say of the stack.
func (m measured) usage(now time.Time, companies float64) cost.Usage {
	month := func(names ...string) (sum float64) {
		for _, name := range names {
			sum += valuesSince(m.long[daily(name)], monthOf(now)).Sum()
		}
		return sum
	}
	return cost.Usage{
		Refreshes: month("RefreshesSucceeded", "RefreshesFailed"),
		Events:    month("EventsStored", "EventsDuplicated", "EventsQuarantined", "EventsRecovered", "ChangesReconciled", "ChangesBackfilled"),
		Companies: companies,
		Ran:       time.Duration(len(valuesSince(m.long[hours], monthOf(now)))) * time.Hour,
	}
}
