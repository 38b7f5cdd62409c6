package repo

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
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

// Each alarm watches a metric that the code writes, or one of AWS, and tells the topic.
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
		if text(get(p, "TreatMissingData")) == "" {
			t.Errorf("%s does not say what silence means", name)
		}
	}
}

// SQS leaves a message that was received three times out of the age of the oldest, but for a FIFO queue, whose order it
// would break. So what is tried again and again would never ring an alarm on the age of another queue.
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
				t.Errorf("%s watches the age of %s, which is no FIFO queue", name, queue)
			}
		}
	}
	if ages == 0 {
		t.Error("no alarm watches an age")
	}
}

// The runbook has a page for each alarm, and for no other.
func TestRunbookHasEachAlarm(t *testing.T) {
	t.Parallel()
	var got []string
	for _, match := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(read(t, runbook), -1) {
		got = append(got, match[1])
	}
	if d := cmp.Diff(got, ofType(t, template(t), "AWS::CloudWatch::Alarm")); d != "" {
		t.Errorf("pages of %s - alarms of template.yaml, in order +:\n%s", runbook, d)
	}
}

// The runbook's table has each metric, its unit and what it means, as internal/platform/metrics has them.
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

// Each metric is made of lines that some code writes, with the attributes that it looks at.
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

// literals are the texts in the code that runs in functions, but for the list of metrics.
func literals(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for _, dir := range []string{"functions", "examples", "internal", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				strings.HasSuffix(filepath.Dir(path), "test") || filepath.Base(filepath.Dir(path)) == "metrics" {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil {
						all[s] = true
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
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
	resources := keys(get(n, "Resources"))
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
