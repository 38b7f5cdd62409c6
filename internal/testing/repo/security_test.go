package repo

import (
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named matches a test as documents name it: by its package's directory and its function.
var named = regexp.MustCompile("`([a-z]+(?:/[a-z-]+)+) ((?:Test|Fuzz)[A-Za-z0-9]+)`")

// Each test that a document names exists.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	found := make(map[string]int)
	for _, doc := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(read(t, doc), -1) {
			found[doc]++
			if !hasTest(t, m[1], m[2]) {
				t.Errorf("%s names %s of %s, which does not exist", doc, m[2], m[1])
			}
		}
	}
	if found["docs/SECURITY.md"] < 50 {
		t.Errorf("docs/SECURITY.md names %d tests: are they still written as `directory Test`?", found["docs/SECURITY.md"])
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

// Every row of the tables names a test.
func TestEveryDefenceIsShown(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/SECURITY.md")
	text, _, _ = strings.Cut(text, "\n## What is not protected")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| attack |") && !strings.HasPrefix(line, "| what |") && !named.MatchString(line) {
			t.Errorf("this row names no test: %s", line)
		}
	}
}

// A fork, recognized by its module path, must name the reader of its security reports.
func TestSecurityContact(t *testing.T) {
	t.Parallel()
	module := regexp.MustCompile(`(?m)^module (\S+)$`).FindStringSubmatch(read(t, "go.mod"))
	if problem := contactProblem(module[1], read(t, "SECURITY.md")); problem != "" {
		t.Error(problem)
	}
	for _, tt := range []struct {
		module, contact string
		good            bool
	}{
		{"procore-connect", "FILL-IN an address", true},
		{"procore-connect", "security@acme.example", true},
		{"acme.example/connect", "FILL-IN an address", false},
		{"acme.example/connect", "security@acme.example", true},
		{"acme.example/connect", "https://acme.example/security", true},
		{"acme.example/connect", "http://acme.example/security", false},
		{"acme.example/connect", "ask Ann", false},
		{"acme.example/connect", "", false},
		{"procore-connect", "", false},
	} {
		if got := contactProblem(tt.module, "# x\n\nContact: "+tt.contact+"\n") == ""; got != tt.good {
			t.Errorf("module %s, contact %q: good %v, want %v", tt.module, tt.contact, got, tt.good)
		}
	}
}

func contactProblem(module, text string) string {
	line := regexp.MustCompile(`(?m)^Contact: (.+)$`).FindStringSubmatch(text)
	if line == nil {
		return "SECURITY.md has no line that begins with Contact:"
	}
	if strings.HasPrefix(line[1], "FILL-IN") {
		if module == "procore-connect" {
			return ""
		}
		return "SECURITY.md: fill in the contact: this is a fork, and its users need to know whom to tell of a hole"
	}
	if u, err := url.Parse(line[1]); err == nil && u.Scheme == "https" && u.Host != "" {
		return ""
	}
	if _, err := mail.ParseAddress(line[1]); err == nil {
		return ""
	}
	return "SECURITY.md: the contact is neither an email address nor an https address"
}
