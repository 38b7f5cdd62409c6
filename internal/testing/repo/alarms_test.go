package repo

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/metrics"
)

const runbook = "docs/RUNBOOK.md"

// own is the namespace of our metrics in the template.
var own = tagged{"Ref", "AWS::StackName"}

// Each alarm watches a metric of the code or of AWS, and notifies the topic.
func TestAlarms(t *testing.T) {
	t.Parallel()
	n := template(t)
	known := make(map[string]bool)
	for _, m := range metrics.All() {
		known[m.Name] = true
	}
	for _, name := range ofType(t, n, "AWS::CloudWatch::Alarm") {
		p := get(n, "Resources", name, "Properties")
		watched := []node{p}
		for _, m := range items(get(p, "Metrics")) {
			if metric := get(m, "MetricStat", "Metric"); metric != nil {
				watched = append(watched, metric)
			}
		}
		found := 0
		for _, w := range watched {
			metric := text(get(w, "MetricName"))
			if metric == "" {
				continue
			}
			found++
			switch ns := get(w, "Namespace"); {
			case ns == node(own) && !known[metric]:
				t.Errorf("%s watches %s, which internal/platform/metrics does not have", name, metric)
			case ns == node(own) && get(w, "Dimensions") != nil:
				t.Errorf("%s: our metrics have no dimensions", name)
			case ns != node(own) && !strings.HasPrefix(text(ns), "AWS/"):
				t.Errorf("%s watches the namespace %v", name, ns)
			}
		}
		if found == 0 {
			t.Errorf("%s watches nothing", name)
		}
		if d := cmp.Diff(texts(get(p, "AlarmActions")), []string{"AlarmsTopic"}); d != "" {
			t.Errorf("%s: actions (-got +want):\n%s", name, d)
		}
		if get(p, "TreatMissingData") == nil {
			t.Errorf("%s does not set what missing data means", name)
		}
	}
}

// SQS ignores a message that was received three times in the age of the oldest, except in a FIFO queue, whose order that
// would break. So a message that fails again and again would never raise an alarm on the age of another queue.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
func TestAlarmsOnAgeAreOfFIFOQueues(t *testing.T) {
	t.Parallel()
	n := template(t)
	ages := 0
	for _, name := range ofType(t, n, "AWS::CloudWatch::Alarm") {
		p := get(n, "Resources", name, "Properties")
		watched := []node{p}
		for _, m := range items(get(p, "Metrics")) {
			watched = append(watched, get(m, "MetricStat", "Metric"))
		}
		for _, w := range watched {
			if text(get(w, "MetricName")) != "ApproximateAgeOfOldestMessage" {
				continue
			}
			ages++
			value, _ := get(items(get(w, "Dimensions"))[0], "Value").(tagged)
			queue, _, _ := strings.Cut(text(value.value), ".")
			if text(get(n, "Resources", queue, "Properties", "FifoQueue")) != "true" {
				t.Errorf("%s watches the age of %s, which is not a FIFO queue", name, queue)
			}
		}
	}
	if ages == 0 {
		t.Error("no alarm watches an age")
	}
}

// The runbook has a page for each alarm, and no page of another one.
func TestRunbookHasEachAlarm(t *testing.T) {
	t.Parallel()
	var got []string
	for _, match := range regexp.MustCompile(`(?m)^### (\w+Alarm)$`).FindAllStringSubmatch(read(t, runbook), -1) {
		got = append(got, match[1])
	}
	if d := cmp.Diff(got, ofType(t, template(t), "AWS::CloudWatch::Alarm")); d != "" {
		t.Errorf("pages of %s - alarms of template.yaml, in order +:\n%s", runbook, d)
	}
}

// The runbook's table lists each metric with the unit and the meaning that internal/platform/metrics has.
func TestRunbookHasEachMetric(t *testing.T) {
	t.Parallel()
	var got, want []string
	for _, match := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| (.*) \\|$").FindAllStringSubmatch(read(t, runbook), -1) {
		got = append(got, strings.Join(match[1:], " "))
	}
	for _, m := range metrics.All() {
		want = append(want, strings.Join([]string{m.Name, m.Unit, m.Help}, " "))
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("table of %s - internal/platform/metrics +:\n%s", runbook, d)
	}
}

// Some code writes the log lines of each metric, with the attributes that the metric reads.
func TestMetricsHaveLines(t *testing.T) {
	t.Parallel()
	written := literals(t)
	for _, m := range metrics.All() {
		for _, s := range append([]string{m.Line, m.Attr, m.Value}, m.Is...) {
			if s != "" && s != "true" && s != "false" && !written[s] {
				t.Errorf("metric %s: no code has %q", m.Name, s)
			}
		}
	}
}

// literals returns the strings in deployed code, except for the list of metrics.
func literals(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for _, name := range tracked(t, root) {
		if !deployedTrees.MatchString(name) || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || path.Base(path.Dir(name)) == "metrics" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					all[s] = true
				}
			}
			return true
		})
	}
	return all
}

var substituted = regexp.MustCompile(`\$\{([A-Za-z:]+)(?:\.\w+)?\}`)

// The dashboard is JSON, and shows each alarm and each metric.
func TestDashboard(t *testing.T) {
	t.Parallel()
	n := template(t)
	body, _ := get(n, "Resources", "Dashboard", "Properties", "DashboardBody").(tagged)
	var dashboard struct {
		Widgets []struct{ Properties map[string]any }
	}
	if err := json.Unmarshal([]byte(text(body.value)), &dashboard); err != nil {
		t.Fatal(err)
	}
	resources := keysOf(get(n, "Resources"))
	shown := make(map[string]bool)
	for _, match := range substituted.FindAllStringSubmatch(text(body.value), -1) {
		if name := match[1]; !strings.HasPrefix(name, "AWS::") && !slices.Contains(resources, name) {
			t.Errorf("the dashboard shows %s, which does not exist", name)
		}
		shown[match[1]] = true
	}
	for _, alarm := range ofType(t, n, "AWS::CloudWatch::Alarm") {
		if !shown[alarm] {
			t.Errorf("the dashboard lacks %s", alarm)
		}
	}
	for _, w := range dashboard.Widgets {
		all, _ := w.Properties["metrics"].([]any)
		for _, m := range all {
			if m := m.([]any); m[0] == "${AWS::StackName}" {
				shown[m[1].(string)] = true
			}
		}
	}
	for _, m := range metrics.All() {
		if !shown[m.Name] {
			t.Errorf("the dashboard lacks %s", m.Name)
		}
	}
}
