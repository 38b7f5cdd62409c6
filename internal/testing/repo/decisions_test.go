package repo

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var decided = regexp.MustCompile(`(?m)^\| ([^|]*) \| (\d+) \| [^|]+ \| [^|]+ \|$`)

// The sizes in docs/DECISIONS.md are those of the code, within a fifth.
func TestDecisionSizes(t *testing.T) {
	t.Parallel()
	rows := decided.FindAllStringSubmatch(read(t, "docs/DECISIONS.md"), -1)
	if len(rows) < 20 {
		t.Errorf("docs/DECISIONS.md has %d rows with sizes", len(rows))
	}
	for _, row := range rows {
		stated, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for _, place := range inside.FindAllStringSubmatch(row[1], -1) {
			lines += linesOf(t, place[1])
		}
		if lines*5 < stated*4 || lines*5 > stated*6 {
			t.Errorf("%s: docs/DECISIONS.md states %d lines, the code has %d", row[1], stated, lines)
		}
	}
}

// The size of template.yaml in docs/DECISIONS.md is its size, within a twentieth.
func TestTemplateSize(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile(`(?m)^It has (\d),(\d+) lines`).FindStringSubmatch(read(t, "docs/DECISIONS.md"))
	if row == nil {
		t.Fatal("docs/DECISIONS.md does not state the size of template.yaml")
	}
	stated, err := strconv.Atoi(row[1] + row[2])
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(read(t, "template.yaml"), "\n"); lines*20 < stated*19 || lines*20 > stated*21 {
		t.Errorf("docs/DECISIONS.md states %d lines, template.yaml has %d", stated, lines)
	}
}

// linesOf counts the lines of a Go file, or of a directory's Go files without tests.
func linesOf(t *testing.T, place string) (n int) {
	t.Helper()
	files := []string{place}
	if filepath.Ext(place) != ".go" {
		var err error
		if files, err = filepath.Glob(filepath.Join(root, place, "*.go")); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			n += strings.Count(read(t, strings.TrimPrefix(file, root+"/")), "\n")
		}
	}
	return n
}
