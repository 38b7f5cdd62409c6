package main

import (
	"os"
	"strings"
	"testing"
)

// What a mutant replaces stands in its file exactly once.
func TestListIsUpToDate(t *testing.T) {
	t.Parallel()
	for _, m := range list() {
		source, err := os.ReadFile("../../../../" + m.file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(source), m.old); got != 1 {
			t.Errorf("%s: what it replaces stands %d times in %s, want once", m.name, got, m.file)
		}
	}
}

// What the mutants of defence show is told in docs/SECURITY.md, test by test.
func TestDefencesAreDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../../../docs/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, m := range list() {
		if m.rule != "D" {
			continue
		}
		count++
		flag, rest, _ := strings.Cut(m.test, "$ ./")
		if want := "`" + rest + " " + strings.TrimPrefix(flag, "-run ^") + "`"; !strings.Contains(string(document), want) {
			t.Errorf("%s: docs/SECURITY.md does not name %s", m.name, want)
		}
	}
	if count < 50 {
		t.Errorf("%d mutants of defence, want those of docs/SECURITY.md", count)
	}
}
