package repo

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A series is a metric's data points in a minute, which begins at zero.
type series func(minute int) []float64

// points of common forms.
func every(minutes int, v float64) series {
	return func(m int) []float64 {
		if m%minutes == 0 {
			return []float64{v}
		}
		return nil
	}
}

func at(v float64, minutes ...int) series {
	return func(m int) []float64 {
		if slices.Contains(minutes, m) {
			return []float64{v}
		}
		return nil
	}
}

func during(from, to int, s series) series {
	return func(m int) []float64 {
		if m < from || m >= to {
			return nil
		}
		return s(m)
	}
}

// growing is the age of something that waits since a minute, in a unit of which a second has so many.
func growing(since int, perSecond float64) series {
	return func(m int) []float64 { return []float64{max(0, float64(m-since)) * 60 * perSecond} }
}

// watched is an alarm of template.yaml.
type watched struct {
	name               string
	metrics            map[string]metric // by their id in the expression
	expression         string
	period             int // minutes
	of, breaching      int // periods
	threshold          float64
	missingIsBreaching bool
}

// metric is what an alarm reads: the name is that in our namespace, or has what it is of behind a space.
type metric struct{ name, statistic string }

func alarms(t *testing.T) (all []watched) {
	t.Helper()
	n := template(t)
	number := func(n node) float64 {
		v, err := strconv.ParseFloat(text(n), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	standard := func(v node) node { return byDefault(t, n, v) }
	for _, name := range ofType(t, n, "AWS::CloudWatch::Alarm") {
		p := get(n, "Resources", name, "Properties")
		w := watched{name: name, expression: "m", metrics: map[string]metric{}, threshold: number(standard(get(p, "Threshold")))}
		w.of = int(number(get(p, "EvaluationPeriods")))
		if w.breaching = w.of; get(p, "DatapointsToAlarm") != nil {
			w.breaching = int(number(get(p, "DatapointsToAlarm")))
		}
		w.missingIsBreaching = text(standard(get(p, "TreatMissingData"))) == "breaching"
		if op := text(get(p, "ComparisonOperator")); op != "GreaterThanOrEqualToThreshold" {
			t.Fatalf("%s: %s", name, op)
		}
		period := get(p, "Period")
		if get(p, "Metrics") == nil {
			w.metrics["m"] = metric{of(p), text(get(p, "Statistic"))}
		}
		for _, m := range items(get(p, "Metrics")) {
			if m = standard(m); m == nil {
				continue // of a function that is not deployed
			}
			if stat := get(m, "MetricStat"); stat != nil {
				w.metrics[text(get(m, "Id"))] = metric{of(get(stat, "Metric")), text(get(stat, "Stat"))}
				period = get(stat, "Period")
			} else {
				w.expression = text(standard(get(m, "Expression")))
			}
		}
		w.period = int(number(period)) / 60
		all = append(all, w)
	}
	return all
}

// byDefault returns a value of the template as it is with the parameters' defaults. It knows the functions that alarms use.
func byDefault(t *testing.T, n, v node) node {
	t.Helper()
	f, ok := v.(tagged)
	if !ok {
		return v
	}
	args := items(f.value)
	switch f.tag {
	case "Ref":
		return get(n, "Parameters", text(f.value), "Default")
	case "FindInMap":
		return get(n, "Mappings", text(args[0]), text(byDefault(t, n, args[1])), text(args[2]))
	case "If":
		if byDefault(t, n, get(n, "Conditions", text(args[0]))) == node("true") {
			return byDefault(t, n, args[1])
		}
		return byDefault(t, n, args[2])
	case "Condition":
		return byDefault(t, n, get(n, "Conditions", text(f.value)))
	case "Or":
		return fmt.Sprint(slices.ContainsFunc(args, func(a node) bool { return byDefault(t, n, a) == node("true") }))
	case "Not":
		return fmt.Sprint(byDefault(t, n, args[0]) != node("true"))
	case "Equals":
		return fmt.Sprint(byDefault(t, n, args[0]) == byDefault(t, n, args[1]))
	}
	t.Fatalf("!%s is not known here", f.tag)
	return nil
}

// of names a metric: OldestDueSeconds, or IteratorAge DispatcherFunction.
func of(m node) string {
	name := []string{text(get(m, "MetricName"))}
	for _, d := range items(get(m, "Dimensions")) {
		switch value := get(d, "Value").(type) {
		case tagged:
			logical, _, _ := strings.Cut(text(value.value), ".")
			name = append(name, logical)
		case string:
			name = append(name, value)
		}
	}
	return strings.Join(name, " ")
}

// value returns the alarm's value of the period that ends with a minute.
func (w watched) value(t *testing.T, day map[string]series, end int) float64 {
	t.Helper()
	values := map[string]float64{}
	for id, m := range w.metrics {
		v := missing
		for minute := max(0, end-w.period+1); minute <= end && day[m.name] != nil; minute++ {
			for _, point := range day[m.name](minute) {
				switch {
				case math.IsNaN(v):
					v = point
				case m.statistic == "Sum":
					v += point
				default:
					v = max(v, point)
				}
			}
		}
		values[id] = v
	}
	v, err := expression(w.expression, values)
	if err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	return v
}

// rings returns the minute at which the alarm rings, evaluated each minute as CloudWatch does, or -1.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
func (w watched) rings(t *testing.T, day map[string]series, minutes int) int {
	t.Helper()
	for now := w.of*w.period - 1; now < minutes; now++ {
		breaching := 0
		for n := range w.of {
			v := w.value(t, day, now-n*w.period)
			if math.IsNaN(v) && w.missingIsBreaching || v >= w.threshold {
				breaching++
			}
		}
		if breaching >= w.breaching {
			return now
		}
	}
	return -1
}

// quiet has what is measured when nothing happens: the heartbeats.
func quiet() map[string]series {
	return map[string]series{
		"OldestDueSeconds": every(5, 0), "BreakerOpen": every(5, 0), "OldestCheckSeconds": every(5, 0), "DispatchLagSeconds": every(5, 0.8), "ReconcileLagSeconds": every(5, 0),
		"GrantsStreamLagSeconds": every(5, 0.7), "ConnectionsStreamLagSeconds": every(5, 0.9), "IteratorAge AnnouncerFunction": every(5, 300),
		"IteratorAge DispatcherFunction": every(5, 200), "Errors DispatcherFunction": every(5, 0), "Errors RefresherFunction": every(5, 0),
		"Throttles RefresherFunction": every(5, 0), "Errors ReconcilerFunction": every(5, 0), "ApproximateNumberOfMessagesVisible RescueQueue": every(5, 0),
	}
}

// busy is a day of ten thousand grants and a hundred events a minute.
func busy() map[string]series {
	day := quiet()
	maps.Copy(day, map[string]series{
		"EventsStored": every(1, 100), "EventsDispatched": every(1, 100), "RefreshesSucceeded": every(5, 625), "RefreshesFailed": every(5, 2),
		"ApproximateAgeOfOldestMessage EventsQueue": every(1, 3), "NumberOfMessagesReceived EventsQueue": every(1, 100),
		"GrantsUncertain":  every(80, 1),                                                                   // one refresh of ten thousand is lost, 18 a day
		"EventsDuplicated": every(3, 1), "ChangesReconciled": every(5, 15), "NeverDelivered": every(5, 15), // three of a hundred
		"IteratorAge AnnouncerFunction": every(7, 300),
	})
	return day
}

// with changes a day. A nil series is a metric that is no longer measured.
func with(day map[string]series, changes map[string]series) map[string]series {
	maps.Copy(day, changes)
	return day
}

const start = 120 // the minute at which trouble begins

const api4xx = "4xx HttpApi $default POST /webhooks/procore"

// Each alarm's own expression, over the metrics of good days and bad ones: it rings when it should, in time, and no other
// does. Every alarm rings in one of them.
func TestAlarmsRing(t *testing.T) {
	t.Parallel()
	type expected map[string]int // alarms, with the minutes after which each rings at the latest
	// A paused hook repeats its first delivery after 1, 2, 4, ... seconds, then each hour.
	paused := at(1, start+17, start+34, start+68, start+128)
	hook := func(m int) []float64 {
		if m == start {
			return []float64{10}
		}
		return paused(m)
	}
	tests := map[string]struct {
		day  map[string]series
		want expected
	}{
		"a quiet weekend": {quiet(), nil},
		"a busy day":      {busy(), nil},
		"the dispatcher is stopped": {with(busy(), map[string]series{
			"DispatchLagSeconds": during(0, start, every(5, 1)), "IteratorAge DispatcherFunction": during(0, start, every(5, 1)), "EventsDispatched": during(0, start, every(1, 100)),
		}), expected{"DispatchStoppedAlarm": 20}},
		"the dispatcher is stopped on a quiet weekend": {with(quiet(), map[string]series{
			"DispatchLagSeconds": during(0, start, every(5, 1)), "IteratorAge DispatcherFunction": nil,
		}), expected{"DispatchStoppedAlarm": 20}},
		"the queue refuses events": {with(busy(), map[string]series{
			"DispatchLagSeconds": during(0, start, every(5, 1)), "IteratorAge DispatcherFunction": growing(start, 1000),
		}), expected{"DispatchStoppedAlarm": 20, "StreamAgeAlarm": 30}},
		"the topic refuses announcements": {with(quiet(), map[string]series{
			"ConnectionsStreamLagSeconds": during(0, start, every(5, 1)), "IteratorAge AnnouncerFunction": growing(start, 1000),
		}), expected{"AnnounceStoppedAlarm": 20, "StreamAgeAlarm": 30}},
		"a mapping of the announcer is disabled": {with(quiet(), map[string]series{"GrantsStreamLagSeconds": during(0, start, every(5, 1))}), expected{"AnnounceStoppedAlarm": 20}},
		"the announcer is stopped": {with(busy(), map[string]series{
			"GrantsStreamLagSeconds": during(0, start, every(5, 1)), "ConnectionsStreamLagSeconds": during(0, start, every(5, 1)), "IteratorAge AnnouncerFunction": nil,
		}), expected{"AnnounceStoppedAlarm": 20}},
		"the announcer is behind": {with(busy(), map[string]series{"GrantsStreamLagSeconds": growing(start, 1)}), expected{"AnnounceStoppedAlarm": 30}},
		"the refresh schedule is disabled": {with(busy(), map[string]series{
			"OldestDueSeconds": during(0, start, every(5, 0)), "BreakerOpen": during(0, start, every(5, 0)),
		}), expected{"RefreshOverdueAlarm": 20}},
		"the housekeeping schedule is disabled": {with(quiet(), map[string]series{
			"OldestCheckSeconds": during(0, start, every(5, 0)), "DispatchLagSeconds": during(0, start, every(5, 1)),
			"GrantsStreamLagSeconds": during(0, start, every(5, 1)), "ConnectionsStreamLagSeconds": during(0, start, every(5, 1)),
		}), expected{"HousekeepingOverdueAlarm": 20, "DispatchStoppedAlarm": 20, "AnnounceStoppedAlarm": 20}},
		"refreshes do not keep up":              {with(busy(), map[string]series{"OldestDueSeconds": growing(start, 1)}), expected{"RefreshOverdueAlarm": 75}},
		"housekeeping does not keep up":         {with(busy(), map[string]series{"OldestCheckSeconds": growing(start, 1)}), expected{"HousekeepingOverdueAlarm": 135}},
		"the reconciler's schedule is disabled": {with(quiet(), map[string]series{"ReconcileLagSeconds": during(0, start, every(5, 0))}), expected{"ReconcileOverdueAlarm": 20}},
		"reconciliation does not keep up":       {with(busy(), map[string]series{"ReconcileLagSeconds": growing(start, 1)}), expected{"ReconcileOverdueAlarm": 7*60 + 15}},
		"a large company's pass takes six hours": {with(busy(), map[string]series{"ReconcileLagSeconds": func(m int) []float64 {
			if m < start || m >= start+6*60 {
				return []float64{0}
			}
			return growing(start, 1)(m)
		}}), nil},
		"a quiet app loses all its events for a while": {with(quiet(), map[string]series{"ChangesReconciled": at(3, start), "NeverDelivered": at(3, start, start+400, start+800)}), nil},
		"Procore delivers nothing":                     {with(quiet(), map[string]series{"NeverDelivered": at(2, start, start+5, start+10, start+15, start+20)}), expected{"NeverDeliveredAlarm": 24 * 60}},
		"Procore loses one event of ten":               {with(busy(), map[string]series{"NeverDelivered": every(1, 10)}), expected{"NeverDeliveredAlarm": 24 * 60}},
		"the webhook route is throttled":               {with(busy(), map[string]series{api4xx: during(start, start+30, every(1, 50))}), expected{"WebhooksRefusedAlarm": 10}},
		"a scanner without a credential": {with(quiet(), map[string]series{
			api4xx: during(start, start+60, every(1, 200)), "DeliveriesRefused": during(start, start+60, every(1, 200)),
		}), nil},
		"three forged credentials": {with(quiet(), map[string]series{
			api4xx: at(3, start), "DeliveriesRefused": at(3, start), "EventsRejected": at(3, start),
		}), nil},
		"a hook's credential is retired": {with(quiet(), map[string]series{api4xx: hook, "DeliveriesRefused": hook, "EventsRejected": hook}), expected{"EventsRejectedAlarm": 60}},
		// Its user's token is refused, its hook needs an admin, its rate limit is used up for an hour and a half.
		"one bad customer": {with(busy(), map[string]series{
			"RefreshesFailed": every(5, 3), "GrantsToReauthorize": at(1, start), "EventsRetried": during(start, start+90, every(1, 4)), "GrantsUncertain": at(1, start, start+3),
			"ApproximateAgeOfOldestMessage EventsQueue": during(start, start+90, growing(start, 1)),
		}), nil},
		"one bad customer alone at night": {with(quiet(), map[string]series{
			"EventsRetried": during(start, start+90, every(6, 1)), "NumberOfMessagesReceived EventsQueue": during(start, start+91, every(6, 1)),
			"ApproximateAgeOfOldestMessage EventsQueue": during(start, start+90, growing(start, 1)),
		}), nil},
		"no consumer reads": {with(busy(), map[string]series{
			"ApproximateAgeOfOldestMessage EventsQueue": growing(start, 1), "NumberOfMessagesReceived EventsQueue": during(0, start, every(1, 100)),
		}), expected{"EventsAgeAlarm": 16}},
		"the consumer always fails": {with(busy(), map[string]series{"ApproximateAgeOfOldestMessage EventsQueue": growing(start, 1)}), expected{"EventsAgeAlarm": 121}},
		"Procore's token endpoint is down": {with(busy(), map[string]series{
			"GrantsUncertain": at(100, start), "BreakerOpen": during(start, start+60, every(5, 1)), "OldestDueSeconds": growing(start+30, 1),
		}), expected{"BreakerOpenAlarm": 10, "GrantsUncertainAlarm": 1, "RefreshOverdueAlarm": 105}},
		"a new deployment, three answers lost": {with(quiet(), map[string]series{"RefreshesSucceeded": every(5, 2), "GrantsUncertain": at(3, start)}), expected{"GrantsUncertainAlarm": 1}},
		"functions crash":                      {with(busy(), map[string]series{"Errors DispatcherFunction": during(start, start+15, every(5, 1)), "Errors AnnouncerFunction": during(start, start+15, every(5, 1))}), expected{"FunctionErrorsAlarm": 10}},
		"no concurrency is left":               {with(busy(), map[string]series{"Throttles DispatcherFunction": at(1, start)}), expected{"FunctionThrottlesAlarm": 1}},
		"positions are dropped":                {with(busy(), map[string]series{"ApproximateNumberOfMessagesVisible AnnouncerDeadLetterQueue": during(start, start+60, every(5, 1))}), expected{"StreamDeadLetterAlarm": 1}},
		"pairs wait": {with(busy(), map[string]series{
			"ApproximateNumberOfMessagesNotVisible RescueQueue":        during(start, start+60, every(1, 2)),
			"ApproximateNumberOfMessagesVisible RescueDeadLetterQueue": at(1, start), "PairsLost": at(1, start),
		}), expected{"RescueQueueAlarm": 20, "RescueDeadLetterAlarm": 1, "PairsLostAlarm": 1}},
		"events are lost on their way": {with(busy(), map[string]series{
			"EventsQuarantined": at(1, start), "EventsUndeliverable": at(1, start), "ApproximateNumberOfMessagesVisible EventsDeadLetterQueue": at(1, start),
			"5xx HttpApi": at(5, start), "DeparturesStopped": at(1, start), "HooksReactivated": at(1, start),
		}), expected{"EventsQuarantinedAlarm": 1, "EventsUndeliverableAlarm": 1, "EventsDeadLetterAlarm": 1, "ServerErrorsAlarm": 1, "DeparturesStoppedAlarm": 1, "HooksReactivatedAlarm": 1}},
	}
	rung := map[string]bool{}
	all := alarms(t)
	for _, tt := range tests {
		for name := range tt.want {
			rung[name] = true
		}
	}
	for _, w := range all {
		if !rung[w.name] {
			t.Errorf("%s rings on none of these days", w.name)
		}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got, want []string
			for _, w := range all {
				if minute := w.rings(t, tt.day, max(10*60, start+w.of*w.period)); minute >= 0 {
					got = append(got, w.name)
					if within := tt.want[w.name]; minute < start || minute > start+within {
						t.Errorf("%s rings at minute %d, want within %d minutes of %d", w.name, minute, within, start)
					}
				}
			}
			for name := range tt.want {
				want = append(want, name)
			}
			slices.Sort(got)
			slices.Sort(want)
			if d := cmp.Diff(got, want); d != "" {
				t.Errorf("alarms (-got +want):\n%s", d)
			}
		})
	}
	known := map[string]bool{}
	for _, w := range all {
		for _, m := range w.metrics {
			known[m.name] = true
		}
	}
	for _, name := range []string{api4xx, "5xx HttpApi", "IteratorAge DispatcherFunction"} {
		if !known[name] {
			t.Errorf("no alarm watches %s", fmt.Sprintf("%q", name))
		}
	}
}
