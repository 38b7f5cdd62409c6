package repo

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// call is a call of an AWS service by a function; TestCalls of internal/testing/stack records them.
type call struct {
	function, action, resource, key string
}

func (c call) String() string {
	return strings.TrimSpace(strings.Join([]string{c.function, c.action, c.resource, c.key}, " "))
}

// recordedCalls returns the calls of a flow that covers almost everything.
func recordedCalls(t *testing.T) (all []call) {
	t.Helper()
	for line := range strings.Lines(read(t, "internal/testing/stack/testdata/calls.txt")) {
		f := append(strings.Fields(line), "")
		if len(f) < 4 {
			t.Fatalf("not a call: %s", line)
		}
		all = append(all, call{f[0], f[1], f[2], f[3]})
	}
	if len(all) < 30 {
		t.Fatalf("only %d calls", len(all))
	}
	return all
}

// deployed maps the names of the local stack to logical ids.
var deployed = map[string]string{
	"grants": "GrantsTable", "connections": "ConnectionsTable", "spends": "SpendsTable", "sessions": "SessionsTable", "inbox": "InboxTable",
	"local/app": "AppSecret", "local/keys": "KeysSecret", "local/webhook": "WebhookSecret", "local/link": "LinkSecret", "rescue": "RescueQueue",
	"events.fifo": "EventsQueue", "connections-topic": "ConnectionsTopic",
}

// arn returns a role's name for a resource of the local stack.
func arn(local string) string {
	table, index, ok := strings.Cut(local, "/index/")
	if ok {
		return "${" + deployed[table] + ".Arn}/index/" + index
	}
	return deployed[local]
}

// permission is a statement of a function's role, with the parts of it that were used.
type permission struct {
	actions, resources []string
	comment            string
	used               map[string]bool // "action resource"
}

func (p *permission) allows(c call) bool {
	resource := arn(c.resource)
	return slices.Contains(p.actions, c.action) && slices.ContainsFunc(p.resources, func(r string) bool {
		return r == resource || r == resource+".Arn"
	})
}

// permissions returns the statements of each function's role, by the function's name in the local stack.
func permissions(t *testing.T) map[string][]*permission {
	t.Helper()
	n := template(t)
	all := make(map[string][]*permission)
	for dir, function := range functions {
		role, _ := get(n, "Resources", function, "Properties", "Role").(tagged)
		name := strings.TrimSuffix(text(role.value), ".Arn")
		comments := statementComments(t, name)
		for _, policy := range items(get(n, "Resources", name, "Properties", "Policies")) {
			for _, s := range items(get(policy, "PolicyDocument", "Statement")) {
				if text(get(s, "Effect")) != "Allow" {
					t.Fatalf("%s: a statement that does not allow", name)
				}
				if get(s, "Condition") != nil {
					t.Errorf("%s: this test cannot evaluate a condition", name)
				}
				all[path.Base(dir)] = append(all[path.Base(dir)], &permission{
					actions: texts(get(s, "Action")), resources: resources(get(s, "Resource")), comment: comments[len(all[path.Base(dir)])],
					used: make(map[string]bool),
				})
			}
		}
		if len(comments) != len(all[path.Base(dir)]) {
			t.Fatalf("%s: %d statements, but the text has %d", name, len(all[path.Base(dir)]), len(comments))
		}
	}
	return all
}

// statementComments returns the comment before each statement of a role, or "".
func statementComments(t *testing.T, role string) (all []string) {
	t.Helper()
	_, after, ok := strings.Cut(read(t, "template.yaml"), "\n  "+role+":\n")
	_, policies, ok2 := strings.Cut(after, "\n      Policies:\n")
	if !ok || !ok2 {
		t.Fatalf("no policies of %s", role)
	}
	policies = policies[:regexp.MustCompile(`\n {0,4}\S`).FindStringIndex(policies)[0]]
	for _, match := range regexp.MustCompile(`(?m)(?:^ *# (.*)\n)? *- (?:Effect: Allow$|\{Effect: Allow,)`).FindAllStringSubmatch(policies, -1) {
		all = append(all, match[1])
	}
	return all
}

// A function's role allows each of its calls. Each action that a role allows was called, or a comment at its statement
// explains it.
func TestRolesAllowTheCalls(t *testing.T) {
	t.Parallel()
	all := permissions(t)
	for _, c := range recordedCalls(t) {
		allowed := false
		for _, p := range all[c.function] {
			if p.allows(c) {
				allowed = true
				for _, r := range p.resources {
					if a := arn(c.resource); r == a || r == a+".Arn" {
						p.used[c.action+" "+r] = true
					}
				}
			}
		}
		if !allowed {
			t.Errorf("its role does not allow: %s", c)
		}
	}
	for function, statements := range all {
		for _, p := range statements {
			for _, action := range p.actions {
				for _, resource := range p.resources {
					if what := fmt.Sprint(action, " ", resource); !p.used[what] && p.comment == "" {
						t.Errorf("%s may %s, but never did, and no comment explains why", function, what)
					}
				}
			}
		}
	}
}
