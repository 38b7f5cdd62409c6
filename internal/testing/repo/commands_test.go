package repo

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A typed command is one of a document's blocks, as the shell runs it.
type typed struct {
	doc  string
	argv []string
}

func (c typed) String() string { return strings.Join(c.argv, " ") }

// recorder makes bash write each command that it would run into the directory $typed, and run none. Commands in substitutions
// are written too. Those of a pipe are written at the same time, so that each process has its file. The documents'
// own scripts have a slash, so that bash does not ask the handler for them.
const recorder = `PATH=/nowhere
command_not_found_handle() { printf '%s\0' "$@" $'\n' >>"$typed/$BASHPID"; }
.ci/with-sam() { command_not_found_handle .ci/with-sam; "$@"; }
.ci/with-dynoxide() { command_not_found_handle .ci/with-dynoxide; "$@"; }
cd() { :; }
read() { :; }
`

// typedCommands returns the commands of every document's blocks.
func typedCommands(t *testing.T) (all []typed) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash: ", err)
	}
	block := regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```")
	for _, doc := range documents(t) {
		for _, m := range block.FindAllStringSubmatch(read(t, doc), -1) {
			dir, record := t.TempDir(), t.TempDir()
			cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", recorder+m[1])
			cmd.Dir, cmd.Env = dir, []string{"typed=" + record}
			if out, err := cmd.CombinedOutput(); len(out) > 0 {
				t.Errorf("%s: bash: %v, %s\n%s", doc, err, out, m[1])
			}
			processes, err := filepath.Glob(filepath.Join(record, "*")) // none for a block of nothing but the shell's own commands
			if err != nil {
				t.Fatal(err)
			}
			for _, process := range processes {
				text, err := os.ReadFile(process)
				if err != nil {
					t.Fatal(err)
				}
				for argv := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n\x00"), "\n\x00") {
					all = append(all, typed{doc, strings.Split(strings.TrimSuffix(argv, "\x00"), "\x00")})
				}
			}
		}
	}
	return all
}

// elsewhere has the commands that TestTypedCommands cannot judge, by their first words, with the test or check that types
// them or holds them to the tool's own options, or the reason why none can.
var elsewhere = []struct{ doc, command, by string }{
	{"", "procore-connect", "cmd/procore-connect TestDocumentedCommands"},
	{"", "go run ./cmd/procore-connect", "cmd/procore-connect TestDocumentedCommands"},
	{"", "aws", ".ci/template/commands.py"},
	{"", "sam", "internal/testing/sam TestSAMCommands"},
	{"", ".ci/with-sam", "make test-aws"},
	{"", ".ci/with-dynoxide", "make test-aws"},
	{"", "bash", "starts a shell"},
	{"", "out", "a function of docs/FIRST-DEPLOY.md itself"},
	{"", "grep", "shows one line of the output of go test"},
	{"README.md", "git clone", "internal/testing/repo TestQuickStart"},
	{"docs/CLIENT.md", "git clone", "internal/testing/repo TestClientGuideOutside"},
	{"docs/CLIENT.md", "go mod", "internal/testing/repo TestClientGuideOutside"},
	{"docs/CLIENT.md", "curl", "internal/testing/repo TestQuickStart"},
	{"docs/FAKE.md", "curl", "pkg/procoretest TestDocumentedCommands"},
	{"docs/LOCAL.md", "curl", "pkg/procoretest TestDocumentedCommands"},
	{"docs/PROCORE-SETUP.md", "curl", "pkg/procoretest TestSetupCommands"},
	{"docs/DEPLOY.md", "git clone", "as in README.md"},
	{"docs/DEPLOY.md", "git pull upstream main", "needs a fork with a remote of this name"},
	{"docs/DEPLOY.md", "gh api", "needs GitHub"},
	{"docs/FIRST-DEPLOY.md", "git rev-parse HEAD", "prints the commit"},
	{"docs/SECURITY.md", "sed", "internal/testing/repo TestOperatorPolicyCommand"},
}

// Each command of each document is typed by a test, is held to the options that the tool has, or has a reason above.
func TestTypedCommands(t *testing.T) {
	t.Parallel()
	all := typedCommands(t)
	if len(all) < 150 {
		t.Errorf("the documents have %d commands: are their blocks still marked as sh?", len(all))
	}
	used := make([]bool, len(elsewhere))
	for _, c := range all {
		row := slices.IndexFunc(elsewhere, func(e struct{ doc, command, by string }) bool {
			return (e.doc == "" || e.doc == c.doc) && strings.HasPrefix(c.String()+" ", e.command+" ")
		})
		var err error
		switch {
		case row >= 0:
			used[row] = true
		case c.argv[0] == "make":
			err = checkMake(t, c.argv[1:])
		case c.argv[0] == "go" && len(c.argv) > 2:
			err = checkGo(t, c.argv[1:])
		default:
			err = fmt.Errorf("no test types it: make one, and name it among those above")
		}
		if err != nil {
			t.Errorf("%s: %s: %v", c.doc, c, err)
		}
	}
	for i, e := range elsewhere {
		if !used[i] {
			t.Errorf("%s has no command %q", e.doc, e.command)
		}
		if dir, name, ok := strings.Cut(e.by, " "); ok && strings.HasPrefix(name, "Test") && !hasTest(t, dir, name) {
			t.Errorf("there is no %s", e.by)
		}
	}
	if file := os.Getenv("AWS_COMMANDS"); file != "" {
		writeAWS(t, file, all)
	}
}

// writeAWS writes the commands of the AWS CLI for .ci/template/commands.py, a JSON array a line.
func writeAWS(t *testing.T, file string, all []typed) {
	t.Helper()
	var lines strings.Builder
	for _, c := range all {
		if c.argv[0] != "aws" {
			continue
		}
		line, err := json.Marshal(append([]string{c.doc}, c.argv[1:]...))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s\n", line)
	}
	write(t, file, lines.String())
}

// checkMake returns an error if the Makefile lacks the target or a variable, or make run an option.
func checkMake(t *testing.T, args []string) error {
	t.Helper()
	makefile := read(t, "Makefile")
	for i, arg := range args {
		name, value, assigned := strings.Cut(arg, "=")
		switch {
		case i == 0 && !strings.Contains(makefile, "\n"+arg+":"):
			return fmt.Errorf("the Makefile has no target %s", arg)
		case assigned && !strings.Contains(makefile, "$("+name+")") && !strings.Contains(makefile, "$(or $("+name+")"):
			return fmt.Errorf("the Makefile has no variable %s", name)
		case name == "ARGS":
			if err := checkFlags(t, "cmd/local", strings.Fields(value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkGo returns an error if a package does not exist, has no test of this name, or is a command without this option.
func checkGo(t *testing.T, args []string) error {
	t.Helper()
	verb, rest := args[0], args[1:]
	if !slices.Contains([]string{"run", "install", "test"}, verb) {
		return fmt.Errorf("go %s is not known here", verb)
	}
	var packages, tests []string
	for i := 0; i < len(rest); i++ {
		switch arg := rest[i]; {
		case strings.HasPrefix(arg, "./"):
			packages = append(packages, strings.TrimPrefix(arg, "./"))
			if verb == "run" {
				return checkFlags(t, packages[0], rest[i+1:])
			}
		case arg == "-run" || arg == "-bench":
			i++
			tests = append(tests, rest[i])
		case arg == "-benchtime":
			i++
		case !slices.Contains([]string{"-v", "-count=1"}, arg):
			return fmt.Errorf("the option %s is not known here", arg)
		}
	}
	if len(packages) == 0 {
		return fmt.Errorf("it names no package")
	}
	for _, dir := range packages {
		for _, name := range tests {
			if name != "^$" && !matchesTest(t, dir, name) {
				return fmt.Errorf("%s has no test %s", dir, name)
			}
		}
	}
	return nil
}

// matchesTest reports whether a package has a test or benchmark that the expression matches.
func matchesTest(t *testing.T, dir, expression string) bool {
	t.Helper()
	want := regexp.MustCompile(expression)
	for _, m := range regexp.MustCompile(`(?m)^func (?:Test|Benchmark|Fuzz)(\w+)\(`).FindAllStringSubmatch(sources(t, dir, true), -1) {
		if want.MatchString("Test"+m[1]) || want.MatchString("Benchmark"+m[1]) || want.MatchString("Fuzz"+m[1]) {
			return true
		}
	}
	return false
}

// checkFlags returns an error if a command's source has no such option.
func checkFlags(t *testing.T, dir string, args []string) error {
	t.Helper()
	text := sources(t, dir, false)
	if !strings.Contains(text, "package main\n") {
		return fmt.Errorf("%s is no command", dir)
	}
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && !strings.Contains(text, `"`+name+`"`) {
			return fmt.Errorf("%s has no option -%s", dir, name)
		}
	}
	return nil
}

// sources returns the text of a package's files, or of its tests.
func sources(t *testing.T, dir string, tests bool) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || files == nil {
		t.Errorf("no package %s: %v", dir, err)
	}
	var all strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") != tests {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// The command of docs/SECURITY.md fills a policy in completely.
func TestOperatorPolicyCommand(t *testing.T) {
	t.Parallel()
	dir := copied(t)
	command, _, ok := strings.Cut(blocks(t, "docs/SECURITY.md", "Who may operate", "sh")[0], "aws iam")
	if !ok {
		t.Fatal("docs/SECURITY.md has no command of aws iam")
	}
	run(t, dir, "sh", "-ec", command)
	text, err := os.ReadFile(filepath.Join(dir, "read.json"))
	if err != nil || !json.Valid(text) || strings.Contains(string(text), "${") || !strings.Contains(string(text), "procore-connect") {
		t.Errorf("the policy is %v, %s", err, text)
	}
}
