package repo

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	documented = "example.com/you/connect" // the fork's path in CONTRIBUTING.md
	fork       = "example.com/they/connect"
)

// run runs a command in a copy of the repository, and returns what it prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "MAKEFLAGS=") // the flags of the make that runs this test are not the copy's
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// copied writes what a commit of everything would have into a directory.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name := range strings.SplitSeq(run(t, root, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if name == "" || os.IsNotExist(err) {
			continue // the end of the list, or deleted and not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	run(t, dir, "git", "init", "-q")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o750)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// renamed copies the repository, and runs in the copy the command that CONTRIBUTING.md has for a fork, with a path that
// this module does not have even after that very command.
func renamed(t *testing.T) string {
	t.Helper()
	_, section, _ := strings.Cut(read(t, "CONTRIBUTING.md"), "\n## Your fork\n")
	commands := regexp.MustCompile("(?s)  ```sh\n(.*?)  ```").FindAllStringSubmatch(section, -1)
	if len(commands) != 1 || !strings.Contains(commands[0][1], documented) {
		t.Fatalf("CONTRIBUTING.md has %d commands for a fork, want the one that renames to %s", len(commands), documented)
	}
	dir := copied(t)
	run(t, dir, "sh", "-ec", strings.Replace(commands[0][1], documented, fork, 1))
	return dir
}

// A fork's module has its own path everywhere: each import of a package or a test exists and is allowed, the import rules guard
// it, and nothing names the old path. Compiling it would add nothing: the path is only in imports and texts.
func TestRenameModule(t *testing.T) {
	t.Parallel()
	old := module(t)
	dir := renamed(t)
	if got := strings.TrimSpace(run(t, dir, "go", "list", "-m")); got != fork {
		t.Errorf("the module is %s, want %s", got, fork)
	}
	// Not behind a slash, a dot or a dash: there it is a part of another name.
	named := regexp.MustCompile(`(?m)^.*(?:^|[^/.-])` + regexp.QuoteMeta(old) + `/.*$`)
	for _, file := range tracked(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue // a picture
		}
		for _, line := range named.FindAll(text, -1) {
			t.Errorf("%s still has the old path: %s", file, line)
		}
	}
	checkImports(t, dir, fork)
	if got := run(t, dir, "gofmt", "-l", "."); got != "" {
		t.Errorf("gofmt would change:\n%s", got)
	}
	run(t, dir, "go", "list", "-deps", "-test", "./...")
}

// The linter itself guards a fork's imports: make lint runs this with its pinned linter.
func TestRenamedModuleIsLinted(t *testing.T) {
	t.Parallel()
	linter := os.Getenv("GOLANGCI_LINT")
	if linter == "" {
		t.Skip("needs golangci-lint: make lint")
	}
	dir := renamed(t)
	lint := func() string {
		cmd := exec.CommandContext(t.Context(), "go", "run", linter, "run", "--allow-parallel-runners", "--enable-only", "depguard")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(err)
		}
		return string(out)
	}
	if got := lint(); !strings.HasPrefix(got, "0 issues.") {
		t.Errorf("before anything is broken:\n%s", got)
	}
	for i, f := range forbidden {
		name := packageName(t, filepath.Join(dir, path.Dir(f.file)))
		// A package that imports nothing, below the forbidden one: an import cycle would be all that is reported.
		write(t, filepath.Join(dir, f.path, "leaf", "leaf.go"), "package leaf\n")
		write(t, filepath.Join(dir, broken(i)), fmt.Sprintf("package %s\n\nimport _ %q\n", name, fork+"/"+f.path+"/leaf"))
	}
	got := lint()
	for i, f := range forbidden {
		want := regexp.MustCompile(regexp.QuoteMeta(broken(i)) + `:3:.* is not allowed from list '` + f.rule + `'`)
		if !want.MatchString(got) {
			t.Errorf("rule %s does not refuse %s in %s", f.rule, f.path, f.file)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// broken names the file that has the forbidden import of a number.
func broken(i int) string {
	f := forbidden[i].file
	return path.Join(path.Dir(f), fmt.Sprintf("broken%d_%s", i, path.Base(f)))
}

// packageName returns the name of a directory's package.
func packageName(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || files == nil {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), files[0], nil, parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(f.Name.Name, "_test")
}
