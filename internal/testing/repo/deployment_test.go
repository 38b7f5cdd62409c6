package repo

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/webhook/reconcile"
)

// Enter answers each question of sam deploy --guided, with a value that works in a new account.
func TestDefaults(t *testing.T) {
	t.Parallel()
	n := template(t)
	parameters := get(n, "Parameters")
	for _, name := range keysOf(parameters) {
		if !slices.Contains(keysOf(get(parameters, name)), "Default") {
			t.Errorf("parameter %s has no default", name)
		}
		if pattern := text(get(parameters, name, "AllowedPattern")); pattern != "" {
			ok, err := regexp.MatchString(pattern, text(get(parameters, name, "Default")))
			if !ok || err != nil {
				t.Errorf("parameter %s: its own pattern refuses the default: %v", name, err)
			}
		}
	}
	for name, want := range map[string]string{
		"ProcoreEnvironment": "sandbox", "DeletionProtection": "false", "ReservedConcurrency": "0", "AlarmEmail": "",
	} {
		if got := text(get(parameters, name, "Default")); got != want {
			t.Errorf("default of %s: %q, want %q", name, got, want)
		}
	}
	groups := make(map[string]int)
	for _, g := range items(get(n, "Metadata", "AWS::CloudFormation::Interface", "ParameterGroups")) {
		for _, name := range texts(get(g, "Parameters")) {
			groups[name]++
		}
	}
	for _, name := range keysOf(parameters) {
		if groups[name] != 1 {
			t.Errorf("parameter %s is in %d groups, want 1", name, groups[name])
		}
	}
	// With it --guided ends with "Deploy this changeset? [y/N]", where Enter means no.
	if strings.Contains(read(t, "samconfig.toml"), "confirm_changeset") {
		t.Error("samconfig.toml has confirm_changeset: Enter at each question deploys nothing")
	}
}

// The command that needs the client secret reads it from the file that the setup page names. An argument would stay in
// the shell's history.
func TestSetAppSecretCommand(t *testing.T) {
	t.Parallel()
	command, _ := get(template(t), "Outputs", "SetAppSecretCommand", "Value").(tagged)
	const file = " --secret-string file://value.json"
	if !strings.HasSuffix(strings.TrimSpace(text(command.value)), file) {
		t.Errorf("SetAppSecretCommand: %s", text(command.value))
	}
	if !strings.Contains(read(t, "internal/connect/pages/templates/setup.html"), file) {
		t.Error("the setup page names another file")
	}
}

// The resources with tokens, or with the keys to them, outlive the stack. A stack that could not be created leaves none.
func TestRetained(t *testing.T) {
	t.Parallel()
	n := template(t)
	for _, name := range []string{"GrantsTable", "ConnectionsTable", "SpendsTable", "KeysSecret", "WebhookSecret", "LinkSecret", "RescueQueue", "RescueDeadLetterQueue"} {
		if got := text(get(n, "Resources", name, "DeletionPolicy")); got != "RetainExceptOnCreate" {
			t.Errorf("%s: DeletionPolicy %q", name, got)
		}
		if got := text(get(n, "Resources", name, "UpdateReplacePolicy")); got != "Retain" {
			t.Errorf("%s: UpdateReplacePolicy %q", name, got)
		}
	}
}

// A short poll asks some of a queue's servers and may miss a few messages. Housekeeping would believe the queue empty.
func TestRescueQueueIsAskedWhole(t *testing.T) {
	t.Parallel()
	if got := text(get(template(t), "Resources", "RescueQueue", "Properties", "ReceiveMessageWaitTimeSeconds")); got == "" || got == "0" {
		t.Errorf("ReceiveMessageWaitTimeSeconds: %q, want a long poll", got)
	}
}

// An ARN of the partition aws would not work in the regions of the federal zone.
func TestPartition(t *testing.T) {
	t.Parallel()
	for i, line := range strings.Split(read(t, "template.yaml"), "\n") {
		if strings.Contains(line, "arn:aws:") {
			t.Errorf("template.yaml:%d: %s, want ${AWS::Partition}", i+1, strings.TrimSpace(line))
		}
	}
}

// A 429 to a webhook pauses the hook, and a 429 to a start saves a row. A stage depends on the routes in its settings.
func TestThrottling(t *testing.T) {
	t.Parallel()
	stage := get(template(t), "Resources", "HttpApiStage")
	rate := func(n node) float64 { return settings{}.number(t, get(n, "ThrottlingRateLimit")) }
	usual := rate(get(stage, "Properties", "DefaultRouteSettings"))
	routes := get(stage, "Properties", "RouteSettings")
	if start, webhook := rate(get(routes, "GET /oauth/start")), rate(get(routes, "POST /webhooks/procore")); start >= usual || webhook < 10*usual {
		t.Errorf("requests per second: start %v, pages %v, webhooks %v", start, usual, webhook)
	}
	if slash := rate(get(routes, "POST /webhooks/{proxy+}")); slash < 10*usual {
		t.Errorf("webhooks to an address with a trailing slash: %v a second", slash)
	}
	if got := texts(get(stage, "DependsOn")); !slices.Contains(got, "StartRoute") || !slices.Contains(got, "WebhookRoute") || len(keysOf(routes)) != len(got) {
		t.Errorf("the stage depends on %v, want the routes of its settings", got)
	}
}

// The next run continues where a failed run stopped. A retry would only overlap with it.
func TestSchedulesDoNotRetry(t *testing.T) {
	t.Parallel()
	n := template(t)
	schedules := 0
	for _, e := range triggers(n) {
		if e.kind != "ScheduleV2" {
			continue
		}
		schedules++
		if got := text(get(e.properties, "RetryPolicy", "MaximumRetryAttempts")); got != "0" {
			t.Errorf("%s: %q attempts, want 0", e.name, got)
		}
		// Without a role SAM makes one; with a name no second stack could be deployed beside the first.
		if get(e.properties, "RoleArn") != node(tagged{"GetAtt", "ScheduleRole.Arn"}) || text(get(e.properties, "OmitName")) != "true" {
			t.Errorf("%s: role %v, OmitName %v", e.name, get(e.properties, "RoleArn"), get(e.properties, "OmitName"))
		}
	}
	if schedules != 3 {
		t.Errorf("%d schedules, want 3", schedules)
	}
	for _, function := range []string{"RefresherFunction", "ReconcilerFunction"} {
		if got := text(get(n, "Resources", function, "Properties", "EventInvokeConfig", "MaximumRetryAttempts")); got != "0" {
			t.Errorf("Lambda retries a run of %s %q times, want 0", function, got)
		}
	}
}

// Each period that the template offers is one that the function reads, and the alarm waits for it and an hour more. With
// off no run is expected.
func TestReconcilePeriods(t *testing.T) {
	t.Parallel()
	n := template(t)
	periods := get(n, "Mappings", "ReconcilePeriods")
	allowed := texts(get(n, "Parameters", "ReconcilePeriod", "AllowedValues"))
	if d := cmp.Diff(keysOf(periods), allowed); d != "" {
		t.Errorf("mapping - allowed values +:\n%s", d)
	}
	for _, name := range allowed {
		d, err := time.ParseDuration(text(get(periods, name, "Duration")))
		if err != nil {
			t.Fatal(err)
		}
		if name == "off" {
			if d != 0 {
				t.Errorf("off is a period of %v", d)
			}
			continue
		}
		env := config.New(func(string) string { return text(get(periods, name, "Duration")) })
		if got := reconcile.ReadConfig(env).Period; got != d || name != text(get(periods, name, "Duration")) {
			t.Errorf("the function reads %v of the period %s", got, name)
		}
		if got, want := text(get(periods, name, "BehindSeconds")), fmt.Sprint((d + time.Hour).Seconds()); got != want {
			t.Errorf("%s: the alarm waits for %s seconds, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{"ReconcileCallsPerOwner": "60", "ReconcileCallsPerApp": "600"} {
		if got := text(get(n, "Parameters", name, "Default")); got != want {
			t.Errorf("default of %s is %q, want %s as in the code", name, got, want)
		}
	}
	for place, want := range map[string]node{
		"State of the schedule":                  get(triggerOf(t, n, "ReconcilerFunction", "Reconcile"), "State"),
		"ReconcileOverdueAlarm TreatMissingData": get(n, "Resources", "ReconcileOverdueAlarm", "Properties", "TreatMissingData"),
	} {
		if f, ok := want.(tagged); !ok || f.tag != "If" || text(items(f.value)[0]) != "Reconciles" {
			t.Errorf("%s is %v, want it to depend on Reconciles", place, want)
		}
	}
}

// Every function has tracing, a retention of its log, and the memory and timeout that docs/DEPLOY.md explains.
func TestFunctions(t *testing.T) {
	t.Parallel()
	n := template(t)
	if got := get(n, "Globals", "Function", "Tracing"); got != node(tagged{"Ref", "Tracing"}) {
		t.Errorf("tracing: %v", got)
	}
	log, _ := get(n, "Globals", "Function", "LoggingConfig", "LogGroup").(tagged)
	if get(n, "Resources", text(log.value), "Properties", "RetentionInDays") != node(tagged{"Ref", "LogRetentionDays"}) {
		t.Errorf("the functions' log group %v has no retention", log)
	}
	doc := read(t, "docs/DEPLOY.md")
	for _, name := range functions {
		p := get(n, "Resources", name, "Properties")
		if get(p, "LoggingConfig") != nil {
			t.Errorf("%s has a log group besides that of all functions", name)
		}
		row := regexp.MustCompile(`(?m)^\| [^|]*` + strings.TrimSuffix(name, "Function") + `[^|]* \| ` + text(get(p, "Timeout")) + ` s \|`)
		if !row.MatchString(doc) {
			t.Errorf("docs/DEPLOY.md lacks %s with its timeout of %s s", name, text(get(p, "Timeout")))
		}
	}
	if memory := text(get(n, "Globals", "Function", "MemorySize")); !strings.Contains(doc, "All functions have "+memory+" MB") {
		t.Errorf("docs/DEPLOY.md does not state that functions have %s MB", memory)
	}
}

// No function can have more memory than that of one whole core, because GOMAXPROCS has each use no more than one.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
func TestOneCore(t *testing.T) {
	t.Parallel()
	const whole = 1769 // MB
	n := template(t)
	if got := text(get(n, "Globals", "Function", "Environment", "Variables", processors)); got != "1" {
		t.Errorf("%s is %q, want 1", processors, got)
	}
	sizes := list{get(n, "Globals", "Function", "MemorySize")}
	for _, name := range functions {
		switch own := get(n, "Resources", name, "Properties", "MemorySize").(type) {
		case nil:
		case tagged:
			allowed := items(get(n, "Parameters", text(own.value), "AllowedValues"))
			if allowed == nil {
				t.Errorf("%s may have any memory", name)
			}
			sizes = append(sizes, allowed...)
		default:
			sizes = append(sizes, own)
		}
	}
	for _, size := range sizes {
		if mb, err := strconv.Atoi(text(size)); err != nil || mb > whole {
			t.Errorf("a function may have %v MB, and uses one core", size)
		}
	}
}

// A new account has ten executions at once for all functions, and none can be reserved. docs/DEPLOY.md divides them with
// ConsumerConcurrency=2, and the template's own limits keep to that, so that the receiver is not the one that is throttled.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	const account, receiver = 10, 2
	n := template(t)
	number := func(n node) int {
		v, err := strconv.Atoi(text(n))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	most := map[string]int{"WebhookReceiver": receiver}
	for _, e := range triggers(n) {
		function := strings.TrimSuffix(e.function, "Function")
		if e.function == pythonConsumer {
			continue // in place of EventConsumer
		}
		switch e.kind {
		case "SQS":
			most[function] += int(settings{"ConsumerConcurrency": "2"}.number(t, get(e.properties, "ScalingConfig", "MaximumConcurrency")))
		case "DynamoDB":
			most[function] += number(get(e.properties, "ParallelizationFactor")) // of one shard
		case "ScheduleV2":
			most[function]++
		default:
			t.Errorf("%s has an event of the type %s, whose executions this test cannot count", e.function, e.kind)
		}
	}
	sum := 0
	doc := read(t, "docs/DEPLOY.md")
	for function, executions := range most {
		sum += executions
		if row := fmt.Sprintf("| %d | %s |", executions, function); !strings.Contains(doc, row) {
			t.Errorf("docs/DEPLOY.md lacks the row %s", row)
		}
	}
	if sum > account {
		t.Errorf("%d executions at once, and %d of them for the receiver: %v; a new account has %d", sum, receiver, most, account)
	}
}
