package repo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"procore-connect/pkg/procoretest"
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

// A program outside that follows docs/CLIENT.md word for word lists the projects of a company, whether it has a clone
// beside it or requires a fork with an address.
func TestClientGuideOutside(t *testing.T) {
	t.Parallel()
	const doc = "docs/CLIENT.md"
	fake := procoretest.Start(t)
	yes := true
	if err := fake.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{ServiceAccount: &yes, Installed: &yes}); err != nil {
		t.Fatal(err)
	}
	start := blocks(t, doc, "Quick start", "go")[0]
	// The modules that this one needs are in the cache; a fork's version must not remain there.
	cache := strings.TrimSpace(run(t, root, "go", "env", "GOMODCACHE"))
	proxy := []string{
		"GOWORK=off", "GOSUMDB=off", "GOMODCACHE=" + t.TempDir(), "GOFLAGS=-trimpath -modcacherw",
		"GOPROXY=file://" + filepath.ToSlash(filepath.Join(cache, "cache", "download")),
	}
	for name, use := range map[string]func(t *testing.T, dir, copied string) (env []string, path string){
		"clone": func(t *testing.T, dir, copied string) ([]string, string) {
			t.Helper()
			env := append(published(t, copied, "v0.1.0"), proxy...)
			typeIn(t, dir, env, blocks(t, doc, "In your module", "sh")[0])
			return env, module(t)
		},
		"fork": func(t *testing.T, dir, copied string) ([]string, string) {
			t.Helper()
			commands := regexp.MustCompile("`((?:make rename-module|go get) [^`]+)`").FindAllStringSubmatch(sectionOf(t, doc, "In your module"), -1)
			if len(commands) != 2 {
				t.Fatalf("%s has the commands %q, want one that renames and one that requires", doc, commands)
			}
			run(t, copied, "sh", "-ec", commands[0][1])
			path := strings.TrimSpace(run(t, copied, "go", "list", "-m"))
			env := append(append(published(t, copied, "v0.1.0"), proxy...), "GOPRIVATE="+path, "GIT_ALLOW_PROTOCOL=file:https")
			typeIn(t, dir, env, commands[1][1])
			return env, path
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "outside")
			write(t, filepath.Join(dir, "go.mod"), "module example.com/outside\n\ngo 1.26.0\n")
			write(t, filepath.Join(dir, "start.go"), "package main\n\n"+start)
			write(t, filepath.Join(dir, "main.go"), `package main

import (
	"context"
	"fmt"
	"os"

	"procore-connect/pkg/procore"
)

func main() {
	env, err := procore.ParseEnvironment("custom", os.Args[1], os.Args[1])
	if err == nil {
		err = listProjects(context.Background(), env, os.Args[2], os.Args[3])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
`)
			env, path := use(t, dir, copied(t))
			for _, file := range []string{"start.go", "main.go"} { // imports of the other way
				text, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, file), strings.ReplaceAll(string(text), `"procore-connect/pkg/`, `"`+path+`/pkg/`))
			}
			if got := typeIn(t, dir, env, "go run . "+fake.URL+" fake-client-id fake-client-secret"); !strings.Contains(got, "2001 Riverside School") {
				t.Errorf("the program prints %q, want the projects of the company", got)
			}
		})
	}
}

// typeIn types commands in a shell, and returns what they print.
func typeIn(t *testing.T, dir string, env []string, commands string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", commands)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return string(out)
}
