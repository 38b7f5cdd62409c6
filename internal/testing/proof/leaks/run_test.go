package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// leaky is a module whose tests each print a secret in their own way, in place of SECRET and CODED.
var leaky = map[string]string{
	"go.mod": "module leaky\n\ngo 1.26\n",
	"quiet/quiet_test.go": `package quiet
import "testing"
func TestQuiet(t *testing.T) { t.Log("nothing to see") }
func TestSkip(t *testing.T) { t.Skip("not here") }
`,
	"log/log_test.go": `package log
import "testing"
func TestPasses(t *testing.T) { t.Log("got SECRET") }
`,
	"print/print_test.go": `package print
import ("fmt"; "testing")
func TestPasses(t *testing.T) { fmt.Print("body CODED") }
`,
	"slog/slog_test.go": `package slog
import ("log/slog"; "testing")
func TestPasses(t *testing.T) { slog.Error("x", "error", []byte("SECRET")) }
`,
	"child/child_test.go": `package child
import ("os"; "os/exec"; "testing")
func TestPasses(t *testing.T) { c := exec.Command("echo", "SECRET"); c.Stderr = os.Stderr; c.Stdout = os.Stdout; c.Run() }
`,
	"name/name_test.go": `package name
import "testing"
func TestPasses(t *testing.T) { t.Run("SECRET", func(*testing.T) {}) }
`,
	"fails/fails_test.go": `package fails
import "testing"
func TestFails(t *testing.T) { t.Log("shown because it failed"); t.Fail() }
func TestPasses(t *testing.T) { t.Log("not shown because it passed") }
`,
	"dies/dies_test.go": `package dies
import "testing"
func TestPanics(t *testing.T) { t.Log("shown because it died"); panic("an accident") }
`,
	"broken/broken_test.go": `package broken
import "testing"
func TestNothing(t *testing.T) { undefinedName() }
`,
}

func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	secret := strings.NewReplacer("SECRET", "fake-"+"refresh-ABC", "CODED", "ZmFrZS1yZWZy"+"ZXNoLUFCQw")
	for name, text := range leaky {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(secret.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The real go test runs real tests: a secret fails the run even if every test passes.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := module(t)
	for _, tt := range []struct {
		pkg        string
		found      bool
		failed     bool
		shows, not string
	}{
		{"quiet", false, false, "ok ", "nothing to see"},
		{"log", true, false, "LEAK: leaky/log TestPasses: refresh token", ""},
		{"print", true, false, "LEAK: leaky/print TestPasses: refresh token in base64", ""},
		{"slog", true, false, "LEAK: leaky/slog TestPasses: refresh token", ""},
		{"child", true, false, "LEAK: leaky/child TestPasses: refresh token", ""},
		{"name", true, false, "LEAK: a subtest: refresh token", ""},
		{"fails", false, true, "shown because it failed", "=== RUN"},
		{"fails", false, true, "--- FAIL: TestFails", "not shown"},
		{"dies", false, true, "panic: an accident", ""},
		{"broken", false, true, "undefinedName", ""},
	} {
		t.Run(tt.pkg, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s := &scanner{to: &out}
			err := s.tests(t.Context(), []string{"go", "-C", dir, "test", "./" + tt.pkg})
			if failed := err != nil; failed != tt.failed {
				t.Errorf("the tests failed: %v, want %v", err, tt.failed)
			}
			if found := s.verdict() != nil; found != tt.found {
				t.Errorf("a secret was found: %v, want %v", found, tt.found)
			}
			text := out.String()
			if !strings.Contains(text, tt.shows) || tt.not != "" && strings.Contains(text, tt.not) {
				t.Errorf("shown, want %q and not %q:\n%s", tt.shows, tt.not, text)
			}
			if strings.Contains(text, "refresh-ABC") {
				t.Error("the secret is shown")
			}
		})
	}
}

func TestScanFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "a\nb": 0, "a\nfake-" + "code-A": 1, "fake-" + "code-A\nfake-" + "code-B\n": 2} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &scanner{to: &bytes.Buffer{}}
		if err := s.file(path); err != nil || s.found != want {
			t.Errorf("%d lines found, %v, want %d", s.found, err, want)
		}
	}
	if err := (&scanner{to: &bytes.Buffer{}}).file(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("no error for a missing file")
	}
}
