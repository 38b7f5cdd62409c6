package repo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/upkeep/announce"
	"procore-connect/internal/webhook/dispatch"
)

const root = "../../.."

// functions maps the directory of a package to its function in template.yaml.
var functions = map[string]string{
	"functions/oauth-callback":   "OAuthCallbackFunction",
	"functions/company-select":   "CompanySelectFunction",
	"functions/webhook-receiver": "WebhookReceiverFunction",
	"functions/dispatcher":       "DispatcherFunction",
	"functions/announcer":        "AnnouncerFunction",
	"functions/refresher":        "RefresherFunction",
	"functions/reconciler":       "ReconcilerFunction",
	"functions/access-token":     "AccessTokenFunction",
	"examples/event-consumer":    "EventConsumerFunction",
}

// pythonConsumer takes the place of EventConsumerFunction.
const pythonConsumer = "PythonConsumerFunction"

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func template(t *testing.T) node {
	t.Helper()
	n, err := parseYAML(read(t, "template.yaml"))
	if err != nil {
		t.Fatalf("template.yaml: %v", err)
	}
	return n
}

// get follows keys into mappings. A missing value is nil.
func get(n node, keys ...string) node {
	for _, key := range keys {
		m, ok := n.(*mapping)
		if !ok {
			return nil
		}
		n = m.values[key]
	}
	return n
}

func text(n node) string {
	s, _ := n.(string)
	return s
}

func keysOf(n node) []string {
	m, ok := n.(*mapping)
	if !ok {
		return nil
	}
	return m.keys
}

// ofType returns the names of the resources of a type, of which there is one at least.
func ofType(t *testing.T, n node, kind string) []string {
	t.Helper()
	names := ofTypeOrNone(n, kind)
	if names == nil {
		t.Fatalf("template.yaml has no %s", kind)
	}
	return names
}

func ofTypeOrNone(n node, kind string) (names []string) {
	resources := get(n, "Resources")
	for _, name := range keysOf(resources) {
		if text(get(resources, name, "Type")) == kind {
			names = append(names, name)
		}
	}
	return names
}

// trigger is an event of a function, which SAM expands to a schedule or a mapping.
type trigger struct {
	function, name, kind string
	properties           node
}

// triggers returns the functions' events.
func triggers(n node) (all []trigger) {
	resources := get(n, "Resources")
	for _, function := range keysOf(resources) {
		events := get(resources, function, "Properties", "Events")
		for _, name := range keysOf(events) {
			e := get(events, name)
			all = append(all, trigger{function, name, text(get(e, "Type")), get(e, "Properties")})
		}
	}
	return all
}

// triggerOf returns the properties of the function's event of a name.
func triggerOf(t *testing.T, n node, function, name string) node {
	t.Helper()
	p := get(n, "Resources", function, "Properties", "Events", name, "Properties")
	if p == nil {
		t.Fatalf("%s has no event %s", function, name)
	}
	return p
}

// alias is behind the ARN of a function that the API invokes.
const alias = ".Arn}:live"

// routes returns the function of each route.
func routes(t *testing.T) map[string]string {
	t.Helper()
	n := template(t)
	all := make(map[string]string)
	for _, name := range ofType(t, n, "AWS::ApiGatewayV2::Route") {
		target, _ := get(n, "Resources", name, "Properties", "Target").(tagged)
		integration := strings.TrimSuffix(strings.TrimPrefix(text(target.value), "integrations/${"), "}")
		uri, _ := get(n, "Resources", integration, "Properties", "IntegrationUri").(tagged)
		all[text(get(n, "Resources", name, "Properties", "RouteKey"))] = strings.TrimSuffix(strings.TrimPrefix(text(uri.value), "${"), alias)
	}
	return all
}

// The template has these routes. So has the local stack, whose tests click through them.
func TestRoutes(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"GET /":                   "OAuthCallbackFunction",
		"GET /oauth/start":        "OAuthCallbackFunction",
		"GET /oauth/callback":     "OAuthCallbackFunction",
		"GET /companies":          "CompanySelectFunction",
		"POST /companies":         "CompanySelectFunction",
		"GET /connected":          "CompanySelectFunction",
		"POST /webhooks/procore":  "WebhookReceiverFunction",
		"POST /webhooks/{proxy+}": "WebhookReceiverFunction",
		"HEAD /webhooks/procore":  "WebhookReceiverFunction",
		"HEAD /webhooks/{proxy+}": "WebhookReceiverFunction",
		"$default":                "OAuthCallbackFunction",
		"HEAD /companies":         "CompanySelectFunction",
		"HEAD /connected":         "CompanySelectFunction",
		"POST /connected":         "CompanySelectFunction",
		"GET /return":             "CompanySelectFunction",
		"POST /links/redeem":      "CompanySelectFunction",
	}
	if d := cmp.Diff(routes(t), want); d != "" {
		t.Errorf("routes of template.yaml (-got +want):\n%s", d)
	}
}

// sam local start-api finds the routes only if the API is the first resource that it knows.
func TestAPIIsBeforeFunctions(t *testing.T) {
	t.Parallel()
	n := template(t)
	names := keysOf(get(n, "Resources"))
	if got := text(get(n, "Resources", names[0], "Type")); got != "AWS::ApiGatewayV2::Api" {
		t.Errorf("the first resource is %s, an %s, want the AWS::ApiGatewayV2::Api", names[0], got)
	}
}

// A target of the Makefile builds every function from its own package.
func TestBuildTargets(t *testing.T) {
	t.Parallel()
	// CONSUMER names the consumer's package.
	makefile := strings.ReplaceAll(read(t, "Makefile"), "$(CONSUMER),", "examples/event-consumer,")
	if !strings.Contains(makefile, "\nCONSUMER ?= examples/event-consumer\n") {
		t.Error("the Makefile has another consumer than examples/event-consumer")
	}
	n := template(t)
	for dir, name := range functions {
		if got := text(get(n, "Resources", name, "Metadata", "BuildMethod")); got != "makefile" {
			t.Errorf("%s: BuildMethod %q, want makefile", name, got)
		}
		if want := "\nbuild-" + name + ":\n\t$(call compile," + dir + ",$(ARTIFACTS_DIR))\n"; !strings.Contains(makefile, want) {
			t.Errorf("the Makefile lacks %s", want)
		}
	}
	if want := "\nbuild-" + pythonConsumer + ":\n\tcp examples/consumer-python/*.py \"$(ARTIFACTS_DIR)\"\n"; !strings.Contains(makefile, want) {
		t.Errorf("the Makefile lacks %s", want)
	}
	if got, want := len(ofType(t, n, "AWS::Serverless::Function")), len(functions)+1; got != want {
		t.Errorf("template.yaml has %d functions, want %d", got, want)
	}
}

// Another way to generate a key would make every sealed pair unreadable.
func TestGeneratedSecretsNeverChange(t *testing.T) {
	t.Parallel()
	n := template(t)
	want := &mapping{
		[]string{"SecretStringTemplate", "GenerateStringKey", "ExcludePunctuation", "PasswordLength"},
		map[string]node{
			"SecretStringTemplate": `{"current":"k1"}`, "GenerateStringKey": "k1", "ExcludePunctuation": "true", "PasswordLength": "64",
		},
	}
	for _, name := range []string{"KeysSecret", "WebhookSecret", "LinkSecret"} {
		got := get(n, "Resources", name, "Properties", "GenerateSecretString")
		if d := cmp.Diff(got, node(want), cmp.AllowUnexported(mapping{})); d != "" {
			t.Errorf("%s (-got +want):\n%s", name, d)
		}
		if got := text(get(n, "Resources", name, "DeletionPolicy")); got != "RetainExceptOnCreate" {
			t.Errorf("%s: DeletionPolicy %q, want RetainExceptOnCreate", name, got)
		}
	}
}

// The receiver can read neither a connection nor the client secret, and no role may do everything. Only the actions of
// tracing, and with which CodeDeploy reads the alarms, are not limited to resources. What all functions may is in one policy, and
// every role can be limited.
func TestRoles(t *testing.T) {
	t.Parallel()
	n := template(t)
	if got := len(ofType(t, n, "AWS::IAM::ManagedPolicy")); got != 1 {
		t.Fatalf("%d managed policies, want one", got)
	}
	var shared []string
	for _, s := range items(get(n, "Resources", "FunctionPolicy", "Properties", "PolicyDocument", "Statement")) {
		if f, ok := s.(tagged); ok && f.tag == "If" { // of the key; TestKey
			s = items(f.value)[1]
		}
		shared = append(shared, strings.Join(append(texts(get(s, "Action")), texts(get(s, "Resource"))...), " "))
	}
	if d := cmp.Diff(shared, []string{
		"logs:CreateLogStream logs:PutLogEvents FunctionsLog.Arn", "xray:PutTraceSegments xray:PutTelemetryRecords *",
		"kms:Decrypt kms:GenerateDataKey KmsKeyArn",
	}); d != "" {
		t.Errorf("what all functions may (-got +want):\n%s", d)
	}
	for _, name := range functions {
		role, _ := get(n, "Resources", name, "Properties", "Role").(tagged)
		if got := texts(get(n, "Resources", strings.TrimSuffix(text(role.value), ".Arn"), "Properties", "ManagedPolicyArns")); !slices.Equal(got, []string{"FunctionPolicy"}) {
			t.Errorf("managed policies of %s: %v", name, got)
		}
	}
	may, reaches := make(map[string][]string), make(map[string][]string)
	for _, role := range ofType(t, n, "AWS::IAM::Role") {
		if got := strings.Join(texts(get(n, "Resources", role, "Properties", "PermissionsBoundary")), " "); got != "HasBoundary PermissionsBoundaryArn AWS::NoValue" {
			t.Errorf("%s: PermissionsBoundary %q", role, got)
		}
		policies, _ := get(n, "Resources", role, "Properties", "Policies").(list)
		for _, p := range policies {
			statements, _ := get(p, "PolicyDocument", "Statement").(list)
			for _, s := range statements {
				may[role] = append(may[role], texts(get(s, "Action"))...)
				reaches[role] = append(reaches[role], resources(get(s, "Resource"))...)
				for _, r := range resources(get(s, "Resource")) {
					if strings.Contains(r, "*") && text(get(s, "Action")) != "cloudwatch:DescribeAlarms" {
						t.Errorf("%s: resource %s", role, r)
					}
				}
			}
		}
	}
	for role, actions := range may {
		if i := slices.IndexFunc(actions, func(a string) bool { return strings.Contains(a, "*") }); i >= 0 {
			t.Errorf("%s: action %s", role, actions[i])
		}
	}
	got := slices.Sorted(slices.Values(may["WebhookReceiverRole"]))
	want := []string{"dynamodb:PutItem", "dynamodb:UpdateItem", "secretsmanager:GetSecretValue"}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("the receiver's actions (-got +want):\n%s", d)
	}
	// What sends events cannot read grants, and neither of the two has a secret. What reconciles reaches no session.
	for role, want := range map[string][]string{
		"DispatcherRole": {"DispatcherDeadLetterQueue.Arn", "EventsQueue.Arn", "InboxTable.Arn", "InboxTable.StreamArn"},
		"AnnouncerRole":  {"AnnouncerDeadLetterQueue.Arn", "ConnectionsTable.Arn", "ConnectionsTable.StreamArn", "ConnectionsTopic", "GrantsTable.StreamArn"},
		"CompanySelectRole": {"${InboxTable.Arn}/index/by_company", "AppSecret", "ConnectionsTable.Arn", "GrantsTable.Arn",
			"KeysSecret", "LinkSecret", "RescueQueue.Arn", "SessionsTable.Arn", "SpendsTable.Arn"},
		"AccessTokenRole":    {"AppSecret", "ConnectionsTable.Arn", "GrantsTable.Arn", "KeysSecret", "RescueQueue.Arn", "SpendsTable.Arn"},
		"PythonConsumerRole": {"${AccessTokenFunction.Arn}:live", "EventsQueue.Arn"},
		"ReconcilerRole": {"${ConnectionsTable.Arn}/index/checks", "${InboxTable.Arn}/index/by_company", "AppSecret", "ConnectionsTable.Arn",
			"GrantsTable.Arn", "InboxTable.Arn", "KeysSecret", "RescueQueue.Arn", "SpendsTable.Arn", "WebhookSecret"},
	} {
		if d := cmp.Diff(slices.Compact(slices.Sorted(slices.Values(reaches[role]))), want); d != "" {
			t.Errorf("what %s reaches (-got +want):\n%s", role, d)
		}
	}
}

// The streams' mappings repeat what fails, in order, for as long as the streams keep the records, and keep the positions of
// what they drop. The stand-ins have the same filters.
func TestMappings(t *testing.T) {
	t.Parallel()
	n := template(t)
	for name, want := range map[string]struct {
		table, dead string
		filters     []string
	}{
		"DispatcherFunction Inbox":      {"InboxTable", "DispatcherDeadLetterQueue", dispatch.Filters()},
		"AnnouncerFunction Grants":      {"GrantsTable", "AnnouncerDeadLetterQueue", announce.GrantFilters()},
		"AnnouncerFunction Connections": {"ConnectionsTable", "AnnouncerDeadLetterQueue", announce.ConnectionFilters()},
	} {
		function, event, _ := strings.Cut(name, " ")
		p := triggerOf(t, n, function, event)
		for key, want := range map[string]string{
			"ParallelizationFactor":      "1", // more would keep the order per item alone
			"StartingPosition":           "TRIM_HORIZON",
			"BisectBatchOnFunctionError": "true",
			"MaximumRetryAttempts":       "-1", // without a limit, however quickly it fails
			"MaximumRecordAgeInSeconds":  "79200",
		} {
			if got := text(get(p, key)); got != want {
				t.Errorf("%s of %s is %q, want %q", key, name, got, want)
			}
		}
		if got := texts(get(p, "FunctionResponseTypes")); !slices.Equal(got, []string{"ReportBatchItemFailures"}) {
			t.Errorf("%s: response types %v", name, got)
		}
		if got := texts(get(p, "Stream")); !slices.Equal(got, []string{want.table + ".StreamArn"}) {
			t.Errorf("%s: source %v", name, got)
		}
		if got := texts(get(p, "DestinationConfig", "OnFailure", "Destination")); !slices.Equal(got, []string{want.dead + ".Arn"}) {
			t.Errorf("%s: failures go to %v", name, got)
		}
		var filters []string
		for _, f := range items(get(p, "FilterCriteria", "Filters")) {
			filters = append(filters, text(get(f, "Pattern")))
		}
		if d := cmp.Diff(filters, want.filters); d != "" {
			t.Errorf("%s: filters (-got +want):\n%s", name, d)
		}
	}
	if pipes := ofTypeOrNone(n, "AWS::Pipes::Pipe"); pipes != nil {
		t.Errorf("%v: GovCloud has no pipes", pipes)
	}
}

// The queue keeps the order of a resource's events, and many resources go through it at once.
func TestEventsQueue(t *testing.T) {
	t.Parallel()
	n := template(t)
	for key, want := range map[string]string{
		"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId", "MessageRetentionPeriod": "1209600",
	} {
		if got := text(get(n, "Resources", "EventsQueue", "Properties", key)); got != want {
			t.Errorf("%s of EventsQueue is %q, want %q", key, got, want)
		}
	}
	// More would fail the events behind a failed one too.
	consumer := triggerOf(t, n, "EventConsumerFunction", "Queue")
	if got := text(get(consumer, "BatchSize")); got != "1" {
		t.Errorf("the consumer receives %s events at once, want 1", got)
	}
	if d := cmp.Diff(triggerOf(t, n, pythonConsumer, "Queue"), consumer, cmp.AllowUnexported(mapping{}, tagged{})); d != "" {
		t.Errorf("the queue of %s - of EventConsumerFunction +:\n%s", pythonConsumer, d)
	}
}

// Of two consumers on one queue, each would get some of a resource's events: a parameter has one of them deployed at most.
// Each depends on its own condition, and the one in Python has the function that it invokes.
func TestOneConsumer(t *testing.T) {
	t.Parallel()
	n := template(t)
	deploys := func(value string) node {
		return tagged{"Equals", list{tagged{"Ref", "DeployConsumer"}, value}}
	}
	for name, want := range map[string]node{
		"HasConsumer": deploys("true"), "HasPythonConsumer": deploys("python"),
		"HasAccessToken": tagged{"Or", list{tagged{"Condition", "HasPythonConsumer"}, tagged{"Equals", list{tagged{"Ref", "DeployAccessToken"}, "true"}}}},
	} {
		if d := cmp.Diff(get(n, "Conditions", name), want, cmp.AllowUnexported(tagged{})); d != "" {
			t.Errorf("%s (-got +want):\n%s", name, d)
		}
	}
	for name, want := range map[string]string{
		"EventConsumerFunction": "HasConsumer", "EventConsumerRole": "HasConsumer", pythonConsumer: "HasPythonConsumer",
		"PythonConsumerRole": "HasPythonConsumer", "AccessTokenFunction": "HasAccessToken", "AccessTokenRole": "HasAccessToken",
	} {
		if got := text(get(n, "Resources", name, "Condition")); got != want {
			t.Errorf("%s has the condition %q, want %s", name, got, want)
		}
	}
	// RolloutRole has each function, and each alias waits for it: a function that refers to an alias would wait for itself.
	for _, name := range []string{pythonConsumer, "PythonConsumerRole"} {
		_, of, _ := strings.Cut(read(t, "template.yaml"), "\n  "+name+":")
		if of, _, _ = strings.Cut(of, "\n\n"); strings.Contains(of, "AccessTokenFunction.Alias") {
			t.Errorf("%s refers to an alias, which waits for RolloutRole and so for %s", name, pythonConsumer)
		}
	}
	if got := text(get(n, "Parameters", "DeployAccessToken", "Default")); got != "false" {
		t.Errorf("DeployAccessToken is %s by default", got)
	}
}

// Lambda would keep the answer of an asynchronous invocation for a destination, or the invocation for a dead-letter queue.
// The answer of access-token is a token, so it has neither, and no address but its own.
func TestAccessTokensGoNowhere(t *testing.T) {
	t.Parallel()
	p := get(template(t), "Resources", "AccessTokenFunction", "Properties")
	for _, key := range []string{"Events", "DeadLetterQueue", "FunctionUrlConfig"} {
		if get(p, key) != nil {
			t.Errorf("AccessTokenFunction has %s", key)
		}
	}
	if got := keysOf(get(p, "EventInvokeConfig")); !slices.Equal(got, []string{"MaximumRetryAttempts", "MaximumEventAgeInSeconds"}) {
		t.Errorf("EventInvokeConfig has %v", got)
	}
	if got := text(get(p, "EventInvokeConfig", "MaximumRetryAttempts")); got != "0" {
		t.Errorf("an asynchronous invocation is repeated %s times", got)
	}
}

// resources returns the resources of a statement, those with a condition too.
func resources(n node) (all []string) {
	if f, ok := n.(tagged); ok && f.tag == "If" {
		n = items(f.value)[1]
	}
	for _, item := range items(n) {
		all = append(all, resources(item)...)
	}
	if all == nil {
		return texts(n)
	}
	return all
}

// texts returns the string, or the strings of a list, without their tags.
func texts(n node) (all []string) {
	switch n := n.(type) {
	case string:
		return []string{n}
	case tagged:
		return texts(n.value)
	case list:
		for _, item := range n {
			all = append(all, texts(item)...)
		}
	}
	return all
}
