package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
)

// TestMain compares the policies of docs/policies with the calls that the tests made: each call is allowed, and nothing
// else. If not all tests ran, only the first is compared. UPDATE=1 go test ./cmd/procore-connect writes the policies again.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if problems := policies.compare(flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""); problems != "" {
			fmt.Println("--- FAIL: policies of the operator\n" + problems)
			code = 1
		}
	}
	os.Exit(code)
}

// verbCalls are the calls of all worlds.
type verbCalls struct {
	mu                   sync.Mutex
	read, write, restore map[permission]bool // the last two without those of the ones before
	unknown              map[string]bool
}

var policies = &verbCalls{read: map[permission]bool{}, write: map[permission]bool{}, restore: map[permission]bool{}, unknown: map[string]bool{}}

// permission is one action on one resource, as a policy names it.
type permission struct{ action, resource string }

// refreshes are verbs that change nothing that a person would ask about, but may refresh a token.
var refreshes = []string{"procore-connect call", "procore-connect service-account"}

// restoreVerb has its own policy, so that an operator who changes something every day can neither copy a table nor delete one.
const restoreVerb = "procore-connect restore"

// verbOf returns what is typed, and whether it needs the right to write.
func verbOf(args []string) (verb string, writes bool) {
	c, _, err := new(session).root(func(string) string { return "" }).Find(args)
	if err != nil {
		return "", false
	}
	return c.CommandPath(), c.Flags().Lookup("yes") != nil || slices.Contains(refreshes, c.CommandPath())
}

// add records the calls of a verb.
func (v *verbCalls) add(args []string, calls []awstest.Call) {
	verb, writes := verbOf(args)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range calls {
		resource, ok := resourceOf(c)
		switch {
		case c.Caller != "operator" || c.Action == "sts:GetCallerIdentity" || resource == "": // the second one needs no permission
			continue
		case !ok:
			v.unknown[c.Action+" "+c.Resource] = true
			continue
		}
		to := v.read
		switch {
		case verb == restoreVerb:
			to = v.restore
		case writes:
			to = v.write
		}
		for _, action := range append([]string{c.Action}, implied[c.Action]...) {
			to[permission{action, resource}] = true
		}
	}
}

// implied are actions that AWS needs for another one.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
var implied = map[string][]string{
	"sqs:StartMessageMoveTask": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
}

// rare are permissions that no test of a verb uses. Without them a bad day would be worse: a token that Procore was not
// reached for stays in the ledger, a pair that the table refuses is lost, and a discarded event is not recovered.
var rare = map[permission]bool{
	{"dynamodb:DeleteItem", tableARN("Spends")}: true, {"dynamodb:UpdateItem", tableARN("Spends")}: true,
	{"dynamodb:ConditionCheckItem", tableARN("Grants")}: true,
	{"dynamodb:PutItem", tableARN("Inbox")}:             true, {"dynamodb:UpdateItem", tableARN("Inbox")}: true,
	{"sqs:SendMessage", "arn:${Partition}:sqs:${Region}:${Account}:${Stack}-RescueQueue-*"}: true,
	{"sqs:SendMessage", "arn:${Partition}:sqs:${Region}:${Account}:${Stack}-EventsQueue-*"}: true, // to which SQS moves them
}

func tableARN(id string) string {
	return "arn:${Partition}:dynamodb:${Region}:${Account}:table/${Stack}-" + id + "Table-*"
}

// logical maps the names of the stand-ins to logical ids of template.yaml.
var logical = map[string]string{
	"grants": "GrantsTable", "connections": "ConnectionsTable", "spends": "SpendsTable", "sessions": "SessionsTable", "inbox": "InboxTable",
	"rescue": "RescueQueue", "rescue-dead": "RescueDeadLetterQueue", "events.fifo": "EventsQueue", "events-dead.fifo": "EventsDeadLetterQueue",
	"dispatch-dead": "DispatcherDeadLetterQueue", "announce-dead": "AnnouncerDeadLetterQueue",
	"connections-topic": "ConnectionsTopic", "none": "AlarmsTopic",
	"oauth-callback": "OAuthCallback", "company-select": "CompanySelect", "webhook-receiver": "WebhookReceiver", "dispatcher": "Dispatcher",
	"announcer": "Announcer", "refresher": "Refresher", "reconciler": "Reconciler", "access-token": "AccessToken", "event-consumer": "EventConsumer", "local/functions": "Functions", "local/operator": "Operator",
}

// resourceOf returns the resource of a call as a policy names it, and reports whether it is one of the stack.
func resourceOf(c awstest.Call) (string, bool) {
	service, _, _ := strings.Cut(c.Action, ":")
	named := func(service, kind, local, suffix string) (string, bool) {
		id, ok := logical[local]
		return "arn:${Partition}:" + service + ":${Region}:${Account}:" + kind + "${Stack}-" + id + suffix, ok
	}
	switch service {
	case "cloudwatch":
		return "*", true
	case "cloudformation":
		return "arn:${Partition}:cloudformation:${Region}:${Account}:stack/${Stack}/*", true
	case "secretsmanager": // CloudFormation does not put the stack's name into a secret's
		return "arn:${Partition}:secretsmanager:${Region}:${Account}:secret:*", true
	case "lambda":
		return named(service, "function:", c.Resource, "Function-*")
	case "dynamodb":
		table, index, indexed := strings.Cut(c.Resource, "/index/")
		if source, _, copied := strings.Cut(table, "-restored-"); copied { // no name of CloudFormation has that
			source, _, _ = strings.Cut(source, "-")
			return named(service, "table/", source, "-*-restored-*")
		}
		table, _, _ = strings.Cut(table, "-")
		if indexed {
			return named(service, "table/", table, "-*/index/"+index)
		}
		return named(service, "table/", table, "-*")
	case "sqs":
		return named(service, "", c.Resource, "-*")
	case "sns":
		return named(service, "", c.Resource, "-*")
	case "logs":
		switch {
		case c.Resource == "":
			return "*", true
		case c.Resource == stack.LogGroup("http-api"):
			return "arn:${Partition}:logs:${Region}:${Account}:log-group:/aws/vendedlogs/${Stack}/http-api:*", true
		case !strings.HasPrefix(c.Resource, stack.StackName+"/"): // that of --log-group, in another stack
			return "", true
		}
		return named(service, "log-group:", c.Resource, "Log-*")
	}
	return "", false
}

// statement is one of a policy.
type statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

// document returns the policy of these permissions. Resources with the same actions share a statement.
func document(permissions map[permission]bool) string {
	actions := map[string][]string{}
	for p := range permissions {
		actions[p.resource] = append(actions[p.resource], p.action)
	}
	resources := map[string][]string{}
	for resource, of := range actions {
		slices.Sort(of)
		resources[strings.Join(of, " ")] = append(resources[strings.Join(of, " ")], resource)
	}
	policy := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	for _, of := range slices.Sorted(maps.Keys(resources)) {
		slices.Sort(resources[of])
		s := statement{Effect: "Allow", Action: strings.Fields(of), Resource: resources[of]}
		if strings.HasPrefix(of, "secretsmanager:") {
			s.Condition = map[string]map[string]string{"StringEquals": {"aws:ResourceTag/aws:cloudformation:stack-name": "${Stack}"}}
		}
		policy.Statement = append(policy.Statement, s)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(policy); err != nil {
		panic(err)
	}
	return b.String()
}

// allowed returns the permissions of a policy.
func allowed(text string) (map[permission]bool, error) {
	var policy struct{ Statement []statement }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, err
	}
	all := map[permission]bool{}
	for _, s := range policy.Statement {
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				all[permission{action, resource}] = true
			}
		}
	}
	return all, nil
}

// compare returns what is wrong with the policies. The writing one is attached beside the reading one, and that of restore
// beside both.
func (v *verbCalls) compare(whole bool) string {
	var problems strings.Builder
	for _, name := range slices.Sorted(maps.Keys(v.unknown)) {
		fmt.Fprintf(&problems, "%s is a resource that this test cannot name\n", name)
	}
	maps.Copy(v.write, rare)
	v.read[permission{"logs:StopQuery", "*"}] = true // no test of a verb gives a search of the logs up, which costs money until it ends
	// It may be deployed in place of the consumer in Go.
	v.read[permission{"lambda:GetFunctionConfiguration", "arn:${Partition}:lambda:${Region}:${Account}:function:${Stack}-PythonConsumerFunction-*"}] = true
	maps.DeleteFunc(v.write, func(p permission, _ bool) bool { return v.read[p] })
	maps.DeleteFunc(v.restore, func(p permission, _ bool) bool { return v.read[p] || v.write[p] })
	for file, made := range map[string]map[permission]bool{"operator-read.json": v.read, "operator-write.json": v.write, "operator-restore.json": v.restore} {
		path := "../../docs/policies/" + file
		if whole && os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, []byte(document(made)), 0o644); err != nil {
				fmt.Fprintln(&problems, err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintln(&problems, err)
			continue
		}
		if whole {
			if d := cmp.Diff(string(text), document(made)); d != "" {
				fmt.Fprintf(&problems, "%s is not what the verbs call (-policy +calls); UPDATE=1 go test ./cmd/procore-connect writes it:\n%s", path, d)
			}
			continue
		}
		all, err := allowed(string(text))
		if err != nil {
			fmt.Fprintf(&problems, "%s: %v\n", path, err)
		}
		for p := range made {
			if !all[p] && !(file != "operator-read.json" && allowedBy("operator-read.json", p)) && !(file == "operator-restore.json" && allowedBy("operator-write.json", p)) {
				fmt.Fprintf(&problems, "%s does not allow %s on %s\n", path, p.action, p.resource)
			}
		}
	}
	return problems.String()
}

// allowedBy reports whether a policy allows it.
func allowedBy(file string, p permission) bool {
	text, err := os.ReadFile("../../docs/policies/" + file)
	if err != nil {
		return false
	}
	all, err := allowed(string(text))
	return err == nil && all[p]
}
