package repo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../../.."

// functions maps the directory of a package to its function in template.yaml.
var functions = map[string]string{
	"functions/oauth-callback":   "OAuthCallbackFunction",
	"functions/company-select":   "CompanySelectFunction",
	"functions/webhook-receiver": "WebhookReceiverFunction",
	"functions/refresher":        "RefresherFunction",
	"examples/event-consumer":    "EventConsumerFunction",
}

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

// ofType returns the names of the resources of a type.
func ofType(t *testing.T, n node, kind string) (names []string) {
	t.Helper()
	resources := get(n, "Resources")
	for _, name := range keysOf(resources) {
		if text(get(resources, name, "Type")) == kind {
			names = append(names, name)
		}
	}
	if names == nil {
		t.Fatalf("template.yaml has no %s", kind)
	}
	return names
}

// routes returns the function of each route.
func routes(t *testing.T) map[string]string {
	t.Helper()
	n := template(t)
	all := make(map[string]string)
	for _, name := range ofType(t, n, "AWS::ApiGatewayV2::Route") {
		target, _ := get(n, "Resources", name, "Properties", "Target").(tagged)
		integration := strings.TrimSuffix(strings.TrimPrefix(text(target.value), "integrations/${"), "}")
		uri, _ := get(n, "Resources", integration, "Properties", "IntegrationUri").(tagged)
		all[text(get(n, "Resources", name, "Properties", "RouteKey"))] = strings.TrimSuffix(text(uri.value), ".Arn")
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
	makefile := read(t, "Makefile")
	n := template(t)
	for dir, name := range functions {
		if got := text(get(n, "Resources", name, "Metadata", "BuildMethod")); got != "makefile" {
			t.Errorf("%s: BuildMethod %q, want makefile", name, got)
		}
		if want := "\nbuild-" + name + ":\n\t$(call compile," + dir + ",$(ARTIFACTS_DIR))\n"; !strings.Contains(makefile, want) {
			t.Errorf("the Makefile lacks %s", want)
		}
	}
	if got, want := len(ofType(t, n, "AWS::Serverless::Function")), len(functions); got != want {
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
	for _, name := range []string{"KeysSecret", "WebhookSecret"} {
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
// tracing are not limited to resources.
func TestRoles(t *testing.T) {
	t.Parallel()
	n := template(t)
	tracing := get(n, "Resources", "TracingPolicy", "Properties", "PolicyDocument", "Statement")
	if got := len(ofType(t, n, "AWS::IAM::ManagedPolicy")); got != 1 || len(items(tracing)) != 1 {
		t.Fatalf("%d managed policies, want one, of tracing, with one statement", got)
	}
	if d := cmp.Diff(texts(get(items(tracing)[0], "Action")), []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}); d != "" {
		t.Errorf("actions of tracing (-got +want):\n%s", d)
	}
	may := make(map[string][]string)
	for _, role := range ofType(t, n, "AWS::IAM::Role") {
		policies, _ := get(n, "Resources", role, "Properties", "Policies").(list)
		for _, p := range policies {
			statements, _ := get(p, "PolicyDocument", "Statement").(list)
			for _, s := range statements {
				may[role] = append(may[role], texts(get(s, "Action"))...)
				for _, r := range texts(get(s, "Resource")) {
					if strings.Contains(r, "*") {
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
	want := []string{"dynamodb:PutItem", "dynamodb:UpdateItem", "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue"}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("the receiver's actions (-got +want):\n%s", d)
	}
}

// The pipe sends only new events, in order. It tries again, and keeps an event that it cannot send.
func TestHandingOn(t *testing.T) {
	t.Parallel()
	n := template(t)
	stream := []string{"Resources", "EventsPipe", "Properties", "SourceParameters", "DynamoDBStreamParameters"}
	target := []string{"Resources", "EventsPipe", "Properties", "TargetParameters"}
	queue := []string{"Resources", "EventsQueue", "Properties"}
	for _, tt := range []struct {
		at   []string
		key  string
		want string
	}{
		{stream, "BatchSize", "1"},             // more would lose the order of a resource
		{stream, "ParallelizationFactor", "1"}, // likewise
		{stream, "StartingPosition", "TRIM_HORIZON"},
		{stream, "OnPartialBatchItemFailure", "AUTOMATIC_BISECT"},
		{stream, "MaximumRecordAgeInSeconds", "86400"},
		{stream, "MaximumRetryAttempts", "-1"}, // without a limit, however quickly the queue refuses
		{target, "InputTemplate", "<$.dynamodb.NewImage.envelope.S>"},
		{append(target, "SqsQueueParameters"), "MessageGroupId", "$.dynamodb.NewImage.group_id.S"},
		{append(target, "SqsQueueParameters"), "MessageDeduplicationId", "$.dynamodb.NewImage.dedup_id.S"},
		{[]string{"Resources", "EventConsumerMapping", "Properties"}, "BatchSize", "1"}, // more would fail the events behind a failed one too
		{queue, "FifoQueue", "true"},
		{queue, "DeduplicationScope", "messageGroup"},
		{queue, "FifoThroughputLimit", "perMessageGroupId"},
		{queue, "MessageRetentionPeriod", "1209600"},
	} {
		if got := text(get(get(n, tt.at...), tt.key)); got != tt.want {
			t.Errorf("%s of %s is %q, want %q", tt.key, tt.at[1], got, tt.want)
		}
	}
	if get(get(n, stream...), "DeadLetterConfig") == nil {
		t.Error("the pipe has no queue for dead letters")
	}
	filters, _ := get(n, "Resources", "EventsPipe", "Properties", "SourceParameters", "FilterCriteria", "Filters").(list)
	if want := `{"eventName":["INSERT"],"dynamodb":{"NewImage":{"envelope":{"S":[{"exists":true}]}}}}`; len(filters) != 1 || text(get(filters[0], "Pattern")) != want {
		t.Errorf("the pipe's filters are %v, want %s", filters, want)
	}
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
