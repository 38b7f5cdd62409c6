package repo

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A deadPackage is what deadcode -json reports of a package.
//
// https://pkg.go.dev/golang.org/x/tools/cmd/deadcode
type deadPackage struct {
	Path  string
	Funcs []struct {
		Name     string // with its receiver, such as Queue.Send
		Position struct {
			File string
			Line int
		}
	}
}

// No function exists that no binary reaches: what no one calls is not tested by use, and costs all the same. make lint runs
// this with its pinned deadcode.
//
// What a fork imports is another matter: an exported function of pkg/ may wait for its caller there. Then an example shows
// who that would be. internal/testing and packages like pkg/procoretest are called by tests.
func TestDeadCode(t *testing.T) {
	t.Parallel()
	deadcode := os.Getenv("DEADCODE")
	if deadcode == "" {
		t.Skip("needs deadcode: make lint-dead")
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", deadcode, "-json", "./functions/...", "./cmd/...", "./examples/...")
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var dead []deadPackage
	if err := json.Unmarshal(out, &dead); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "internal/testing/") {
		t.Error("deadcode reports nothing of internal/testing, so that it does not work as this test expects")
	}
	for _, p := range dead {
		_, dir, _ := strings.Cut(p.Path, "/")
		if strings.HasPrefix(dir, "internal/testing/") || strings.HasSuffix(dir, "test") {
			continue
		}
		for _, f := range p.Funcs {
			name := f.Name[strings.LastIndexByte(f.Name, '.')+1:]
			if !strings.HasPrefix(dir, "pkg/") || !ast.IsExported(name) || !token.IsExported(f.Name) || !inExample(t, dir, name) {
				t.Errorf("%s:%d: no binary reaches %s, and no example in %s shows it; delete it", f.Position.File, f.Position.Line, f.Name, dir)
			}
		}
	}
}

// inExample reports whether an example of a package calls a function or method.
func inExample(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "example*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`\.` + name + `[(\[]`)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if call.Match(text) {
			return true
		}
	}
	return false
}
