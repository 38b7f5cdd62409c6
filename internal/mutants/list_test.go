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
		source, err := os.ReadFile("../../" + m.file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(source), m.old); got != 1 {
			t.Errorf("%s: what it replaces stands %d times in %s, want once", m.name, got, m.file)
		}
	}
}
