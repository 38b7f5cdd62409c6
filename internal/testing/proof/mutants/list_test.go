package main

import (
	"os"
	"strings"
	"testing"
)

// The text that a mutant replaces is in its file exactly once.
func TestListIsUpToDate(t *testing.T) {
	t.Parallel()
	for _, m := range list() {
		source, err := os.ReadFile("../../../../" + m.file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(source), m.old); got != 1 {
			t.Errorf("%s: %s has the text that it replaces %d times, want once", m.name, m.file, got)
		}
	}
}

// docs/SECURITY.md names the test of each mutant of a defence.
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
