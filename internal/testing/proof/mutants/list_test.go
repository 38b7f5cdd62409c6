package main

import (
	"errors"
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

// Each share has all mutants of R1 to R9, and each other mutant is in one share.
func TestShares(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, share := range []string{"0/4", "1/4", "2/4", "3/4"} {
		chosen, err := choose("", share)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range chosen {
			count[m.rule+" "+m.name]++
		}
	}
	for _, m := range list() {
		want := 1
		if strings.HasPrefix(m.rule, "R") {
			want = 4
		}
		if got := count[m.rule+" "+m.name]; got != want {
			t.Errorf("%s: it is in %d of 4 shares, want %d", m.name, got, want)
		}
	}
	for _, share := range []string{"4/4", "0/0", "-1/4", "1", ""} {
		if _, err := choose("", share); err == nil {
			t.Errorf("a share of %q is accepted", share)
		}
	}
}

// A mutant that no test notices, and one that does not compile, are reported and counted.
func TestRun(t *testing.T) {
	t.Parallel()
	var report strings.Builder
	survived, err := run(&report, []mutant{{name: "one"}, {name: "three"}, {name: "two"}}, func(m mutant, _ string) (string, error) {
		switch m.name {
		case "one":
			return "", nil
		case "two":
			return "", errors.New("does not compile")
		}
		return "TestThree", nil
	})
	if err != nil || len(survived) != 2 {
		t.Errorf("%q survived, %v, want 2", survived, err)
	}
	for _, want := range []string{"SURVIVED       one\n", "BROKEN         two: does not compile\n", "by TestThree", "1 caught, 2 survived"} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &report)
		}
	}
	if !strings.HasSuffix(report.String(), strings.Join(survived, "")+"1 caught, 2 survived: a rule that can be broken without a failure has no test\n") {
		t.Errorf("the report does not end with the survivors:\n%s", &report)
	}
}
