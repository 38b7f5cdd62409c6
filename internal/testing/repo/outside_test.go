package repo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outside returns the directory of a new module that uses this one, and a function that runs go there.
func outside(t *testing.T) (dir string, run func(args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.mod"), fmt.Sprintf(
		"module example.com/outside\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %[1]s => %q\n", module(t), filepath.ToSlash(here)))
	write(t, filepath.Join(dir, "go.sum"), read(t, "go.sum"))
	return dir, func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -mod=mod"), "GOPROXY=off", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
		return string(out)
	}
}

// A module outside can have a consumer, with its test: the examples do without anything internal.
func TestConsumerOutside(t *testing.T) {
	t.Parallel()
	dir, run := outside(t)
	for _, file := range []string{"event-consumer/main.go", "event-consumer/main_test.go", "rfi-copy/main.go", "rfi-copy/copies.go"} {
		write(t, filepath.Join(dir, file), read(t, "examples/"+file))
	}
	run("vet", "./...")
	if out := run("test", "-v", "./..."); !strings.Contains(out, "--- PASS: TestHandle") {
		t.Errorf("the consumer's test did not run:\n%s", out)
	}
}

// A module outside can use the client and its fake: they need nothing internal, and a client's test passes there.
func TestModuleOutside(t *testing.T) {
	t.Parallel()
	module := module(t)
	dir, run := outside(t)
	write(t, filepath.Join(dir, "outside.go"), fmt.Sprintf(
		"// Package outside uses the client.\npackage outside\n\nimport %q\n\n// Sandbox is where it works.\nvar Sandbox = procore.Sandbox()\n", module+"/pkg/procore"))
	write(t, filepath.Join(dir, "client_test.go"),
		strings.Replace(read(t, "pkg/procoretest/client_test.go"), "package procoretest_test", "package outside_test", 1))
	run("vet", "./...")
	run("test", "./...")
	needed := strings.Fields(run("list", "-deps", "-test", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./..."))
	for _, path := range needed {
		if strings.HasPrefix(path, module+"/") && path != module+"/pkg/procore" && path != module+"/pkg/procoretest" {
			t.Errorf("a module outside needs %s", path)
		}
	}
	if !slices.Contains(needed, module+"/pkg/procoretest") {
		t.Errorf("the fake is not among %v", needed)
	}
}
