package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procoretest"
)

// wants compares an answer with testdata. UPDATE=1 go test ./cmd/procore-connect writes the files again.
func wants(t *testing.T, w *world, file string, args ...string) {
	t.Helper()
	out, aside, code := w.run(args...)
	golden(t, file, strings.Split(w.stable(strings.Join(args, " ")), " "), w.stable(out), w.stable(aside), code)
}

// golden compares what was written with testdata.
func golden(t *testing.T, file string, args []string, out, aside string, code int) {
	t.Helper()
	got := fmt.Sprintf("$ procore-connect %s\n%s", strings.Join(args, " "), out)
	if aside != "" {
		got += "--- standard error\n" + aside
	}
	got += fmt.Sprintf("--- exit code %d\n", code)
	path := filepath.Join("testdata", file+".txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, string(want)); d != "" {
		t.Errorf("%s (-got +want):\n%s", path, d)
	}
}

// What a person on call sees on a morning on which much is wrong.
func TestMorning(t *testing.T) {
	t.Parallel()
	w := morning(t)
	for _, one := range []struct{ file, args string }{
		{"list", "list"},
		{"list-needs-person", "list --needs-person"},
		{"list-disconnected", "list --state disconnected"},
		{"list-json", "list --state reauthorize --json"},
		{"list-none", "list --state uncertain --needs-person"},
		{"show-reauthorize", "show 5678"},
		{"show-served", "show 5679"},
		{"show-json", "show 7001 --json"},
		{"why-reauthorize", "why 5678"},
		{"why-served", "why 5679"},
		{"why-needs-admin", "why 4294967311"},
		{"why-disconnected", "why 4294967312"},
		{"why-paused", "why 7001"},
		{"why-ended", "why 7002"},
		{"why-none", "why 99"},
		{"why-json", "why 5678 --json"},
		{"link", "link 5678"},
		{"link-none", "link 99"},
		{"breaker-closed", "breaker"},
	} {
		wants(t, w, one.file, strings.Fields(one.args)...)
	}
}

// An outage: a refresh without an answer, then refused client credentials.
func TestOutage(t *testing.T) {
	t.Parallel()
	w := morning(t)
	w.refresh(procoretest.Max, procoretest.Fault{Kind: procoretest.Drop})
	wants(t, w, "why-uncertain", "why", "5679")
	wants(t, w, "breaker-suspect", "breaker")
	w.refresh(procoretest.Ann, procoretest.Fault{Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`})
	wants(t, w, "breaker-open", "breaker")
	wants(t, w, "breaker-json", "breaker", "--json")
	wants(t, w, "why-breaker", "why", "5679")
}

// What was typed wrong is answered by what would be right.
func TestUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for file, args := range map[string]string{
		"usage-verb": "lst", "usage-flag": "list --stat x", "usage-state": "list --state broken", "usage-company": "why Harbor", "usage-none": "show", "usage-every": "doctor --watch --every 1ms",
	} {
		wants(t, w, file, strings.Fields(args)...)
	}
	if calls := w.asked; calls != nil {
		t.Errorf("wrong usage asked AWS: %v", calls)
	}
}
