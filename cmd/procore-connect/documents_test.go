package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands of procore-connect in the blocks of every document can be typed.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(?:.* && )?(?:go run \./cmd/)?(procore-connect .+)$`)
	block := regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```")
	quoted := regexp.MustCompile(`"[^"]*"`)
	count := 0
	for _, doc := range append(docs, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range block.FindAllSubmatch(text, -1) {
			for _, m := range line.FindAllSubmatch(b[1], -1) {
				count++
				if bytes.HasPrefix(m[1], []byte("procore-connect completion ")) {
					continue // TestCompletion; cobra adds it when the command runs
				}
				// A quoted text is one word.
				command := quoted.ReplaceAllStringFunc(string(m[1]), func(s string) string {
					return strings.ReplaceAll(strings.Trim(s, `"`), " ", "_")
				})
				if err := typable(command); err != nil {
					t.Errorf("%s: %q: %v", filepath.Base(doc), m[1], err)
				}
			}
		}
	}
	if count < 80 {
		t.Errorf("the documents have %d commands of procore-connect", count)
	}
}
