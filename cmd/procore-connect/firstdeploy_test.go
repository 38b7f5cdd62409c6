package main

import (
	"os"
	"regexp"
	"testing"
)

// The commands of the checklist for the first deployment can be typed.
func TestFirstDeploymentIsTypable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/FIRST-DEPLOY.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^go run \./cmd/(procore-connect .+)$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) < 4 {
		t.Errorf("docs/FIRST-DEPLOY.md has %d commands of procore-connect", len(lines))
	}
	for _, line := range lines {
		if err := typable(line[1]); err != nil {
			t.Errorf("%q: %v", line[1], err)
		}
	}
}
