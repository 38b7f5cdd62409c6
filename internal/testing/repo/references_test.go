package repo

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	documentName = regexp.MustCompile(`[A-Za-z0-9_./-]*[A-Za-z0-9_]\.md\b`)
	webAddress   = regexp.MustCompile(`https?://\S+`)
	section      = regexp.MustCompile(`(?i)\bsections?\s+(?:\W+\s*)?\d`)
	standard     = regexp.MustCompile(`\bRFC\s+\d+|\bApache-2\.0\b`)
	blankLine    = regexp.MustCompile(`\n\s*\n`)
)

// What a comment, a message or a document refers to is in the repository: each document that it names, each rule, and
// no numbered section but those of a published standard.
func TestReferences(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for _, row := range ruled.FindAllStringSubmatch(read(t, design), -1) {
		rules[row[1]] = true
	}
	for _, p := range referring(t) {
		for _, problem := range references(p, rules, exists) {
			t.Errorf("%s, in the passage that begins at line %d: %s", p.file, p.line, problem)
		}
	}
}

// referring returns the passages that may refer to something. A document is one passage, its code included, so it is
// taken apart at blank lines.
func referring(t *testing.T) (all []passage) {
	t.Helper()
	for _, p := range prose(t) {
		if p.kind != document {
			all = append(all, p)
			continue
		}
		line := 1
		text := read(t, p.file)
		for _, paragraph := range blankLine.Split(text, -1) {
			all = append(all, passage{p.file, line, document, paragraph})
			line += strings.Count(paragraph, "\n") + 2
		}
	}
	return all
}

// references returns what the passage refers to in vain.
func references(p passage, rules map[string]bool, exists func(name string) bool) (problems []string) {
	text := webAddress.ReplaceAllString(p.text, "")
	for _, name := range documentName.FindAllString(text, -1) {
		if !exists(name) && !exists(path.Join(path.Dir(p.file), name)) {
			problems = append(problems, name+" does not exist")
		}
	}
	for _, name := range rule.FindAllString(text, -1) {
		if !rules[name] {
			problems = append(problems, name+" is not a rule of "+design)
		}
	}
	if found := section.FindString(text); found != "" && !standard.MatchString(text) {
		problems = append(problems, oneLine(found)+": of what? Name a heading of a document")
	}
	return problems
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(root, name))
	return err == nil
}

// A reference that leaves the repository is noticed.
func TestReferencesAreNoticed(t *testing.T) {
	t.Parallel()
	exists := func(name string) bool { return name == "docs/DESIGN.md" }
	for _, tt := range []struct {
		text string
		want int
	}{
		{"see docs/DESIGN.md", 0},
		{"see DESIGN.md", 0}, // beside the file
		{"see STYLE.md", 1},
		{"see https://example.com/x.md", 0},
		{"DESIGN.md section 3", 1},
		{"DESIGN.md, sections 3 to 5", 1},
		{"in\nsection 3", 1},
		{"RFC\n9110, section 10.2.3", 0},
		{"R1 and R2", 1},
	} {
		p := passage{file: "docs/x.md", kind: comment, text: tt.text}
		if got := references(p, map[string]bool{"R1": true}, exists); len(got) != tt.want {
			t.Errorf("%q: got %q, want %d problems", tt.text, got, tt.want)
		}
	}
}
