package repo

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// An importRule is one of depguard in .golangci.yml.
//
// https://github.com/OpenPeeDeeP/depguard
type importRule struct {
	Files    []string
	ListMode string `yaml:"list-mode"`
	Allow    []string
	Deny     []struct{ Pkg, Desc string }
}

// importRules reads the linter's rules of the repository in dir.
func importRules(t *testing.T, dir string) map[string]importRule {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct{ Rules map[string]importRule }
			}
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	rules := config.Linters.Settings.Depguard.Rules
	for name, r := range rules {
		if r.ListMode != "" && r.ListMode != "lax" || r.ListMode == "" && r.Allow != nil || len(r.Deny) == 0 {
			t.Fatalf("rule %s is of a form that this test does not know", name)
		}
	}
	return rules
}

// applies reports whether the rule is for a file, whose path begins at the repository.
func (r importRule) applies(file string) bool {
	in := false
	for _, pattern := range r.Files {
		pattern, not := strings.CutPrefix(pattern, "!")
		if globbed(pattern).MatchString("/" + file) {
			if not {
				return false
			}
			in = true
		}
	}
	return in
}

func globbed(pattern string) *regexp.Regexp {
	switch pattern {
	case "$all":
		pattern = "**.go"
	case "$test":
		pattern = "**_test.go"
	}
	expression := strings.NewReplacer(`\*\*`, ".*", `\*`, "[^/]*").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^" + expression + "$")
}

// refuses reports whether the rule denies an import. The longest prefix decides, and $ ends a whole path.
func (r importRule) refuses(path string) bool {
	longest := func(prefixes []string) (n int) {
		for _, p := range prefixes {
			whole, exact := strings.CutSuffix(p, "$")
			if path == whole || !exact && strings.HasPrefix(path, p) {
				n = max(n, len(p))
			}
		}
		return n
	}
	var denied []string
	for _, d := range r.Deny {
		denied = append(denied, d.Pkg)
	}
	return longest(denied) > longest(r.Allow)
}

// refused returns the names of the rules that deny an import in a file.
func refused(rules map[string]importRule, file, path string) (names []string) {
	for name, r := range rules {
		if r.applies(file) && r.refuses(path) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// forbidden are imports below the module path that break the direction, one for each rule and for each part of it.
var forbidden = []struct{ file, path, rule string }{
	{"internal/wire/x.go", "functions/refresher/handler", "handlers"},
	{"functions/refresher/handler/x.go", "functions/dispatcher/handler", "handlers"},
	{"internal/testing/stack/x_test.go", "functions/refresher/handler", "handlers"},
	{"internal/testing/stack/x_test.go", "cmd/local", "everywhere"},
	{"functions/refresher/handler/x.go", "examples/event-consumer", "everywhere"},
	{"functions/refresher/handler/x.go", "internal/operator", "operator"},
	{"internal/wire/x.go", "internal/operator", "operator"},
	{"pkg/procore/x.go", "internal/platform/logging", "procore"},
	{"pkg/procoretest/x.go", "internal/testing/kit/logtest", "procoretest"},
	{"pkg/keys/x.go", "pkg/tokens", "keys"},
	{"pkg/link/x.go", "pkg/connections", "link"},
	{"pkg/tokens/x.go", "internal/platform/config", "tokens"},
	{"pkg/tokens/x.go", "internal/webhook/inbox", "tokens"},
	{"internal/platform/config/x.go", "pkg/tokens", "platform"},
	{"internal/platform/config/x.go", "internal/wire", "platform"},
	{"internal/webhook/recovery/x.go", "internal/wire", "features"},
	{"internal/connect/session/x.go", "internal/wire", "features"},
	{"internal/upkeep/rescue/x.go", "internal/wire", "features"},
	{"pkg/connections/x.go", "internal/webhook/inbox", "connections"},
	{"internal/upkeep/departures/x.go", "pkg/consumer", "consumer"},
	{"internal/wire/x.go", "pkg/consumer", "consumer"},
	{"pkg/connections/x.go", "pkg/consumer", "connections"},
	{"pkg/link/x.go", "pkg/tokens", "link"},
	{"examples/event-consumer/x.go", "internal/platform/config", "examples"},
	{"examples/event-consumer/x.go", "internal/wire", "examples"},
	{"examples/event-consumer/x.go", "internal/connect/session", "examples"},
	{"examples/event-consumer/x.go", "internal/webhook/inbox", "examples"},
	{"examples/event-consumer/x.go", "internal/upkeep/rescue", "examples"},
	{"functions/refresher/handler/x.go", "internal/testing/kit/tables", "deployed"},
	{"examples/event-consumer/x.go", "pkg/procoretest", "deployed"},
	{"pkg/procore/x.go", "pkg/procoretest", "deployed"},
	{"pkg/tokens/x.go", "internal/testing/fake/dynamotest", "deployed"},
	{"internal/platform/secrets/x.go", "internal/testing/fake/awstest", "deployed"},
	{"internal/wire/x.go", "internal/testing/stack", "deployed"},
	{"internal/invariants/x.go", "internal/testing/proof/simulation", "deployed"},
	{"internal/connect/pages/x.go", "pkg/procoretest", "deployed"},
	{"internal/upkeep/departures/x.go", "pkg/procoretest", "deployed"},
	{"functions/webhook-receiver/handler/x.go", "internal/connect/pages", "light"},
}

// checkImports holds a repository's files to its rules, and the rules to what they have to refuse.
func checkImports(t *testing.T, dir, module string) {
	t.Helper()
	rules := importRules(t, dir)
	guarded := make(map[string]bool)
	for _, f := range forbidden {
		guarded[f.rule] = true
		if names := refused(rules, f.file, module+"/"+f.path); !slices.Contains(names, f.rule) {
			t.Errorf("no rule %s refuses %s in %s, only %v", f.rule, f.path, f.file, names)
		}
	}
	for name := range rules {
		if !guarded[name] {
			t.Errorf("no import is known that rule %s has to refuse", name)
		}
	}
	for _, file := range tracked(t, dir) {
		if !strings.HasSuffix(file, ".go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if names := refused(rules, file, path); names != nil {
				t.Errorf("%s imports %s, against %v", file, path, names)
			}
		}
	}
}

// The rules of imports hold without a linter too, and refuse what they are for.
func TestImports(t *testing.T) {
	t.Parallel()
	checkImports(t, root, module(t))
}

// module returns the module's path, which a fork changes.
func module(t *testing.T) string {
	t.Helper()
	return regexp.MustCompile(`(?m)^module (\S+)$`).FindStringSubmatch(read(t, "go.mod"))[1]
}
